"""Damage on the disk: a single bit of a model is enough to refuse it, and a spoilt page of the database is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feilun.models.bundle import BundleDamaged, verify_bundle
from feilun.operate import examine
from feilun.project import Project
from feilun.serve.engine import load_bundle
from tests.hardening.sizes import by_day_or_night

N_FLIPS, N_AT_THE_GATE = 200, 40
N_PAGES = by_day_or_night(20, 100)
MANIFEST = ("manifest.json", "manifest.sha256")


@contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    """One bit of a file is the other way round."""
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (whole,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([whole ^ 1 << bit % 8]))
        file.flush()
        yield
        file.seek(bit // 8)
        file.write(bytes([whole]))


def places(folder: Path, n: int) -> list[tuple[Path, int]]:
    """`n` bits of a bundle, as many of each file, wherever they fall."""
    rng, files = random.Random(20), sorted(folder.iterdir())
    chosen = [files[number % len(files)] for number in range(n)]
    return [(path, rng.randrange(8 * path.stat().st_size)) for path in chosen]


def test_two_hundred_of_two_hundred_flipped_bits_are_refused_by_name(bundle: Path) -> None:
    for path, bit in places(bundle, N_FLIPS):
        with flipped(path, bit):
            for door in (verify_bundle, load_bundle):
                with pytest.raises(BundleDamaged) as refused:
                    door(bundle)
                assert refused.value.fields["file"] == (path.name if path.name not in MANIFEST else MANIFEST[0])
    assert {path.name for path, _ in places(bundle, N_FLIPS)} == {path.name for path in bundle.iterdir()}
    assert load_bundle(bundle).labels


def test_a_cut_file_is_refused_wherever_it_ends(bundle: Path) -> None:
    rng = random.Random(20)
    for path in sorted(bundle.iterdir()):
        whole = path.read_bytes()
        for length in {0, len(whole) - 1, rng.randrange(len(whole))}:
            path.write_bytes(whole[:length])
            with pytest.raises(BundleDamaged):
                load_bundle(bundle)
        path.write_bytes(whole)
    assert verify_bundle(bundle)


def test_no_damaged_model_goes_live_and_the_champion_goes_on_answering(project: Project) -> None:
    champion = project.store.find_champion(project.name)
    (other,) = (row["model_id"] for row in project.list_models() if row["model_id"] != champion)
    question = "where is my parcel"
    before = project.predict([question])[0]
    for path, bit in places(project.store.model_path(other), N_AT_THE_GATE):
        with flipped(path, bit), pytest.raises(BundleDamaged):
            project.promote(other, actor="test", override=True, reason="under test")
    assert project.store.find_champion(project.name) == champion
    assert project.predict([question])[0].label == before.label


def test_a_champion_that_was_damaged_while_nobody_served_is_not_served(folder: Path, serve) -> None:
    with Project(folder) as project:
        champion = project.store.model_path(str(project.store.find_champion(project.name)))
        for path, bit in places(champion, 2):
            with flipped(path, bit):
                reply = serve(project).get("/ready")
                assert (reply.status_code, reply.json()["reasons"][0]["code"]) == (503, "bundle.damaged")


def test_a_spoilt_page_of_the_database_is_found_by_the_doctor(folder: Path) -> None:
    database, rng = folder / ".feilun/feilun.db", random.Random(20)
    assert not list(folder.glob(".feilun/feilun.db-wal"))  # closed whole, so that the file is all there is
    whole = database.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    pages = rng.sample(range(len(whole) // size), min(N_PAGES, len(whole) // size))
    for page in pages:
        spoilt = bytearray(whole)
        spoilt[page * size : (page + 1) * size] = rng.randbytes(size)
        database.write_bytes(spoilt)
        assert "database.damaged" in {finding.code for finding in examine(folder)}, page
    database.write_bytes(whole)
    assert "database.whole" in {finding.code for finding in examine(folder)}
