"""`kill -9` in the middle of an upgrade: the workspace opens afterwards, upgraded, with every row that it had."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import feilun
from feilun.store import EVERYWHERE, Store, database
from feilun.store.copies import check_integrity
from tests.hardening.sizes import by_day_or_night

pytestmark = pytest.mark.journey
N_KILLS, UPGRADE_TAKES_S = by_day_or_night(5, 50), 0.3
FIRST = "0001"
UPGRADE = """
import sys
from pathlib import Path
from alembic import command
from feilun.store import Store
print("ready", flush=True)
Store(Path(sys.argv[1])).close()
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A workspace as the first schema had it, with a row."""
    (tmp_path / "old").mkdir()
    engine = database.open_engine(database.parse_url(f"sqlite:///{tmp_path / 'old/feilun.db'}"))
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST)
        connection.execute(
            sa.text("INSERT INTO projects VALUES ('support', '/somewhere', '2026-01-01T00:00:00+00:00')")
        )
    engine.dispose()
    return tmp_path / "old"


def test_an_upgrade_that_is_killed_is_done_by_the_next_start(old: Path, tmp_path: Path) -> None:
    rng = random.Random(20)
    environment = os.environ | {"PYTHONPATH": str(Path(feilun.__file__).parents[1])}
    for n in range(N_KILLS):
        workspace = Path(shutil.copytree(old, tmp_path / f"{n}"))
        child = subprocess.Popen(
            [sys.executable, "-c", UPGRADE, str(workspace)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, UPGRADE_TAKES_S))
        child.kill()
        child.communicate()
        with Store(workspace) as store:
            assert [row["project"] for row in store.list_projects(EVERYWHERE)] == ["support"]
            with store.engine.connect() as connection:
                version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        assert (version, check_integrity(workspace / "feilun.db")) == (database.SCHEMA_HEAD, "ok")
