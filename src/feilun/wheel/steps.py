"""The steps of a turn, in order. Each leaves its result whole or not at all, and may be run again after a crash.

data → train → compress → evaluate → seal → release. We compress before we evaluate, so that the figures in the
report are those of the very graph that will answer.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from feilun.records import (
    Backbone,
    Dataset,
    Decision,
    Example,
    Interval,
    LabelDoubts,
    LearningCurve,
    ParityReport,
    Report,
    TrainResult,
    TurnResult,
)
from feilun.store import MAX_ACTOR
from feilun.version import __version__
from feilun.wheel.context import TurnContext
from feilun.wheel.curve import draw_curve
from feilun.wheel.judged import keep_judged, write_judged
from feilun.wheel.networks import keep_network

if TYPE_CHECKING:
    from feilun.evaluate import ChampionView, ValidationArrays

CANARY = (" It begins as a canary on {share:.4g} % of the traffic.", "先以灰度方式承接 {share:.4g}% 的流量。")
Results = dict[str, dict[str, Any]]
Step = Callable[[TurnContext, Results], dict[str, Any]]


def step_data(context: TurnContext, results: Results) -> dict[str, Any]:
    """Read the sources and the feedback, split, write the snapshot."""
    from feilun.data import build_dataset, write_snapshot
    from feilun.feedback import asked, corrections

    _backbone(context)  # a missing backbone is found out before any work is done
    known = corrections(context.store, context.project, task=context.task, up_to=int(context.turn["last_feedback_seq"]))
    limit = context.settings.data.max_traffic
    messages = asked(context.store, context.project, task=context.task, until=context.turn["created_at"], limit=limit)
    dataset, report = build_dataset(
        context.folder,
        context.settings,
        task=context.task,
        corrections=known,
        previous=context.previous_dataset(),
        asked=messages,
    )
    write_snapshot(dataset, context.store.dataset_path(dataset.dataset_id))
    context.store.update_turn(context.project, context.turn_id, dataset_id=dataset.dataset_id)
    _write_json(context.workdir / "data_report.json", report.model_dump(mode="json"))
    # Row numbers are no part of a snapshot: here they are kept for those who look for a row in the file.
    rows = {example.example_id: example.row for example in (*dataset.train, *dataset.holdout)}
    _write_json(context.workdir / "rows.json", rows)
    counts = {"n_train": len(dataset.train), "n_holdout": len(dataset.holdout), "n_classes": len(dataset.labels)}
    return {"dataset_id": dataset.dataset_id, "n_corrections": len(known), **counts}


def step_train(context: TurnContext, results: Results) -> dict[str, Any]:
    """Try the candidates; the best one's weights are left in the turn's folder."""
    from feilun.train import StudyPlace, train

    store = context.store
    result = train(
        _dataset(context, results),
        _backbone(context),
        context.settings,
        task=context.task,
        workdir=context.workdir / "train",
        budget_s=float(context.turn["budget_s"]),
        seed=int(context.turn["seed"]),
        on_event=context.event,
        cache_dir=store.workspace / "cache",
        study_place=StudyPlace(store.workspace / "search", store.url if store.is_postgres else ""),
    )
    chosen = next(candidate for candidate in result.leaderboard if candidate.chosen)
    return {"chosen": chosen.method, "validation": chosen.validation, "n_candidates": len(result.leaderboard)}


def step_compress(context: TurnContext, results: Results) -> dict[str, Any]:
    """Export one graph, quantise it, check that it still says the same."""
    from feilun.compress import compress

    folder = _fresh(context.workdir / "bundle")
    parity = compress(
        _trained(context),
        _backbone(context),
        _dataset(context, results),
        context.settings,
        task=context.task,
        folder=folder,
        on_event=context.event,
    )
    return parity.model_dump(mode="json")


def step_evaluate(context: TurnContext, results: Results) -> dict[str, Any]:
    """Judge the graph that will ship on the frozen holdout, beside the champion; write the report."""
    from feilun.evaluate import judge
    from feilun.models.encode import Encoder

    dataset, trained, backbone = _dataset(context, results), _trained(context), _backbone(context)
    bundle = context.workdir / "bundle"
    encoder = Encoder(
        bundle / "model.onnx",
        bundle / "tokenizer.json",
        max_tokens=context.settings.backbone.max_tokens,
        prefix=backbone.info.prefix,
    )
    texts = [context.task.text_of(example.inputs) for example in dataset.holdout]
    embeddings, logits = encoder.run(texts)
    assert logits is not None
    write_judged(context.workdir, logits, holdout=dataset.holdout, rows=_rows(context))
    judgement = judge(
        task=context.task,
        labels=trained.labels,
        settings=context.settings.evaluate,
        validation=_validation(trained, dataset.train, context.settings.task.out_of_scope_label),
        holdout=dataset.holdout,
        holdout_logits=logits,
        holdout_embeddings=embeddings,
        champion=_champion(context, texts),
        seed=int(context.turn["seed"]),
    )
    report = Report(
        turn_id=context.turn_id,
        dataset_id=dataset.dataset_id,
        config_hash=context.config_hash,
        code_version=__version__,
        seed=int(context.turn["seed"]),
        created_at=context.turn["created_at"],
        task=context.task.name,
        n_train=len(dataset.train),
        n_holdout=len(dataset.holdout),
        n_classes=len(trained.labels),
        parity=ParityReport.model_validate(results["compress"]),
        leaderboard=trained.leaderboard,
        search=trained.meta.get("search"),
        backbone=backbone.info,
        label_doubts=_label_doubts(context, trained, dataset, judgement.calibration.temperature),
        learning_curve=_learning_curve(context, dataset, backbone, judgement.metrics),
        **{name: getattr(judgement, name) for name in type(judgement).model_fields},
    )
    _write_json(context.workdir / "report.json", report.model_dump(mode="json"))
    return {name: interval.value for name, interval in report.metrics.items()}


def step_seal(context: TurnContext, results: Results) -> dict[str, Any]:
    """Add report, card, settings, licences and checksums; move the whole bundle into place at once."""
    from feilun.compress import seal
    from feilun.evaluate import describe
    from feilun.models.bundle import publish

    report = Report.model_validate_json((context.workdir / "report.json").read_text("utf-8"))
    trained, folder = _trained(context), context.workdir / "bundle"
    if not folder.is_dir():  # published already, then the machine stopped before the step was recorded
        step_compress(context, results)
    model_id, _ = seal(
        folder,
        report=report,
        report_text={lang: describe(report, lang) for lang in ("en", "zh")},
        settings=context.settings,
        task=context.task,
        labels=trained.labels,
        backbone=report.backbone,
        lineage={
            "turn_id": context.turn_id,
            "dataset_id": report.dataset_id,
            "config_hash": report.config_hash,
            "code_version": report.code_version,
            "seed": report.seed,
        }
        | ({"parent_model_id": context.parent_model_id} if context.parent_model_id else {}),
    )
    publish(folder, context.store.models_dir, model_id)
    keep_judged(context.store, model_id=model_id, folder=context.workdir)
    sealed = report.model_copy(update={"model_id": model_id})
    context.store.add_model(
        context.project,
        model_id=model_id,
        turn_id=context.turn_id,
        dataset_id=report.dataset_id,
        report=sealed.model_dump(mode="json"),
        size_mb=report.parity.size_mb,
    )
    context.store.update_turn(context.project, context.turn_id, model_id=model_id)
    return {"model_id": model_id, "size_mb": report.parity.size_mb}


def step_release(context: TurnContext, results: Results) -> dict[str, Any]:
    """Ask the gate; write its word into the release log, from where the server takes it up.

    Where [release] says so, a model that may go live begins as a canary beside the champion.
    """
    model_id = results["seal"]["model_id"]
    report = Report.model_validate(context.store.get_model(context.project, model_id)["report"])
    decision, share = _decide(context, report), context.settings.release.canary_share
    is_canary = decision.released and share > 0 and context.store.find_champion(context.project) is not None
    en, zh = CANARY if is_canary else ("", "")
    entry = context.store.add_release(
        context.project,
        action="canary" if is_canary else "promote" if decision.released else "reject",
        model_id=model_id,
        actor=f"turn:{context.turn['requested_by']}"[:MAX_ACTOR],
        reason_code=decision.reason_code,
        en=decision.en + en.format(share=100 * share),
        zh=decision.zh + zh.format(share=100 * share),
        turn_id=context.turn_id,
        share=share if is_canary else None,
    )
    # Run again after a crash, the log's first word counts.
    return {"released": entry["action"] != "reject"} | {key: entry[key] for key in ("reason_code", "en", "zh")}


def _decide(context: TurnContext, report: Report) -> Decision:
    from feilun.release import decide

    compared = report.comparison.champion_id if report.comparison else None
    if context.store.find_champion(context.project) != compared:
        return Decision(
            released=False,
            reason_code="champion_changed",
            en="Not released: the champion was changed while this model was judged against the old one. Turn again.",
            zh="未上线：在本模型与旧冠军比较期间，有人更换了冠军。请再运行一轮。",
        )
    is_smaller_champion = (
        compared is not None
        and context.parent_model_id == compared
        and report.parity.size_mb < context.store.get_model(context.project, compared)["size_mb"]
    )
    return decide(
        report,
        context.settings.goal,
        has_champion=compared is not None,
        may_lose=context.settings.compress.max_loss if is_smaller_champion else None,
    )


STEPS: dict[str, Step] = {
    "data": step_data,
    "train": step_train,
    "compress": step_compress,
    "evaluate": step_evaluate,
    "seal": step_seal,
    "release": step_release,
}


def finish(context: TurnContext, results: Results, *, wall_s: float) -> None:
    """Close the turn with its result and clear its working folder away."""
    from feilun.errors import language

    model = context.store.get_model(context.project, results["seal"]["model_id"])
    decision = Decision.model_validate(results["release"])
    result = TurnResult(
        turn_id=context.turn_id,
        dataset_id=results["data"]["dataset_id"],
        model_id=results["seal"]["model_id"],
        metrics=results["evaluate"],
        released=decision.released,
        reason=decision.zh if language() == "zh" else decision.en,
        wall_s=round(wall_s, 3),
        leaderboard=Report.model_validate(model["report"]).leaderboard,
    )
    stored = result.model_dump(mode="json") | {"decision": decision.model_dump(mode="json")}
    context.event("turn.done", {"released": decision.released, "en": decision.en, "zh": decision.zh})
    keep_network(context.store, project=context.project, model_id=result.model_id, folder=context.workdir / "train")
    shutil.rmtree(context.workdir, ignore_errors=True)
    context.store.finish_turn(context.project, context.turn_id, status="done", result=stored)


def _backbone(context: TurnContext) -> Backbone:
    from feilun.models import resolve

    return resolve(context.settings.backbone.model, language=context.settings.project.language)


def _dataset(context: TurnContext, results: Results) -> Dataset:
    return context.dataset(results["data"]["dataset_id"])


def _trained(context: TurnContext) -> TrainResult:
    from feilun.train import load_result

    return load_result(context.workdir / "train")


def _validation(trained: TrainResult, examples: Sequence[Example], outside: str) -> ValidationArrays:
    """The out-of-fold answers on the training rows, on which calibration and thresholds are set."""
    from feilun.evaluate import ValidationArrays

    arrays = load_file(trained.folder / "validation.safetensors")
    return ValidationArrays(
        logits=arrays["logits"],
        targets=arrays["targets"].astype(np.float32),
        out_of_scope=np.array([bool(outside) and examples[row].target == (outside,) for row in arrays["rows"]], bool),
    )


def _label_doubts(
    context: TurnContext, trained: TrainResult, dataset: Dataset, temperature: float
) -> LabelDoubts | None:
    """Labels that the out-of-fold answers speak against; None when the settings do not ask for them."""
    from feilun.evaluate import find_label_doubts
    from feilun.feedback import SOURCE

    if not context.settings.evaluate.label_doubts:
        return None
    arrays = load_file(trained.folder / "validation.safetensors")
    rows = _rows(context)
    judged = [dataset.train[place] for place in arrays["rows"]]
    return find_label_doubts(
        [replace(example, row=rows.get(example.example_id)) for example in judged],
        context.task.probs(arrays["logits"], temperature=temperature),
        arrays["targets"],
        labels=trained.labels,
        settled=np.array([example.source == SOURCE for example in judged], dtype=bool),
        multi_label=context.settings.task.multi_label,
    )


def _rows(context: TurnContext) -> dict[str, int | None]:
    """Where the examples stand in their files; empty where no file was read, as for a smaller form of a model."""
    path = context.workdir / "rows.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def _learning_curve(
    context: TurnContext, dataset: Dataset, backbone: Backbone, metrics: dict[str, Interval]
) -> LearningCurve | None:
    if not context.settings.evaluate.learning_curve:
        return None
    return draw_curve(
        dataset,
        backbone,
        context.settings,
        task=context.task,
        cache_dir=context.store.workspace / "cache",
        seed=int(context.turn["seed"]),
        now=metrics.get(context.settings.goal.metric),
    )


def _champion(context: TurnContext, texts: Sequence[str]) -> ChampionView | None:
    """What the champion's own graph says of the same holdout rows."""
    from feilun.evaluate import ChampionView
    from feilun.serve.engine import load_bundle

    model_id = context.store.find_champion(context.project)
    if model_id is None:
        return None
    champion = load_bundle(context.store.model_path(model_id))
    _, logits, _ = champion.scores(texts)
    return ChampionView(
        model_id=model_id,
        labels=champion.labels,
        holdout_logits=logits,
        temperature=champion.spec.temperature,
        thresholds=champion.spec.thresholds,
    )


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".partial")
    aside.write_text(json.dumps(value, ensure_ascii=False, indent=1), "utf-8")
    aside.replace(path)
