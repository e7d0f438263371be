"""Whatever a settings file or a manifest holds, it is read or refused with words; nothing else ever happens."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feilun.config import CONFIG_NAME, load_settings
from feilun.errors import FeilunError
from feilun.models.bundle import BundleDamaged, BundleMissing, BundleTooNew, read_manifest, verify_bundle
from feilun.serve.engine import load_bundle
from tests.hardening.conftest import SETTINGS
from tests.hardening.sizes import by_day_or_night

N_EXAMPLES = by_day_or_night(200, 20_000)
ON_ONE_FOLDER = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
SEALS = ("manifest.json", "manifest.sha256")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def damaged(whole: bytes, data: st.DataObject) -> bytes:
    """Some bytes of `whole` are others, gone, or more than they were."""
    at = data.draw(st.integers(0, len(whole)))
    return whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + data.draw(st.integers(0, 12)) :]


@settings(max_examples=N_EXAMPLES, suppress_health_check=ON_ONE_FOLDER)
@given(data=st.data())
def test_a_damaged_settings_file_is_read_or_refused_with_words(tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / CONFIG_NAME).write_bytes(damaged(SETTINGS.encode(), data))
    try:
        assert load_settings(tmp_path).project.name
    except FeilunError as error:
        assert CONFIG_NAME in error.message("en") and CONFIG_NAME in error.message("zh")


@settings(max_examples=N_EXAMPLES, suppress_health_check=ON_ONE_FOLDER)
@given(
    table=st.sampled_from(["project", "task", "data", "train", "serve", "goal"]), key=st.text(max_size=12), value=JSON
)
def test_any_value_under_an_unknown_key_is_refused_with_words(tmp_path: Path, table: str, key: str, value: Any) -> None:
    name = json.dumps(key, ensure_ascii=True)
    (tmp_path / CONFIG_NAME).write_text(f"{SETTINGS}\n[{table}.x]\n{name} = {json.dumps(value)}\n", "utf-8")
    with pytest.raises(FeilunError):
        load_settings(tmp_path)


@pytest.fixture
def own_bundle(bundle: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(bundle, tmp_path / "bundle"))


@settings(max_examples=N_EXAMPLES, suppress_health_check=ON_ONE_FOLDER)
@given(data=st.data())
def test_a_damaged_manifest_is_never_taken_for_one(own_bundle: Path, bundle: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(SEALS))
    whole = (bundle / name).read_bytes()
    content = damaged(whole, data)
    (own_bundle / name).write_bytes(content)
    try:
        assert verify_bundle(own_bundle) and content == whole
    except (BundleDamaged, BundleMissing, BundleTooNew):
        assert content != whole
    finally:
        (own_bundle / name).write_bytes(whole)


@settings(max_examples=N_EXAMPLES, suppress_health_check=ON_ONE_FOLDER)
@given(value=JSON)
def test_a_manifest_that_was_sealed_by_a_stranger_is_a_manifest_or_refused(own_bundle: Path, value: Any) -> None:
    content = json.dumps(value).encode()
    (own_bundle / "manifest.json").write_bytes(content)
    line = f"{hashlib.sha256(content).hexdigest()}  manifest.json\n"
    (own_bundle / "manifest.sha256").write_text(line, "utf-8")
    for door in (read_manifest, load_bundle):
        with pytest.raises((BundleDamaged, BundleTooNew)):
            door(own_bundle)
