#!/usr/bin/env python3
"""What a release is made of, and whether it may go out.

    python deploy/release.py            builds `dist/` and checks it: the command of `make release`
    python deploy/release.py --lock     writes requirements.lock anew, with today's versions

The wheel is built twice and must come out the same, byte for byte. requirements.lock must hold every package that a
server needs, each with checksums. What we depend on must come under a licence of licences.toml. Two bills of materials
(CycloneDX) are written beside the wheel: what a server installs, and what is inside the console's files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
ROOT, LOCK = HERE.parent, HERE / "requirements.lock"
USERS = ("adapt", "otel", "parquet", "scale", "search", "train")  # extras that users install
FIRST_LINE = "# What a server needs, with checksums: python deploy/release.py --lock writes it anew.\n"


class NotFit(Exception):
    """Why this may not be released."""


def main() -> int:
    """Build and check, or write the lock; 1 when something is not fit for release."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lock", action="store_true", help="write requirements.lock anew")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="(default: %(default)s)")
    options = parser.parse_args()
    try:
        if options.lock:
            write_lock()
            return 0
        check_lock()
        check_licences()
        options.out.mkdir(exist_ok=True)
        wheel = build_twice(options.out)
        write_bills(options.out, wheel.stem.split("-")[1])
    except NotFit as error:
        sys.stderr.write(f"Not fit for release: {error}\n")
        return 1
    for path in sorted(options.out.iterdir()):
        sys.stdout.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    return 0


# the lock


def write_lock() -> None:
    """The newest versions that fit together, for every platform, with the checksums of their files."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11", "--generate-hashes"]
    _run([*command, "--no-header", "--no-annotate", "--upgrade", "--quiet", "--output-file", str(LOCK)])
    LOCK.write_text(FIRST_LINE + LOCK.read_text("utf-8"), "utf-8")


def check_lock() -> None:
    """Every package that a server needs is in the lock in a version that will do, and every one has checksums.

    Raises:
        NotFit: one is missing, too old or without a checksum.
    """
    pinned: dict[str, str] = {}
    for block in LOCK.read_text("utf-8").replace("\\\n", " ").splitlines():
        if block.startswith("#"):
            continue
        said, *hashes = block.split(" --hash=")
        one = Requirement(said)
        if not hashes or not all(each.strip().startswith("sha256:") for each in hashes):
            raise NotFit(f"{one.name} has no checksum in {LOCK.name}; run: python deploy/release.py --lock")
        pinned[canonicalize_name(one.name)] = str(one.specifier).removeprefix("==")
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]:
        wanted = Requirement(line)
        version = pinned.get(canonicalize_name(wanted.name))
        if version is None or version not in wanted.specifier:
            raise NotFit(f"{LOCK.name} has {version or 'no version'} for {line}; run: python deploy/release.py --lock")


# licences


def check_licences() -> None:
    """Everything that a user may get by installing us, as far as it is installed here.

    Raises:
        NotFit: a package comes under a licence that nobody has looked at.
    """
    rules = tomllib.loads((HERE / "licences.toml").read_text("utf-8"))
    names = sorted(_closure("feilun", USERS))
    odd = [f"{name}: {licence_of(name)}" for name in names if not _is_allowed(name, rules)]
    gone = sorted(set(rules["named"]) - set(names))
    if odd:
        raise NotFit(f"read these licences, then name them in licences.toml: {', '.join(odd)}")
    if gone:
        raise NotFit(f"licences.toml names what is not used any more: {', '.join(gone)}")


def licence_of(name: str) -> str:
    """What a package says of its licence, as an expression where it has one."""
    said = metadata.metadata(name)
    classifiers = [one.rpartition("::")[2].strip() for one in said.get_all("Classifier") or [] if "License ::" in one]
    short = (said.get("License") or "").strip()
    return said.get("License-Expression") or (short if 0 < len(short) < 60 else "") or " OR ".join(classifiers)


def _is_allowed(name: str, rules: dict[str, object]) -> bool:
    allowed, spelt, named = (rules[part] for part in ("allowed", "spelt", "named"))
    assert isinstance(allowed, list) and isinstance(spelt, dict) and isinstance(named, dict)
    said = licence_of(name)
    said = spelt.get(said, said)
    choices = [choice.strip(" ()") for choice in said.split(" OR ")]
    parts = [[spelt.get(part, part) for part in choice.split(" AND ")] for choice in choices]
    return name in named or any(all(part in allowed for part in choice) for choice in parts)


def _closure(name: str, extras: tuple[str, ...]) -> set[str]:
    """`name` and all that it brings, by what is installed here."""
    seen: dict[str, set[str]] = {}
    todo = [(canonicalize_name(name), {"", *extras})]
    while todo:
        one, wanted = todo.pop()
        if wanted <= seen.setdefault(one, set()):
            continue
        seen[one] |= wanted
        for need in _needs(one, wanted):
            todo.append((canonicalize_name(need.name), {"", *need.extras}))
    return set(seen)


def _needs(name: str, extras: set[str]) -> Iterator[Requirement]:
    for line in metadata.requires(name) or []:
        need = Requirement(line)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
            yield need


# files


def build_twice(out: Path) -> Path:
    """The wheel in `out`; a second one, from another folder, is the same.

    Raises:
        NotFit: the two differ, or the console is not inside.
    """
    if not (ROOT / "src/feilun/console/static/index.html").is_file():
        raise NotFit("the console is not built; run: make console")
    wheel = _build(ROOT, out)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "elsewhere"
        parts = ("pyproject.toml", "README.md", "LICENSE", "src")
        copy.mkdir()
        for part in parts:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / part)
        again = _build(copy, Path(scratch))
        if again.read_bytes() != wheel.read_bytes():
            raise NotFit(f"{wheel.name} comes out differently when it is built again")
    return wheel


def _build(source: Path, out: Path) -> Path:
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)])
    return max(out.glob("feilun-*.whl"), key=lambda path: path.stat().st_mtime)


def write_bills(out: Path, version: str) -> None:
    """Bills of materials of the server and of the console; the tools check them against CycloneDX's own schema.

    Raises:
        NotFit: one of them lists nothing.
    """
    server, console = out / f"feilun-{version}.server.cdx.json", out / f"feilun-{version}.console.cdx.json"
    tool = [sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible", "--validate"]
    _run([*tool, "--pyproject", "pyproject.toml", "--output-file", str(server), str(LOCK)])
    npm = ["npm", "sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only"]
    console.write_text(_run(npm, folder=ROOT / "web"), "utf-8")
    for path in (server, console):
        if not json.loads(path.read_text("utf-8")).get("components"):
            raise NotFit(f"{path.name} lists nothing")


def _run(command: list[str], *, folder: Path = ROOT) -> str:
    """What a tool wrote; tools of the environment that this runs in come first.

    Raises:
        NotFit: it failed.
    """
    here = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=here, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotFit(f"{' '.join(command[:4])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
