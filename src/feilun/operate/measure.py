"""How much there is to back up, before anybody waits for it."""

from __future__ import annotations

from pathlib import Path

from feilun.config import CONFIG_NAME, load_settings
from feilun.errors import FeilunError
from feilun.store import Store
from feilun.store.contents import read_contents


def measure(store: Store) -> dict[str, int]:
    """Bytes of the database, the models, the datasets and the projects' own files; nothing is read through."""
    with store.one_moment() as connection:
        contents = read_contents(connection)
    assert contents is not None, "a store's database has tables"
    models = [store.model_path(one) for one in {*contents.model_ids, *contents.champions}]
    return {
        "database": store.database_bytes(),
        "models": sum(_bytes_in(path) for path in models) + sum(_bytes_of(store.judged_path(p.name)) for p in models),
        "datasets": sum(_bytes_of(store.dataset_path(one)) for one in contents.dataset_ids),
        "projects": sum(_own_files(Path(folder)) for _, folder in contents.projects),
    }


def _own_files(folder: Path) -> int:
    try:
        data = load_settings(folder).data
    except FeilunError:
        return 0  # left out of a backup too
    names = {source.path for source in (*data.sources, *([data.holdout] if data.holdout else []))}
    inside = [folder / name for name in names if (folder / name).resolve().is_relative_to(folder.resolve())]
    return sum(_bytes_of(path) for path in (folder / CONFIG_NAME, *inside))


def _bytes_in(folder: Path) -> int:
    return sum(_bytes_of(path) for path in folder.glob("*"))


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
