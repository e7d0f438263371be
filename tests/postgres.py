"""A PostgreSQL of the tests' own: on a socket in a folder of its own, with fsync, gone when the tests are."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from feilun.process import die_with_parent

USER = "feilun"
START_WITHIN_S = 60
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")


def find_binaries() -> Path | None:
    """The folder of `initdb` and `postgres`, of the newest release that is installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    folders = [path for place in PLACES for path in Path("/").glob(place.lstrip("/")) if (path / "initdb").is_file()]
    return max(
        folders, key=lambda path: [int(part) for part in path.parent.name.split(".") if part.isdecimal()], default=None
    )


class Postgres:
    """A server that can be killed and started again; `take_database` gives the URL of an empty database."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="feilun-pg-"))  # short: a socket's path has 107 characters at most
        # PostgreSQL refuses to run as root; its package comes with a user for it.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._n_databases, self._free = 0, list[str]()
        self._process: subprocess.Popen[bytes] | None = None
        made = [
            "-D",
            str(self.folder / "data"),
            "-U",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        self._run("initdb", *made)
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        done = subprocess.run(command, user=self._user, cwd=self.folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        parent = os.getpid()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "fsync": "on",
            "full_page_writes": "on",
            "shared_buffers": "32MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", str(self.folder / "data"), *options],
                user=self._user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - a killed run leaves no server behind
            )
        until = time.monotonic() + START_WITHIN_S
        while True:
            try:
                self._administer("SELECT 1")
                return
            except sa.exc.OperationalError:
                assert self._process.poll() is None and time.monotonic() < until, self.told()
                time.sleep(0.05)

    def kill(self) -> None:
        """As a power cut would: no connection is ended in good order."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)  # "immediate shutdown"; SIGKILL would leave its children behind
        self._process.wait()

    def told(self) -> str:
        """The server's log."""
        return (self.folder / "server.log").read_text("utf-8", errors="replace")

    def take_database(self) -> str:
        """The URL of an empty database."""
        if self._free:
            return self._free.pop()
        self._n_databases += 1
        name = f"feilun_{self._n_databases}"
        self._administer(f"CREATE DATABASE {name}")
        return self._url(name)

    def give_back(self, url: str) -> None:
        """Empty a database for the next test: dropping it would have the disk keep everything first, for seconds."""
        name = sa.make_url(url).database
        self._administer(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
            f"ALTER DATABASE {name} RESET ALL",
        )
        schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'"
        drop = "EXECUTE 'DROP SCHEMA ' || quote_ident(name) || ' CASCADE'"
        self._administer(
            f"DO $$ DECLARE name text; BEGIN FOR name IN {schemas} LOOP {drop}; END LOOP; END $$",
            "CREATE SCHEMA public",
            at=name,
        )
        self._free.append(url)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def _administer(self, *statements: str, at: str | None = "postgres") -> None:
        url = sa.make_url(self._url(str(at))).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
