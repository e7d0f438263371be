"""A sealed bundle is complete, checked, and named by its content alone."""

from __future__ import annotations

import json

from feilun.compress import seal
from feilun.config import FeilunSettings
from feilun.models.bundle import model_id_of, verify_bundle
from feilun.models.serving import read_spec
from feilun.records import ParityReport, Report
from feilun.tasks import get_task
from tests.bundles import LABELS, contents, make_bundle, report_of, settings_of

FILES = [
    "NOTICE",
    "README.md",
    "labels.json",
    "manifest.json",
    "manifest.sha256",
    "model.json",
    "model.onnx",
    "report.json",
    "settings.json",
    "tokenizer.json",
]
PARITY = ParityReport(
    n_rows=15,
    float_accuracy=1,
    shipped_accuracy=1,
    agreement=1,
    max_logit_difference=0.1,
    precision="int8",
    size_mb=1,
    float_size_mb=3,
    p50_ms=1,
    p99_ms=2,
)


def test_a_bundle_holds_all_that_is_needed_and_reads_back(tmp_path, tiny_backbone):
    model_id, manifest = make_bundle(tmp_path / "bundle", tiny_backbone)
    assert sorted(contents(tmp_path / "bundle")) == FILES
    assert verify_bundle(tmp_path / "bundle") == manifest
    assert model_id == model_id_of(tmp_path / "bundle")
    assert (manifest.labels, manifest.backbone, manifest.lineage["turn_id"]) == (LABELS, tiny_backbone.info, "t_test")
    spec = read_spec(tmp_path / "bundle")
    assert (spec.temperature, spec.thresholds.memory, spec.max_tokens, spec.precision) == (1.5, 0.95, 32, "int8")
    report = Report.model_validate_json((tmp_path / "bundle" / "report.json").read_bytes())
    assert report.model_id == "" and report.dataset_id == "d_test"
    settings = FeilunSettings.model_validate_json((tmp_path / "bundle" / "settings.json").read_bytes())
    assert settings.backbone.max_tokens == 32
    card, notice = ((tmp_path / "bundle" / name).read_text("utf-8") for name in ("README.md", "NOTICE"))
    assert "Good on refunds." in card and "退款类表现良好。" in card and all(f"- {label}" in card for label in LABELS)
    assert "Apache-2.0" in notice and tiny_backbone.info.fingerprint in notice


def test_the_same_network_has_the_same_name_and_another_has_another(tmp_path, tiny_backbone):
    one, _ = make_bundle(tmp_path / "one", tiny_backbone)
    assert make_bundle(tmp_path / "two", tiny_backbone)[0] == one
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert make_bundle(tmp_path / "three", tiny_backbone, seed=1)[0] != one


def test_sealing_again_changes_nothing_and_no_password_travels(tmp_path, tiny_backbone):
    folder = tmp_path / "bundle"
    make_bundle(folder, tiny_backbone)
    settings = settings_of(store={"url": "postgresql://feilun:hunter2@db/feilun"}, backbone={"max_tokens": 32})
    report = report_of(PARITY, tiny_backbone).model_copy(update={"model_id": "m_from_an_earlier_life"})

    def once() -> str:
        return seal(
            folder,
            report=report,
            report_text={"en": "Report.", "zh": "报告。"},
            settings=settings,
            task=get_task(settings.task),
            labels=LABELS,
            backbone=tiny_backbone.info,
            lineage={},
            licence_notes="Data: CC BY 4.0, thanks to its authors.",
        )[0]

    first = once()
    before = contents(folder)
    assert once() == first and contents(folder) == before
    assert not any(b"hunter2" in data or b"earlier_life" in data for data in before.values())
    assert b"CC BY 4.0" in before["NOTICE"]
    assert json.loads(before["settings.json"])["store"] == {}
