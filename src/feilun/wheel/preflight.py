"""`python -m feilun.wheel.preflight FOLDER BUDGET_S`: what a turn would take, found out in a process of its own.

The trial needs torch and as much memory as training does; the server that asked keeps neither.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from feilun.errors import FeilunError
from feilun.process import child_environment
from feilun.records import Preflight
from feilun.store import Store
from feilun.wheel.errors import PreflightBroken, TurnFailed, told


def look_ahead(folder: Path, *, budget_s: float) -> Preflight:
    """What a turn on the data as they are now would take; nothing is written.

    Raises:
        TurnFailed: a mistake that would stop the turn too, with its code and words.
        PreflightBroken: the process died.
    """
    done = subprocess.run(
        [sys.executable, "-m", "feilun.wheel.preflight", str(folder), str(budget_s)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=child_environment(),
        check=False,
    )
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise PreflightBroken(status=done.returncode, what=last[-1] if last else "") from error
    if "error" in answer:
        raise TurnFailed(answer["error"])
    return Preflight.model_validate(answer)


def main(folder: Path, budget_s: float) -> None:
    """Print the record, or the mistake, as one line of JSON."""
    try:
        print(_look(folder, budget_s).model_dump_json())  # noqa: T201
    except FeilunError as error:
        print(json.dumps({"error": told(error)}))  # noqa: T201


def _look(folder: Path, budget_s: float) -> Preflight:
    from feilun.config import load_settings
    from feilun.data import build_dataset, read_snapshot
    from feilun.feedback import corrections
    from feilun.models import resolve
    from feilun.store import find_workspace
    from feilun.tasks import get_task
    from feilun.train import preflight

    settings = load_settings(folder)
    task, project = get_task(settings.task), settings.project.name
    backbone = resolve(settings.backbone.model, language=settings.project.language)
    with Store(find_workspace(folder), url=settings.store.url) as store:
        last = store.find_last_turn(project)
        previous = read_snapshot(store.dataset_path(last["dataset_id"])) if last else None
        known = corrections(store, project, task=task)
    dataset, _ = build_dataset(folder, settings, task=task, corrections=known, previous=previous)
    with tempfile.TemporaryDirectory() as aside:
        return preflight(dataset, backbone, settings, task=task, budget_s=budget_s, workdir=Path(aside))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
