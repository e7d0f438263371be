"""seal(): everything else that makes a bundle - report, card, settings, licences - and a checksum for every file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feilun.compress.card import model_card, notice
from feilun.config import FeilunSettings, StoreSettings
from feilun.models.bundle import canonical_json, list_entries, verify_bundle, write_manifest
from feilun.models.serving import CARD_NAME, NOTICE_NAME, REPORT_NAME, SETTINGS_NAME, ModelSpec, write_spec
from feilun.records import BackboneInfo, Manifest, Report
from feilun.tasks import Task


def seal(
    folder: Path,
    *,
    report: Report,
    report_text: dict[str, str],
    settings: FeilunSettings,
    task: Task,
    labels: Sequence[str],
    backbone: BackboneInfo,
    lineage: dict[str, Any],
    licence_notes: str | None = None,
) -> tuple[str, Manifest]:
    """Complete the bundle that `compress` began in `folder`; gives the model id and the manifest.

    The id is made from the content alone, and nothing here looks at the clock, so sealing again gives the same id.
    The report inside carries no model id (it would be part of what the id is made from), and the settings inside no
    [store] table (its URL may hold a password).

    Args:
        report_text: the report for people, Markdown, by language: "en" and "zh".
        lineage: what the model was made from; JSON values.
        licence_notes: what else must be said about licences, for instance of the data.
    Raises:
        BundleDamaged: the folder holds something that is no part of a bundle.
    """
    folder = Path(folder)
    spec = ModelSpec(
        task=task.settings,
        temperature=report.calibration.temperature,
        thresholds=report.thresholds,
        max_tokens=settings.backbone.max_tokens,
        prefix=backbone.prefix,
        precision=report.parity.precision,
    )
    write_spec(folder, spec)
    kept = settings.model_copy(update={"store": StoreSettings(url="")})
    (folder / SETTINGS_NAME).write_bytes(canonical_json(kept.model_dump(mode="json")))
    anonymous = report.model_copy(update={"model_id": ""})
    (folder / REPORT_NAME).write_bytes(canonical_json(anonymous.model_dump(mode="json")))
    card = model_card(report=anonymous, report_text=report_text, settings=settings, labels=labels, lineage=lineage)
    (folder / CARD_NAME).write_text(card, "utf-8")
    (folder / NOTICE_NAME).write_text(notice(backbone, settings=settings, licence_notes=licence_notes), "utf-8")
    manifest = Manifest(
        task=task.name,
        labels=tuple(labels),
        multi_label=task.settings.multi_label,
        max_tokens=settings.backbone.max_tokens,
        backbone=backbone,
        lineage=lineage,
        files=list_entries(folder),
    )
    model_id = write_manifest(folder, manifest)
    return model_id, verify_bundle(folder)
