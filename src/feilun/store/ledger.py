"""Appending to the audit chain, inside the transaction that makes the changes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import FEILUN, GENESIS, Change, Head, fingerprint, link, sign
from feilun.store.errors import AuditKeyMissing
from feilun.store.kept_head import KeptHead
from feilun.store.signing import KeyFile

log = logging.getLogger(__name__)


class Ledger:
    """Writes the entries of one workspace. Its methods are called by the writer's thread, in an open transaction."""

    def __init__(self, workspace: Path) -> None:
        self.key_file = KeyFile(workspace)
        self.kept_head = KeptHead(workspace)
        self._signed: Head | None = None  # in the transaction that is open

    def prepare(self, connection: sa.Connection) -> None:
        """Make sure that entries can be signed; the first change in a workspace makes the key.

        Raises:
            AuditKeyMissing: the chain was begun with a key that is gone.
        """
        if not self.key_file.load(may_make=False):
            is_first = _read_end(connection).place.seq == 0
            if not self.key_file.load(may_make=is_first):
                raise AuditKeyMissing(path=str(self.key_file.path))

    def append(self, connection: sa.Connection, changes: Sequence[Change]) -> None:
        """Add `changes` to the chain and sign its new head. Other processes wait until this transaction ends."""
        end = _read_end(connection)
        if end.last.seq == 0 and end.head.seq == 0 and not self.key_file.is_in_use:
            self._write(connection, [self._key_made("first", actor=FEILUN), *changes], after=end.head)
        else:
            self._write(connection, [*self._marks(connection, end), *changes], after=end.place)

    def change_key(self, connection: sa.Connection, *, why: str, actor: str) -> None:
        """Sign with a new key from here on; an entry says so. Without the old key, who signed before is not asked."""
        end = _read_end(connection)
        has_old_key = self.key_file.load(may_make=False)
        marks = self._marks(connection, end, by_signature=has_old_key)
        self.key_file.renew()
        self._write(connection, [*marks, self._key_made(why, actor=actor)], after=end.place)

    def committed(self) -> None:
        """The transaction is on disk. What cannot be kept in files now is made up for by the next one."""
        if self._signed is not None:
            try:
                self.key_file.committed()
                self.kept_head.write(self._signed)
            except OSError as error:
                log.warning("files of the audit log were not written: %s", error.strerror)
        self._signed = None

    def given_up(self) -> None:
        """The transaction was rolled back."""
        self.key_file.forget()
        self._signed = None

    def _marks(self, connection: sa.Connection, end: _End, *, by_signature: bool = True) -> list[Change]:
        """An entry that says that the chain's end is not what we left; empty when it is.

        Signing what follows would make a log that was cut look whole, so the chain itself has to say it.
        """
        is_ours = not by_signature or self.key_file.has_signed(end.head, end.signature)
        if end.last == end.head and is_ours and self._goes_on(connection, end.head):
            return []
        return [Change("audit.broken", str(end.head.seq), FEILUN, details={"last": end.last.seq})]

    def _goes_on(self, connection: sa.Connection, head: Head) -> bool:
        """Whether the head that was kept is this one, or an entry before it."""
        kept = self.kept_head.read()
        if kept is None or kept == head:
            return True
        query = sa.select(t.audit.c.hash).where(t.audit.c.seq == kept.seq)
        return bool(connection.execute(query).scalar() == kept.hash)

    def _write(self, connection: sa.Connection, changes: Sequence[Change], *, after: Head) -> None:
        at, head, rows = t.utc_now().isoformat(timespec="microseconds"), after, []
        for change in _with_tenants(connection, changes):
            rows.append(link(change, after=head, at=at))
            head = Head(rows[-1]["seq"], rows[-1]["hash"])
        connection.execute(t.audit.insert(), rows)
        signed = {"seq": head.seq, "hash": head.hash, "signature": sign(head, self.key_file.key)}
        if not connection.execute(t.audit_head.update().values(signed)).rowcount:
            connection.execute(t.audit_head.insert().values(signed))
        self._signed = head

    def _key_made(self, why: str, *, actor: str) -> Change:
        return Change("audit.key_made", fingerprint(self.key_file.key), actor, details={"why": why})


def _with_tenants(connection: sa.Connection, changes: Sequence[Change]) -> list[Change]:
    """The changes, those of projects with whoever owns the project."""
    wanted = {change.project for change in changes if change.project and not change.tenant}
    query = sa.select(t.projects.c.project, t.projects.c.tenant).where(t.projects.c.project.in_(wanted))
    owners = {row.project: row.tenant for row in connection.execute(query)} if wanted else {}
    return [replace(one, tenant=one.tenant or owners.get(one.project, "")) for one in changes]


@dataclass(frozen=True)
class _End:
    """Where the chain ends by its head, and by its last entry."""

    head: Head
    signature: str
    last: Head

    @property
    def place(self) -> Head:
        """Behind which the next entry comes: never at a place that is taken."""
        return Head(max(self.head.seq, self.last.seq), self.head.hash)


def _read_end(connection: sa.Connection) -> _End:
    """The end of the chain, which no other process moves before this transaction ends."""
    kept = connection.execute(sa.select(t.audit_head).with_for_update()).first()
    head, signature = (Head(kept.seq, kept.hash), kept.signature) if kept else (Head(0, GENESIS), "")
    query = sa.select(t.audit.c.seq, t.audit.c.hash).order_by(t.audit.c.seq.desc()).limit(1)
    last = connection.execute(query).first()
    return _End(head, signature, Head(last.seq, last.hash) if last else Head(0, GENESIS))
