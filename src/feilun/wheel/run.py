"""`python -m feilun.wheel.run FOLDER PROJECT TURN_ID PARENT`: one turn in a process of its own.

Training in a child keeps a crash, an out-of-memory kill or a stray thread away from the server that answers
customers. The child dies with its parent, so a killed command leaves nothing running behind.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feilun.logs import JsonLines, place
from feilun.process import die_with_parent

if TYPE_CHECKING:
    from feilun.store import Store

log = logging.getLogger(__name__)


@contextmanager
def at_work(folder: Path, ref: str, *, parent: int) -> Iterator[Store]:
    """The store of a project for the work `ref`, in a process that dies with its parent and writes a log."""
    die_with_parent(parent)
    from feilun.config import load_settings
    from feilun.store import Store, find_workspace

    workspace = find_workspace(folder)
    handler = logging.FileHandler(workspace / "logs" / f"{ref}.log", encoding="utf-8")
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    sys.excepthook = _log_last
    with Store(workspace, url=load_settings(folder).store.url) as store:
        yield store


def _log_last(_kind: Any, error: BaseException, _frames: Any) -> None:
    """What ends this process, without the words that Python would print of it."""
    log.critical("stopped by %s", place(error))


def main(folder: str, project: str, turn_id: str, parent: str) -> None:
    with at_work(Path(folder), turn_id, parent=int(parent)) as store:
        from feilun.wheel.workflow import run_turn

        run_turn(store, folder=Path(folder), project=project, turn_id=turn_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
