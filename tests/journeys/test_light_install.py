"""The light install, without torch, in a virtual environment of its own: it serves, predicts and takes feedback."""

from __future__ import annotations

import csv
import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from feilun.project import Project

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "banking77"
CLASSES = ("card_arrival", "exchange_rate", "lost_or_stolen_card", "age_limit", "top_up_failed", "country_support")
INSTALL_WITHIN_S, ANSWER_WITHIN_S = 900, 60

pytestmark = [pytest.mark.journey, pytest.mark.backbone]


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of a fresh environment into which only the core was installed."""
    folder = tmp_path_factory.mktemp("light")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, timeout=INSTALL_WITHIN_S)
    python = folder / "venv" / "bin" / "python"
    source = _copy_of_the_source(folder / "source")
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", str(source)]
    subprocess.run(command, check=True, env=_environment(folder), timeout=INSTALL_WITHIN_S)
    return python


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A project with a live model, made by the full install, then carried to where only the core is."""
    made, carried = tmp_path / "made", tmp_path / "carried"
    (made / ".feilun").mkdir(parents=True)
    data = _write(tmp_path / "messages.csv", _rows("start.csv") + _rows("traffic.csv"))
    Project.init(made, data=data, holdout=_write(tmp_path / "judged.csv", _rows("holdout.csv")), name="bank").close()
    settings = (made / "feilun.toml").read_text("utf-8")
    head, tune = settings.split("\n[train.tune]\n")  # a linear head is enough here, and quick
    (made / "feilun.toml").write_text(head + "\n[train.tune]\n" + tune.replace("enabled = true", "enabled = false", 1))
    with Project(made) as project:
        assert project.turn(seed=0).released
    shutil.move(made, carried)
    return carried


def test_without_torch_a_bundle_is_verified_served_and_corrected(light: Path, workspace: Path, tmp_path: Path):
    environment = _environment(tmp_path)  # no backbone in its cache either: the bundle is all it needs
    missing = subprocess.run([str(light), "-c", "import torch"], check=False, capture_output=True, text=True)
    assert "ModuleNotFoundError: No module named 'torch'" in missing.stderr

    verified = _feilun(light, environment, "model", "verify", workspace, "--json")
    assert json.loads(verified)["n_files"] > 5

    unseen = _rows("unseen.csv")
    asked = _write(tmp_path / "asked.csv", unseen)
    _feilun(light, environment, "predict", asked, "--project", workspace, "--out", tmp_path / "answered.csv")
    with (tmp_path / "answered.csv").open(encoding="utf-8-sig", newline="") as file:
        answered = list(csv.DictReader(file))
    assert [row["text"] for row in answered] == [text for text, _ in unseen]
    assert sum(row["prediction"] == row["label"] for row in answered) > 0.8 * len(answered)
    assert {row["decision"] for row in answered} <= {"answer", "hand_over"}

    text = "The parrot has eaten my card."
    with _server(light, environment, workspace) as address:
        first = _post(address, "predictions", {"inputs": [{"text": text}]})["predictions"][0]
        right = next(label for label in CLASSES if label != first["label"])
        said = _post(address, "feedback", {"prediction_id": first["prediction_id"], "label": right}, key="k1")
        again = _post(address, "predictions", {"inputs": [{"text": text}]})["predictions"][0]
        replayed = _post(address, "feedback", {"prediction_id": first["prediction_id"], "label": right}, key="k1")
    assert (again["label"], again["decision"]) == (right, "answer")
    assert replayed["feedback_id"] == said["feedback_id"]
    kept = json.loads(_feilun(light, environment, "feedback", "list", workspace, "--json"))
    assert [(row["feedback_id"], row["labels"]) for row in kept] == [(said["feedback_id"], [right])]


def _copy_of_the_source(folder: Path) -> Path:
    """What a build needs, apart from this checkout, so that nothing is left behind in it."""
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return folder


def _environment(home: Path) -> dict[str, str]:
    """Ours, without anything that would let the light environment see the full one."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    return kept | {"FEILUN_HOME": str(home / "home"), "FEILUN_LANG": "en"}


def _rows(part: str) -> list[tuple[str, str]]:
    with (SAMPLE / part).open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file) if row["label"] in CLASSES]


def _write(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def _feilun(python: Path, environment: dict[str, str], *arguments: object) -> str:
    command = [str(python.parent / "feilun"), *(str(argument) for argument in arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _server(python: Path, environment: dict[str, str], folder: Path) -> Iterator[str]:
    command = [str(python.parent / "feilun"), "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            assert process.wait(ANSWER_WITHIN_S) == 0


def _post(address: str, verb: str, body: dict[str, Any], *, key: str = "") -> Any:
    connection = http.client.HTTPConnection(str(urlsplit(address).netloc), timeout=ANSWER_WITHIN_S)
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    connection.request("POST", f"/v1/projects/bank/{verb}", body=json.dumps(body), headers=headers)
    reply = connection.getresponse()
    told = json.loads(reply.read())
    connection.close()
    assert reply.status == http.client.OK, told
    return told
