"""Store: every row a workspace keeps, as verbs. Each verb is one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from feilun.store.alerts import AlertVerbs
from feilun.store.audit import AuditVerbs
from feilun.store.challenges import ChallengeVerbs
from feilun.store.claims import ClaimVerbs
from feilun.store.compressions import CompressionVerbs
from feilun.store.database import migrate, open_engine, parse_url
from feilun.store.errors import NotFound
from feilun.store.faults import explained
from feilun.store.holds import HoldVerbs
from feilun.store.keys import KeyVerbs
from feilun.store.leases import Lease
from feilun.store.ledger import Ledger
from feilun.store.limits import LimitVerbs
from feilun.store.marks import mark_folder
from feilun.store.monitor import MonitorVerbs
from feilun.store.outcomes import OutcomeVerbs
from feilun.store.releases import ReleaseVerbs
from feilun.store.sessions import SessionVerbs
from feilun.store.tenants import TenantVerbs
from feilun.store.traffic import TrafficVerbs
from feilun.store.turns import TurnVerbs
from feilun.store.writer import Writer

WORKSPACE_NAME = ".feilun"
_FOLDERS = ("datasets", "models", "networks", "judged", "turns", "locks", "logs")


def find_workspace(folder: Path) -> Path:
    """The workspace of a project: the nearest `.feilun` in `folder` or above it, else one of its own.

    Several projects share one workspace when a folder above them holds `.feilun`.
    """
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / WORKSPACE_NAME).is_dir():
            return candidate / WORKSPACE_NAME
    return folder / WORKSPACE_NAME


class Store(
    TenantVerbs,
    TurnVerbs,
    CompressionVerbs,
    ReleaseVerbs,
    TrafficVerbs,
    ChallengeVerbs,
    ClaimVerbs,
    OutcomeVerbs,
    MonitorVerbs,
    AlertVerbs,
    KeyVerbs,
    SessionVerbs,
    LimitVerbs,
    AuditVerbs,
    HoldVerbs,
):
    """One workspace: a database, and the folders for datasets, models and turns in progress.

    May be used from any thread. What a writing verb returned survives `kill -9`; reads see every commit. Several
    processes may open one workspace; on PostgreSQL also from several machines, which then share the folders.

    Raises:
        StoreUrlInvalid, StoreUnavailable, StoreTooNew: the database cannot be opened; by any verb StoreUnavailable,
            when it does not answer, and by writing ones StoreFull and StoreBroken.
    """

    def __init__(self, workspace: Path, *, url: str = "") -> None:
        self.workspace = Path(workspace)
        for name in _FOLDERS:
            (self.workspace / name).mkdir(parents=True, exist_ok=True)
        self.url = self._whole(url).render_as_string(hide_password=False)
        self.engine = open_engine(self._whole(url))
        # For what may be lost in a power cut; connects when asked.
        self.hasty_engine = open_engine(self._whole(url), is_hasty=True)
        self._leases: list[Lease] = []
        try:
            with explained(str(self.workspace)):
                migrate(self.engine, where=str(self.workspace))
                mark_folder(self.engine, self.workspace)
        except BaseException:
            self.engine.dispose()
            self.hasty_engine.dispose()
            raise
        self.ledger = Ledger(self.workspace)
        self.writer = Writer(self.engine, ledger=self.ledger, path=str(self.workspace))

    @property
    def is_writing(self) -> bool:
        """False after a disk error: reads go on, writes are refused until a restart."""
        return not self.writer.is_broken

    def close(self) -> None:
        """Commit what is waiting and let go of the database."""
        self.writer.close()
        self.engine.dispose()
        self.hasty_engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_behind(self, url: str) -> bool:
        """Whether a feilun.toml with this [store] url means this database."""
        return self._whole(url) == self.engine.url

    def _whole(self, url: str) -> sa.URL:
        return parse_url(url) if url else sa.URL.create("sqlite", database=str(self.workspace / "feilun.db"))

    def database_bytes(self) -> int:
        """How large the database is, with its indexes."""
        if self.is_postgres:
            size = sa.select(sa.func.pg_database_size(sa.func.current_database()).label("size"))
        else:
            size = sa.select((sa.column("page_count") * sa.column("page_size")).label("size")).select_from(
                sa.text("pragma_page_count(), pragma_page_size()")
            )
        (row,) = self._list(size)
        return int(row["size"])

    # folders

    def dataset_path(self, dataset_id: str) -> Path:
        return self.workspace / "datasets" / f"{dataset_id}.jsonl"

    @property
    def models_dir(self) -> Path:
        return self.workspace / "models"

    def model_path(self, model_id: str) -> Path:
        return self.models_dir / model_id

    def network_path(self, model_id: str) -> Path:
        """Where the float network behind a model is kept while it is one of the latest, see `wheel.networks`."""
        return self.workspace / "networks" / model_id

    def judged_path(self, model_id: str) -> Path:
        """What a model said of each holdout row, see `wheel.judged`."""
        return self.workspace / "judged" / f"{model_id}.safetensors"

    def turn_path(self, turn_id: str) -> Path:
        return self.workspace / "turns" / turn_id

    def lock_path(self, name: str) -> Path:
        return self.workspace / "locks" / f"{name}.lock"

    # reading, for the verbs

    def _list(self, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> list[dict[str, Any]]:
        with (
            explained(str(self.workspace)),
            self.engine.connect().execution_options(feilun_readonly=True) as connection,
        ):
            found = connection.execute(query)
            names = tuple(found.keys())  # by way of SQLAlchemy's mappings it takes twice as long
            return [dict(zip(names, row, strict=True)) for row in found.all()]

    def _find(self, query: sa.Select[Any]) -> dict[str, Any] | None:
        rows = self._list(query.limit(1))
        return rows[0] if rows else None

    def _get(self, query: sa.Select[Any], what: str, ref: str) -> dict[str, Any]:
        row = self._find(query)
        if row is None:
            raise NotFound(what=what, ref=ref)
        return row
