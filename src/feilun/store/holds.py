"""Who may turn a project: one process at a time, on one machine or on many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from filelock import FileLock, Timeout

from feilun.store.chain import Audit
from feilun.store.errors import ProjectBusy
from feilun.store.leases import Lease
from feilun.store.verbs import Verbs

T = TypeVar("T")


class HoldVerbs(Verbs):
    """The right to turn or compress a project, and writes that count only while it lasts."""

    _leases: list[Lease]

    def lock_path(self, name: str) -> Path:
        raise AssertionError("provided by Store")

    @contextmanager
    def alone(
        self, project: str, *, is_patient: bool = False, on_lost: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """One heavy job a project: a turn or a compression. Patient ones wait until they are alone.

        On SQLite this is a file lock, which the kernel lets go when the process dies, however it dies. On PostgreSQL it
        is a lease, which another machine may take over when its holder has been silent for `leases.DEAD_AFTER_S`.

        Args:
            on_lost: called, from another thread, when the lease was lost; the job must end.
        Raises:
            ProjectBusy: somebody else is at work, and we do not wait.
        """
        if not self.is_postgres:
            lock = FileLock(self.lock_path(f"turn-{project}"), timeout=-1 if is_patient else 0)
            try:
                lock.acquire()
            except Timeout as error:
                raise ProjectBusy(project=project) from error
            try:
                yield
            finally:
                lock.release()
            return
        lease = Lease(self.engine, self.writer, project, on_lost=on_lost)
        lease.take(is_patient=is_patient)
        self._leases.append(lease)
        try:
            yield
        finally:
            self._leases.remove(lease)
            lease.give_back()

    def check_alone(self) -> None:
        """Whether what this store holds is still its own, as far as can be told without asking the database.

        Raises:
            HoldLost: it is not.
        """
        for lease in self._leases:
            lease.check()

    def _write_alone(self, work: Callable[[sa.Connection], T], *, audit: Audit[T]) -> T:
        """Write what a turn or compression came to: refused when its lease was taken over meanwhile.

        A store that holds nothing writes without a check: anybody may cancel a turn.

        Args:
            audit: as for `Writer.submit`.

        Raises:
            HoldLost: nothing was written.
        """
        leases = tuple(self._leases)

        def checked(connection: sa.Connection) -> Any:
            for lease in leases:
                lease.check_in(connection)
            return work(connection)

        return self.writer.write(checked, audit=audit)
