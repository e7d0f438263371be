"""A turn that was running when a backup was made begins anew in the restored workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from feilun.project import Project
from feilun.records import Event

pytestmark = pytest.mark.journey


class Stop(Exception):
    """Raised in the middle of a turn."""


def test_a_turn_that_ran_during_the_backup_is_done_after_the_restore(tiny_project: Path, tmp_path: Path):
    archive = tmp_path / "b.zip"

    def copy_in_the_middle(event: Event) -> None:
        if event.kind == "step.start" and event.data["step"] == "train":
            with Project(tiny_project) as beside:
                beside.backup(archive)
                (left,) = beside.list_turns()
                assert left["status"] == "running"
            raise Stop

    with Project(tiny_project) as project:
        with pytest.raises(Stop):
            project.turn(on_event=copy_in_the_middle)
        project.cancel_turn()
    Project.restore(archive, tmp_path / "new")
    with Project(tmp_path / "new") as again:
        (left,) = again.list_turns()
        done = again.turn()
        assert (done.turn_id, again.store.find_champion("support")) == (left["turn_id"], done.model_id)
