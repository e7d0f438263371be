"""Shadow and canary from the command line, in both languages."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from feilun.project import Project
from feilun.records import Backbone
from tests.bundles import make_bundle, place_bundles
from tests.cli.conftest import Run

SETTINGS = '[project]\nname = "support"\n[release]\nmin_messages = 20\n'


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone) -> list[tuple[str, Path]]:
    root = tmp_path_factory.mktemp("sealed")
    return [(make_bundle(root / name, tiny_backbone, seed=seed)[0], root / name) for seed, name in enumerate("ab")]


@pytest.fixture
def place(tmp_path: Path, sealed) -> Path:
    return place_bundles(tmp_path / "support", sealed, settings=SETTINGS)


def test_a_canary_is_begun_shown_rolled_back_and_logged(place, sealed, run: Run):
    (good, _), (other, _) = sealed
    asked = run("release", "canary", place, "--share", "0.5")
    assert asked.exit_code == 2 and "50.0%" in asked.err  # nobody is there to say yes
    begun = run("release", "canary", place, "--share", 0.5, "--actor", "Li Hua", "--yes", "--json").json
    assert (begun["action"], begun["model_id"], begun["share"]) == ("canary", other, 0.5)
    with Project(place) as project:
        for n in range(120):
            project.answer([{"text": "where is my parcel"}], user=f"user {n}")
    seen = run("release", "status", place)
    assert f"canary: {other} on 50.0% of the traffic beside {good}, begun by Li Hua." in seen.out
    assert "Nothing speaks against the canary so far" in seen.out
    assert "目前没有不利于灰度模型的迹象" in run("--lang", "zh", "release", "status", place).out
    told = run("release", "status", place, "--json").json
    assert sum(arm["n_messages"] for arm in told["arms"]) == 120 and told["state"] == "watching"
    assert run("release", "rollback", place, "--yes", "--json").json["reason_code"] == "canary_by_hand"
    assert f"{good} answers everything" in run("--lang", "en", "release", "status", place).out
    assert [row["action"] for row in run("release", "list", place, "--json").json] == ["rollback", "canary", "promote"]


def test_a_shadow_is_begun_shown_and_stopped(place, sealed, run: Run):
    (good, _), (other, _) = sealed
    assert f"shadow: {other}." in run("release", "shadow", place, "--model", other).out
    with Project(place) as project:
        for n in range(3):
            assert project.answer([{"text": f"parcel {n}"}])[0].model_version == good
            deadline = time.monotonic() + 60
            while project.traffic().shadow.n_compared <= n:  # nobody waits for a shadow, but here
                assert time.monotonic() < deadline
                time.sleep(0.02)
    assert "Compared on 3 messages" in run("--lang", "en", "release", "status", place).out
    assert "共对比 3 条消息" in run("--lang", "zh", "release", "status", place).out
    assert run("release", "stop", place, "--reason", "seen enough").exit_code == 0
    refused = run("--lang", "zh", "release", "stop", place)
    assert refused.exit_code == 2 and "没有进行中的影子或灰度" in refused.err


def test_no_share_and_the_champion_itself_are_refused(place, sealed, run: Run):
    none = run("release", "shadow", place, "--share", 0, "--json")
    assert (none.exit_code, none.json["error"]["code"]) == (2, "release.share_out_of_range")
    itself = run("release", "canary", place, "--model", sealed[0][0], "--yes", "--json")
    assert (itself.exit_code, itself.json["error"]["code"]) == (2, "release.answers_already")
    assert len(run("release", "list", place, "--json").json) == 1
