"""The command line as people and scripts use it: every command a process of its own, on real messages."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "banking77"
CLASSES = ("card_arrival", "exchange_rate", "lost_or_stolen_card", "age_limit", "top_up_failed", "country_support")
WITHIN_S = 600

pytestmark = [pytest.mark.journey, pytest.mark.backbone]


def feilun(*arguments: object, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command line and insist on its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "feilun", *(str(argument) for argument in arguments)],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=WITHIN_S,
    )
    assert done.returncode == exit_code, done.stderr
    return done


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "src"), "FEILUN_LANG": "en"}


def spoken(*arguments: object, exit_code: int = 0) -> Any:
    """What a command prints with --json."""
    return json.loads(feilun(*arguments, "--json", exit_code=exit_code).stdout)


def rows(part: str) -> list[tuple[str, str]]:
    with (SAMPLE / part).open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file) if row["label"] in CLASSES]


def write(path: Path, *parts: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *(row for part in parts for row in rows(part))])
    return path


def settle(folder: Path, *changes: tuple[str, str]) -> None:
    """Change lines of feilun.toml; each must be there."""
    text = (folder / "feilun.toml").read_text("utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    (folder / "feilun.toml").write_text(text, "utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of six classes, made by `feilun init`; a linear head is enough here, and quick."""
    folder = tmp_path / "bank"
    (folder / ".feilun").mkdir(parents=True)
    data, holdout = write(tmp_path / "start.csv", "start.csv"), write(tmp_path / "holdout.csv", "holdout.csv")
    made = spoken("init", folder, "--data", data, "--holdout", holdout)
    assert (made["project"], made["config"]) == ("bank", str(folder / "feilun.toml"))
    head, tune = (folder / "feilun.toml").read_text("utf-8").split("\n[train.tune]\n")
    (folder / "feilun.toml").write_text(f"{head}\n[train.tune]\n{tune.replace('= true', '= false', 1)}", "utf-8")
    return folder


def test_from_a_file_to_answers(project: Path, tmp_path: Path):
    assert spoken("data", "check", project)["n_train"] == 30
    feilun("report", project, exit_code=2)  # nothing to report on yet

    turned = spoken("turn", project, "--budget", 60, "--seed", 1)
    assert set(turned) == {
        *("turn_id", "dataset_id", "model_id", "metrics", "released", "reason", "wall_s", "leaderboard")
    }
    assert turned["released"] and turned["metrics"]["accuracy"] > 0.7 and "macro_f1" in turned["metrics"]
    assert sum(line["chosen"] for line in turned["leaderboard"]) == 1

    unseen = write(tmp_path / "unseen.csv", "unseen.csv")
    counted = spoken("predict", unseen, "--project", project, "--out", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        answered = list(csv.DictReader(file))
    assert list(answered[0]) == ["text", "label", "prediction", "confidence", "decision"]
    assert (counted["n_rows"], len(answered)) == (len(rows("unseen.csv")),) * 2
    assert counted["n_handed_over"] == sum(row["decision"] == "hand_over" for row in answered)
    assert all(0 <= float(row["confidence"]) <= 1 for row in answered)

    report = spoken("report", project)
    assert (
        report["metrics"]["accuracy"]["low"] <= turned["metrics"]["accuracy"] <= report["metrics"]["accuracy"]["high"]
    )
    assert "accuracy" in feilun("report", project).stdout.lower()
    assert spoken("data", "show", project)[0]["dataset_id"] == turned["dataset_id"]

    model_id = turned["model_id"]
    assert [row["model_id"] for row in spoken("model", "list", project) if row["is_champion"]] == [model_id]
    assert spoken("model", "show", project)["model_id"] == model_id
    assert spoken("model", "verify", project)["n_files"] > 5
    exported = spoken("model", "export", project, "--out", tmp_path / "bank.tar.gz")
    with tarfile.open(exported["out"]) as archive:
        assert any(name.endswith("model.onnx") for name in archive.getnames())
    assert [row["action"] for row in spoken("release", "list", project)] == ["promote"]


def test_more_labels_a_better_model_and_the_way_back(project: Path, tmp_path: Path):
    first = spoken("turn", project, "--seed", 1)
    corrected = write(tmp_path / "corrected.csv", "traffic.csv")
    assert spoken("feedback", "import", corrected, project) == {"n_imported": len(rows("traffic.csv"))}
    second = spoken("turn", project, "--seed", 1)
    assert second["dataset_id"] != first["dataset_id"]
    assert second["metrics"]["accuracy"] >= first["metrics"]["accuracy"]
    log = spoken("release", "list", project)
    assert log[0]["action"] == ("promote" if second["released"] else "reject")

    # The gate may have called it chance; a person may promote it all the same, as it meets the goal.
    if not second["released"]:
        spoken("release", "promote", project, "--model", second["model_id"], "--actor", "Ops", "--yes")
    feilun("release", "rollback", project, exit_code=2)  # off a terminal, not without --yes
    back = spoken("release", "rollback", project, "--actor", "Ops", "--reason", "as a test", "--yes")
    assert (back["action"], back["model_id"], back["actor"]) == ("rollback", first["model_id"], "Ops")
    assert spoken("report", project)["model_id"] == first["model_id"]


def test_a_missed_goal_leaves_with_1_and_nothing_goes_live(project: Path):
    settle(project, ("at_least = 0.0", "at_least = 1.0"))
    turned = spoken("turn", project, exit_code=1)
    assert not turned["released"]
    assert [row["reason_code"] for row in spoken("release", "list", project)] == ["goal_missed"]
    refused = spoken("release", "promote", project, "--yes", exit_code=2)
    assert refused["error"]["code"] == "release.goal_not_met"
    over = spoken("release", "promote", project, "--override", "--reason", "pilot", "--actor", "Ops", "--yes")
    assert (over["reason_code"], over["actor"]) == ("override", "Ops")


def test_an_interrupted_turn_says_how_to_go_on_and_does(project: Path):
    command = [sys.executable, "-m", "feilun", "turn", str(project)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment()) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("train"):
                running.send_signal(signal.SIGINT)
                break
        said = running.stderr.read()
        assert running.wait(WITHIN_S) == 130
    assert f"feilun turn {project}" in said
    assert "Traceback" not in said
    [unfinished] = spoken("job", "list", project)
    assert unfinished["status"] == "running"
    finished = spoken("turn", project)
    assert (finished["turn_id"], finished["released"]) == (unfinished["turn_id"], True)
    steps = [event["data"]["step"] for event in _events(project) if event["kind"] == "step.done"]
    assert steps == ["data", "train", "compress", "evaluate", "seal", "release"]  # no finished step was done again


def _events(project: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in feilun("job", "events", project, "--json").stdout.splitlines()]
