"""A project with a real store, and a way to run command lines in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from feilun.cli import main
from feilun.project import Project
from feilun.store import utc_now


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `feilun …` in this process, in English; stdin is no terminal, as under cron."""
    monkeypatch.setenv("FEILUN_LANG", "en")
    monkeypatch.delenv("FEILUN_DEBUG", raising=False)

    def go(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Outcome(int(left.value.code or 0), said.out, said.err)

    return go


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder with a minimal feilun.toml and an open workspace."""
    made = tmp_path / "support"
    (made / ".feilun").mkdir(parents=True)  # its own workspace, whatever lies above the temporary folder
    (made / "feilun.toml").write_text('[project]\nname = "support"\n', "utf-8")
    Project(made).close()
    return made


@pytest.fixture
def answered(folder: Path) -> list[str]:
    """Three answers on record; the second teaches most, the third is sure."""
    rows = [("p_1", 0.5, "open"), ("p_2", 0.9, "open"), ("p_3", 0.1, "sure")]
    with Project(folder) as project:
        project.store.add_predictions(
            [
                {
                    "prediction_id": prediction_id,
                    "project": "support",
                    "model_id": "m_1",
                    "inputs": {"text": f"message {prediction_id}"},
                    "example_id": f"e_{prediction_id}",
                    "labels": ["refund"],
                    "confidence": 1 - teach,
                    "decision": "hand_over" if state == "open" else "answer",
                    "reason": "unsure" if state == "open" else "confident",
                    "alternatives": [["refund", 1 - teach]],
                    "teach": teach,
                    "queue_state": state,
                    "latency_ms": 2.0,
                    "created_at": utc_now(),
                }
                for prediction_id, teach, state in rows
            ]
        ).result()
    return [prediction_id for prediction_id, _, _ in rows]
