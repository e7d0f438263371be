"""Files that people handed over and that nothing has been made of yet; each in a folder named by the server."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from feilun.disk import write_whole
from feilun.project.errors import TooManyUploads, UploadUnknown
from feilun.store import utc_now

FOLDER, CARD = "uploads", "card.json"
KEPT_FOR = timedelta(hours=24)
MOST_WAITING = 20  # of one tenant
SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson", ".xlsx", ".parquet")
_ID = re.compile(r"up_[0-9a-f]{24}")
MAX_NAME = 120


@dataclass(frozen=True)
class Upload:
    """A file that waits. `name` is what its owner calls it, for people alone; `path` is where it lies."""

    upload_id: str
    name: str
    tenant: str
    size: int
    created_at: datetime
    path: Path


class Uploads:
    """The files that wait in one workspace. What nobody came back for within a day is removed by the next one."""

    def __init__(self, workspace: Path) -> None:
        self._folder = workspace / FOLDER

    def begin(self, name: str, *, tenant: str) -> Upload:
        """Make room for a file; it may be written to `path`, and then be told with `finish`.

        Args:
            name: as its owner calls it. Only a known ending of it has a meaning; no path is ever made of it.
        Raises:
            TooManyUploads: the tenant has as many that wait as it may.
        """
        self._sweep()
        n_waiting = sum(1 for _ in self.waiting(tenant=tenant))
        if n_waiting >= MOST_WAITING:
            raise TooManyUploads(n_waiting=n_waiting)
        upload_id = f"up_{secrets.token_hex(12)}"
        folder = self._folder / upload_id
        folder.mkdir(parents=True)
        return Upload(upload_id, _shown(name), tenant, 0, utc_now(), folder / f"data{_suffix(name)}")

    def finish(self, upload: Upload) -> Upload:
        """Keep a file that is written whole."""
        done = Upload(**{**asdict(upload), "size": upload.path.stat().st_size})
        card = asdict(done) | {"path": done.path.name, "created_at": done.created_at.isoformat()}
        write_whole(done.path.parent / CARD, json.dumps(card, ensure_ascii=False))
        return done

    def get(self, upload_id: str, *, tenant: str | None = None) -> Upload:
        """A file that waits; `tenant` None sees those of every tenant.

        Raises:
            UploadUnknown: there is none of that id in sight, perhaps because a day has passed.
        """
        found = self._read(self._folder / upload_id) if _ID.fullmatch(upload_id) else None
        if found is None or tenant not in (None, found.tenant):
            raise UploadUnknown(upload_id=upload_id[:64])
        return found

    def remove(self, upload: Upload) -> None:
        """It was used, or is not wanted."""
        shutil.rmtree(upload.path.parent, ignore_errors=True)

    def waiting(self, *, tenant: str) -> Iterator[Upload]:
        """Those of a tenant, in no order."""
        for folder in self._folder.glob("up_*"):
            found = self._read(folder)
            if found is not None and found.tenant == tenant:
                yield found

    def _sweep(self) -> None:
        oldest = (utc_now() - KEPT_FOR).timestamp()
        for folder in self._folder.glob("up_*"):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _read(folder: Path) -> Upload | None:
        try:
            card = json.loads((folder / CARD).read_text("utf-8"))
        except (OSError, ValueError):
            return None  # still being written
        times = {"created_at": datetime.fromisoformat(card["created_at"])}
        return Upload(**{**card, **times, "path": folder / card["path"]})


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name.lower()).suffix
    return suffix if suffix in SUFFIXES else ".csv"  # what it is, its content tells


def _shown(name: str) -> str:
    """The last part of a name, as far as it can be printed."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:MAX_NAME] or "file"
