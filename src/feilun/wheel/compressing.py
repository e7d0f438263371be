"""Compressions that were asked for over HTTP: left in the store, taken up by the server's worker, one process each.

`python -m feilun.wheel.compressing FOLDER PROJECT COMPRESSION_ID PARENT` is that process. What it makes it makes
at the end, so one that was killed begins anew.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from feilun.config import FeilunSettings, load_settings
from feilun.errors import FeilunError
from feilun.logs import place
from feilun.records import CompressWish
from feilun.store import Store
from feilun.wheel.errors import CompressionStopped, CompressionUnfinished, told
from feilun.wheel.follow import MAX_CRASHES, how, log_path, spawn
from feilun.wheel.networks import find_network
from feilun.wheel.run import at_work
from feilun.wheel.shrink import alone, choose_students, shrink_alone

log = logging.getLogger(__name__)


def request_compression(
    store: Store, *, project: str, model_id: str, settings: FeilunSettings, wish: CompressWish, actor: str
) -> dict[str, Any]:
    """Ask for smaller forms of a model; the row that tells how far it is.

    Raises:
        NetworkGone: the model's float network is kept no more.
        TooManyLayers, WidthNotSmaller, TorchMissing: the students asked for cannot be made.
        CompressionUnfinished: another one of the project waits or runs.
    """
    from feilun.compress import shape_of
    from feilun.models import resolve
    from feilun.train import load_result

    result = load_result(find_network(store, project=project, model_id=model_id))
    backbone = resolve(settings.backbone.model, language=settings.project.language)
    choose_students(wish, of=shape_of(result, backbone))
    asked = wish.model_dump(mode="json")
    row = store.add_compression(project, model_id=model_id, asked=asked, requested_by=actor)
    if row is None:
        other = store.find_open_compression(project)
        raise CompressionUnfinished(compression_id=other["compression_id"] if other else "-")
    return row


def follow_compression(store: Store, *, folder: Path, project: str, compression_id: str) -> None:
    """Run it in a child process and wait for the end; one that dies too often is closed as failed."""
    child = spawn(store, compression_id, folder=folder, project=project, module="feilun.wheel.compressing")
    status = child.wait()
    if store.get_compression(project, compression_id)["finished_at"] is not None:
        return
    if store.add_compression_crash(project, compression_id) >= MAX_CRASHES:
        _stop(store, project, compression_id, how(status))


def _stop(store: Store, project: str, compression_id: str, what: str) -> None:
    where = str(log_path(store, compression_id))
    error = CompressionStopped(compression_id=compression_id, how=what, log=where)
    store.finish_compression(project, compression_id, error=told(error))


def main(folder: Path, project: str, compression_id: str, parent: int) -> None:
    """Wait for the project, make the forms, and leave in the store what came of it."""
    with at_work(folder, compression_id, parent=parent) as store:
        row = store.get_compression(project, compression_id)

        def tell(kind: str, data: dict[str, Any]) -> None:
            store.add_event(project, kind=kind, data=data, turn_id=compression_id)

        with alone(store, project, is_patient=True):
            if not store.start_compression(project, compression_id):
                return  # another worker's process was faster
            try:
                made = shrink_alone(
                    store,
                    folder=folder,
                    project=project,
                    model_id=row["model_id"],
                    settings=load_settings(folder),
                    wish=CompressWish.model_validate(row["asked"]),
                    actor=row["requested_by"],
                    on_event=tell,
                )
            except FeilunError as error:
                store.finish_compression(project, compression_id, error=told(error))
            except Exception as error:
                log.error("%s: %s", compression_id, place(error))
                _stop(store, project, compression_id, type(error).__name__)
            else:
                store.finish_compression(project, compression_id, result=made.model_dump(mode="json"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
