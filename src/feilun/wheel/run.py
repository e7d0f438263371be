"""`python -m feilun.wheel.run FOLDER TURN_ID`: one turn in a process of its own.

Training in a child keeps a crash, an out-of-memory kill or a stray thread away from the server that answers
customers. The child dies with its parent, so a killed command leaves nothing running behind.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from feilun.process import die_with_parent


def main(folder: str, turn_id: str, parent: str) -> None:
    die_with_parent(int(parent))
    from feilun.config import load_settings
    from feilun.store import Store, find_workspace

    workspace = find_workspace(Path(folder))
    logging.basicConfig(
        filename=workspace / "logs" / f"{turn_id}.log",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    from feilun.wheel.workflow import run_turn

    with Store(workspace, url=load_settings(Path(folder)).store.url) as store:
        run_turn(store, folder=Path(folder), turn_id=turn_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
