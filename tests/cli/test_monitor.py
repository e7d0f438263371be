"""The monitor from the command line, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from feilun.project import Project
from feilun.records import Backbone
from tests.bundles import make_bundle, place_bundles
from tests.cli.conftest import Run

SETTINGS = '[project]\nname = "support"\n'


@pytest.fixture
def place(tmp_path: Path, tiny_backbone: Backbone) -> Path:
    model_id, _ = make_bundle(tmp_path / "sealed", tiny_backbone)
    return place_bundles(tmp_path / "support", [(model_id, tmp_path / "sealed")], settings=SETTINGS)


def test_what_was_asked_is_shown_by_the_hour_and_a_wrong_interval_is_refused(place: Path, run: Run):
    with Project(place) as project:
        for _ in range(3):
            project.answer([{"text": "where is my parcel"}])
    told = run("monitor", place, "--bucket", "hour", "--json").json
    assert (told["bucket"], told["whole"]["n_messages"], told["drift"]["state"]) == ("hour", 3, "too_few")
    assert sum(one["n_messages"] for one in told["buckets"]) == 3
    (row,) = run("answers", place, "--label", told["labels"][0]["label"], "--limit", "1", "--json").json
    assert (
        row["inputs"] == {"text": "where is my parcel"}
        and run("answers", place, "--label", "none", "--json").json == []
    )
    assert "where is my parcel" in run("--lang", "zh", "answers", place).out
    assert "need 200 each" in run("--lang", "en", "monitor", place).out
    assert "各需要 200 条" in run("--lang", "zh", "monitor", place).out
    refused = run("--lang", "en", "monitor", place, "--since", "2026-02-01", "--until", "2026-01-01")
    assert refused.exit_code == 2 and "0 day buckets" in refused.err
