"""What is wrong with a workspace and with this machine; nothing is changed, nothing needs to be in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from sqlalchemy import URL, Connection

from feilun.config import FeilunSettings, load_settings
from feilun.errors import FeilunError
from feilun.models.bundle import verify_bundle
from feilun.network.machine import disk_left_mb, memory_left_mb
from feilun.operate.findings import Finding
from feilun.store import find_workspace
from feilun.store.audit import read_chain
from feilun.store.contents import Contents, opened_file, read_contents
from feilun.store.copies import check_integrity
from feilun.store.database import SCHEMA_HEAD, looked_into, parse_url
from feilun.store.kept_head import KeptHead
from feilun.store.marks import read_database_id, read_mark
from feilun.store.postgres import waits_for_the_disk
from feilun.store.signing import KeyFile
from feilun.trust import check_chain, describe

SOUND_SQLITE = (3, 51, 3)  # the first release without the WAL-reset bug, see `feilun.store.database`
DISK_TIGHT_MB, DISK_FULL_MB = 2000.0, 200.0  # a turn wants the first; below the second a busy day fills the disk
MEMORY_TIGHT_MB = 600.0  # a process of ours with torch, before it holds anything
MOST_NAMES = 5
LEFTOVERS = ("*.partial", "models/.incoming-*", "models/.damaged-*", "datasets/*.partial", "networks/*.partial")
EXTRAS = {
    "train": (("torch", "cleanlab"), "training of the network itself", "网络训练"),
    "search": (("optuna",), "search for better settings", "超参搜索"),
    "adapt": (("peft",), "adapters (LoRA)", "适配器（LoRA）"),
    "scale": (("ray",), "search on Ray Tune", "在 Ray Tune 上搜索"),
    "parquet": (("pyarrow",), "Parquet files", "Parquet 文件"),
    "otel": (("opentelemetry.sdk", "opentelemetry.exporter"), "OpenTelemetry traces", "OpenTelemetry 链路追踪"),
}


@dataclass(frozen=True)
class _Patient:
    """What the checks look at; `contents` is there when the database can be read."""

    workspace: Path
    settings: FeilunSettings | None
    contents: Contents | None

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection to its database, which changes nothing."""
        url = parse_url(self.settings.store.url) if self.settings and self.settings.store.url else None
        if url is not None and url.drivername != "sqlite":
            with looked_into(url, where=str(self.workspace)) as connection:
                yield connection
        else:
            with opened_file(Path(str(url.database)) if url else self.workspace / "feilun.db") as connection:
                yield connection


def examine(folder: Path) -> tuple[Finding, ...]:
    """Every finding about the project in `folder`, its workspace and this machine, in the order of the checks."""
    folder = Path(folder).resolve()
    return examine_workspace(find_workspace(folder), [folder])


def examine_workspace(workspace: Path, folders: Sequence[Path]) -> tuple[Finding, ...]:
    """As `examine`, of a workspace with the projects in `folders`, of which there may be none yet."""
    findings, read = [], []
    for folder in folders:
        settings, finding = _read_settings(folder)
        findings.append(finding)
        read += [] if settings is None else [settings]
    first = read[0] if read else None
    findings += _sqlite()
    found, contents = _database(workspace, first)
    findings += found
    patient = _Patient(workspace, first, contents)
    for check in CHECKS:
        findings += check(patient)
    return tuple(findings)


def _read_settings(folder: Path) -> tuple[FeilunSettings | None, Finding]:
    try:
        settings = load_settings(folder)
    except FeilunError as error:
        words = {f"mistake_{lang}": error.message(lang) for lang in ("en", "zh")}
        return None, _problem("settings.broken", **words)
    return settings, _ok("settings.whole", project=settings.project.name)


def _ok(code: str, **fields: object) -> Finding:
    return Finding(code=code, level="ok", fields=fields)


def _notice(code: str, **fields: object) -> Finding:
    return Finding(code=code, level="notice", fields=fields)


def _problem(code: str, **fields: object) -> Finding:
    return Finding(code=code, level="problem", fields=fields)


def _sqlite() -> Iterator[Finding]:
    import pysqlite3

    sound = tuple(pysqlite3.sqlite_version_info) >= SOUND_SQLITE
    version = pysqlite3.sqlite_version
    yield _ok("sqlite.sound", version=version) if sound else _problem("sqlite.unsound", version=version)


def _database(workspace: Path, settings: FeilunSettings | None) -> tuple[list[Finding], Contents | None]:
    url = settings.store.url if settings else ""
    if not url:
        return _in_file(workspace / "feilun.db")
    try:
        parsed = parse_url(url)
        is_file = parsed.drivername == "sqlite"
        return _in_file(Path(str(parsed.database))) if is_file else _on_server(parsed, workspace)
    except FeilunError as error:
        words = {f"mistake_{lang}": error.message(lang) for lang in ("en", "zh")}
        return [_problem("database.silent", **words)], None


def _in_file(path: Path) -> tuple[list[Finding], Contents | None]:
    if not path.is_file():
        return [_notice("database.none", workspace=str(path.parent))], None
    detail = check_integrity(path)
    if detail != "ok":
        return [_problem("database.damaged", path=str(path), detail=detail)], None
    with opened_file(path) as connection:
        contents = read_contents(connection)
    return [_ok("database.whole"), *_schema(contents)], contents


def _on_server(url: URL, workspace: Path) -> tuple[list[Finding], Contents | None]:
    """A PostgreSQL database: nothing is made in it, and nothing in the workspace.

    Raises:
        StoreUnavailable: it does not answer.
    """
    with looked_into(url, where=str(workspace)) as connection:
        contents = read_contents(connection)
        is_safe = waits_for_the_disk(connection)
        database_id = "" if contents is None else read_database_id(connection)
    findings = [_ok("database.answers") if is_safe else _problem("database.unsafe"), *_schema(contents)]
    if database_id:
        fields = {"workspace": str(workspace), "database_id": database_id}
        is_ours = read_mark(workspace) == database_id
        findings.append(_ok("folder.shared", **fields) if is_ours else _problem("folder.another", **fields))
    return findings, contents


def _schema(contents: Contents | None) -> Iterator[Finding]:
    if contents is None:
        yield _notice("schema.none")
        return
    version = {"version": contents.schema, "known": SCHEMA_HEAD}
    if contents.schema == SCHEMA_HEAD:
        yield _ok("schema.current", **version)
    elif contents.schema < SCHEMA_HEAD:
        yield _notice("schema.old", **version)
    else:
        yield _problem("schema.new", **version)


def _models(patient: _Patient) -> Iterator[Finding]:
    if patient.contents is None:
        return
    model_ids = sorted({*patient.contents.model_ids, *patient.contents.champions})
    whole = True
    for model_id in model_ids:
        try:
            verify_bundle(patient.workspace / "models" / model_id)
        except FeilunError as error:
            whole = False
            code = "models.champion_damaged" if model_id in patient.contents.champions else "models.damaged"
            yield _problem(code, model_id=model_id, mistake_en=error.message("en"), mistake_zh=error.message("zh"))
    if whole:
        yield _ok("models.whole", n_models=len(model_ids))


def _datasets(patient: _Patient) -> Iterator[Finding]:
    if patient.contents is None:
        return
    ids = patient.contents.dataset_ids
    missing = [one for one in ids if not (patient.workspace / "datasets" / f"{one}.jsonl").is_file()]
    if missing:
        yield _problem("datasets.missing", names=_some(missing))
    else:
        yield _ok("datasets.whole", n_datasets=len(ids))


def _leftovers(patient: _Patient) -> Iterator[Finding]:
    found = [path for pattern in LEFTOVERS for path in sorted(patient.workspace.glob(pattern))]
    if patient.contents is not None:
        turns = sorted((patient.workspace / "turns").glob("*"))
        found += [path for path in turns if path.name not in patient.contents.running_turns]
    if found:
        names = _some([str(path.relative_to(patient.workspace)) for path in found])
        yield _notice("leftovers.some", n_paths=len(found), names=names)
    else:
        yield _ok("leftovers.none")


def _room(patient: _Patient) -> Iterator[Finding]:
    disk = disk_left_mb(patient.workspace)
    fields = {"left_mb": round(disk), "workspace": str(patient.workspace)}
    if disk < DISK_FULL_MB:
        yield _problem("disk.full", **fields)
    else:
        yield _notice("disk.tight", **fields) if disk < DISK_TIGHT_MB else _ok("disk.ample", **fields)
    memory = memory_left_mb()
    if math.isfinite(memory):
        left_mb = round(memory)
        tight = memory < MEMORY_TIGHT_MB
        yield _notice("memory.tight", left_mb=left_mb) if tight else _ok("memory.ample", left_mb=left_mb)


def _keys(patient: _Patient) -> Iterator[Finding]:
    if patient.contents is None:
        return
    living = patient.contents.living_keys
    forever = [key_id for key_id, expires_at in living if expires_at is None]
    host = patient.settings.serve.host if patient.settings else "127.0.0.1"
    if not living and not is_loopback(host):
        yield _notice("keys.none", host=host)
    if forever:
        yield _notice("keys.forever", n_keys=len(forever), names=_some(forever))
    elif living:
        yield _ok("keys.expire", n_keys=len(living))


def _audit(patient: _Patient) -> Iterator[Finding]:
    if patient.contents is None or patient.contents.schema != SCHEMA_HEAD:
        return
    key_file, kept = KeyFile(patient.workspace), [KeptHead(patient.workspace).read()]
    with patient.connected() as connection:
        entries, end, signature = read_chain(connection)
        verdict = check_chain(entries, end=end, signature=signature, keys=key_file.candidates(), kept=kept)
    if verdict.is_whole:
        yield _ok("audit.whole", n_entries=verdict.n_entries)
    else:
        told = {f"mistake_{lang}": describe(verdict.faults[0], lang) for lang in ("en", "zh")}
        yield _problem("audit.broken", n_faults=verdict.n_faults, **told)
    if key_file.is_in_use and key_file.path.stat().st_mode & 0o077:
        yield _problem("audit.key_open", path=str(key_file.path))


def _server(patient: _Patient) -> Iterator[Finding]:
    if patient.settings is None:
        return
    serve = patient.settings.serve
    if is_loopback(serve.host):
        yield _ok("server.local")
    elif serve.require_key:
        yield _ok("server.guarded", host=serve.host)
    else:
        yield _problem("server.open", host=serve.host)


def _extras(_: _Patient) -> Iterator[Finding]:
    for extra, (modules, use_en, use_zh) in EXTRAS.items():
        missing = [name for name in modules if not _is_installed(name)]
        if missing:
            yield _notice("extra.absent", extra=extra, missing=", ".join(missing), use_en=use_en, use_zh=use_zh)
        else:
            yield _ok("extra.here", extra=extra)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False


CHECKS: tuple[Callable[[_Patient], Iterator[Finding]], ...] = (
    _models,
    _datasets,
    _leftovers,
    _room,
    _keys,
    _audit,
    _server,
    _extras,
)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _some(names: list[str]) -> str:
    """The first few names."""
    return ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")
