"""What a backbone may be called, and what is wanted when it is called so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from feilun.models.catalog import Entry, Source, Variant, Wheel, catalog, default_alias, find_by_repo
from feilun.models.errors import UnknownModel

_REPO = re.compile(r"^(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?$", re.ASCII)
_PIP = re.compile(r"^(?P<dist>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!+-]+)(#(?P<member>[\w./-]+))?$", re.ASCII)
_MAIN = {"hf": "main", "ms": "master"}


@dataclass(frozen=True)
class Offer:
    """One way to get one variant."""

    variant: Variant
    source: Source


@dataclass(frozen=True)
class Wanted:
    """A backbone as asked for: `key` is its one spelling, `entry` what the catalogue (or its own files) says of it."""

    key: str
    entry: Entry
    offers: tuple[Offer, ...]
    is_catalogued: bool

    def by_kind(self, kind: str) -> list[Offer]:
        return [offer for offer in self.offers if offer.source.kind == kind]


def parse_spec(spec: str, *, language: str = "en") -> Wanted:
    """What `spec` means: an alias, hf:org/name@rev, ms:org/name@rev, dir:/path, pip:dist==version#member, org/name.

    An empty spec is the default of `language`.

    Raises:
        UnknownModel: none of these.
    """
    spec = spec.strip() or default_alias(language)
    entry = catalog().get(spec)
    if entry is not None:
        offers = tuple(Offer(variant, source) for variant in entry.variant for source in variant.source)
        return Wanted(spec, entry, offers, is_catalogued=True)
    scheme, colon, rest = spec.partition(":")
    if not colon and _REPO.match(spec):
        scheme, rest = "hf", spec
    wanted = None
    if scheme in _MAIN:
        wanted = _from_repo(scheme, rest)
    elif scheme == "pip":
        wanted = _from_pip(rest)
    elif scheme == "dir" and rest:
        wanted = _single(f"dir:{Path(rest).expanduser().resolve()}", Source(kind="dir", repo=rest))
    if wanted is None:
        nearest = get_close_matches(spec, catalog(), n=len(catalog()), cutoff=0.0)
        raise UnknownModel(spec=spec, known=", ".join(nearest))
    return wanted


def _from_repo(kind: str, rest: str) -> Wanted | None:
    match = _REPO.match(rest)
    if match is None:
        return None
    repo, revision = match["repo"], match["revision"]
    key = f"{kind}:{repo}" + (f"@{revision}" if revision else "")
    entry = find_by_repo(kind, repo)
    if entry is not None:
        offers = tuple(
            Offer(variant, source)
            for variant in entry.variant
            for source in variant.source
            if (source.kind, source.repo) == (kind, repo) and revision in (None, source.revision)
        )
        if offers:
            return Wanted(key, entry, offers, is_catalogued=True)
    source = Source(kind=kind, repo=repo, revision=revision or _MAIN[kind])  # type: ignore[arg-type]
    if entry is not None:  # another revision of a known model: its kind is known, its bytes are not
        variant = Variant(name="as published", source=(source,))
        return Wanted(key, entry, (Offer(variant, source),), is_catalogued=True)
    return _single(key, source)


def _from_pip(rest: str) -> Wanted | None:
    match = _PIP.match(rest)
    if match is None:
        return None
    folder = (match["member"] or "").strip("/")
    wheel = Wheel(dist=match["dist"], version=match["version"], members={"": folder})
    return _single(f"pip:{rest}", Source(kind="pip", wheel=(wheel,)))


def _single(key: str, source: Source) -> Wanted:
    variant = Variant(name="as published", source=(source,))
    return Wanted(key, Entry(alias=key, variant=(variant,)), (Offer(variant, source),), is_catalogued=False)


def all_keys(wanted: Wanted, offer: Offer) -> list[str]:
    """Every spec that means the bytes of `offer`: the one asked for and, where the bytes are pinned, the others.

    Pinned bytes are the same whoever carried them, so a model pulled by alias is there under its hub id too.
    """
    keys = [wanted.key]
    if offer.variant.files:
        keys.append(wanted.entry.alias)
        for source in offer.variant.source:
            if source.kind in _MAIN:
                keys += [f"{source.kind}:{source.repo}", f"{source.kind}:{source.repo}@{source.revision}"]
    return list(dict.fromkeys(keys))
