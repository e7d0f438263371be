"""The report as a person reads it: Markdown, English or Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from feilun.evaluate.page import Page
from feilun.evaluate.report_labels import show_curve, show_doubts
from feilun.records import CandidateResult, LearningCurve, Report, SearchTrial

N_CLASSES, N_PAIRS = 10, 10


def describe(report: Report, lang: str) -> str:
    """Markdown for `feilun report` and for the model card inside the bundle.

    Figures first, then what to do about them, then where everything comes from. It names classes and example ids,
    never a message's text.

    Args:
        lang: "zh" for Chinese; anything else is English.
    """
    page = Page("zh" if lang == "zh" else "en")
    _headline(page, report)
    _warnings(page, report)
    _metrics(page, report)
    _answering(page, report)
    _scope(page, report)
    _champion(page, report)
    _classes(page, report)
    _confused(page, report)
    if report.label_doubts is not None:
        show_doubts(page, report.label_doubts)
    if report.learning_curve is not None:
        show_curve(page, report.learning_curve)
    _calibration(page, report)
    _shipped(page, report)
    _leaderboard(page, report)
    _search(page, report)
    _provenance(page, report)
    return page.text()


def describe_curve(curve: LearningCurve, lang: str) -> str:
    """The section on more labels alone, for `feilun data advise`."""
    page = Page("zh" if lang == "zh" else "en")
    show_curve(page, curve)
    return page.text()


def _points(fraction: float, *, sign: bool = False) -> str:
    return f"{100 * fraction:{'+' if sign else ''}.1f}"


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def n_judged(report: Report) -> int:
    """The holdout rows that the metrics are over: those in scope, which the reliability bins count."""
    return sum(b.n_examples for b in report.calibration.bins) or report.n_holdout


def _headline(page: Page, report: Report) -> None:
    page.heading("title", depth=1)
    name, interval = next(iter(report.metrics.items()))
    page.say(
        "headline" if name == "accuracy" else "headline_other",
        **({} if name == "accuracy" else {"name": page.metric(name)}),
        value=page.percent(interval.value),
        n=f"{n_judged(report):,}",
        level=page.level(interval),
        **page.bounds(interval),
    )
    page.say("trained_on", n_train=f"{report.n_train:,}", n_classes=f"{report.n_classes:,}")


def _warnings(page: Page, report: Report) -> None:
    warnings = report.warnings_zh if page.lang == "zh" else report.warnings_en
    if warnings:
        page.heading("warnings")
        page.lines += [f"- {warning}" for warning in warnings]


def _metrics(page: Page, report: Report) -> None:
    page.heading("metrics")
    rows = [(page.metric(name), page.percent(i.value), page.span(i)) for name, i in report.metrics.items()]
    page.table("metric_head", rows, level=page.level(next(iter(report.metrics.values()))))


def _answering(page: Page, report: Report) -> None:
    page.heading("answering")
    lines = report.thresholds
    if lines.expected_answer_rate > 0:
        page.say(
            "answers",
            rate=page.percent(lines.expected_answer_rate),
            wrong=page.percent(lines.expected_error_rate),
            limit=page.percent(lines.max_error_rate),
            threshold=f"{lines.answer:.3f}",
        )
        page.say("promised" if lines.guaranteed else "aimed")
    else:
        page.say("answers_none", limit=page.percent(lines.max_error_rate))
    if lines.label != 0.5:
        page.say("label_threshold", value=f"{lines.label:.3f}")
    page.say("memory", value=f"{lines.memory:.3f}")


def _scope(page: Page, report: Report) -> None:
    found, threshold = report.out_of_scope, report.thresholds.out_of_scope
    if found is None or threshold is None:
        return
    page.heading("scope")
    page.say(
        "scope_text",
        n=f"{found.n_examples:,}",
        recall=page.percent(found.recall),
        accuracy=page.percent(found.in_scope_accuracy),
        threshold=f"{threshold:.3f}",
        auroc=page.percent(found.auroc.value),
        fpr95=page.percent(found.fpr95),
        **page.bounds(found.auroc),
    )


def _champion(page: Page, report: Report) -> None:
    comparison = report.comparison
    if comparison is None:
        return
    page.heading("champion")
    page.say(
        "champion_text",
        n=f"{comparison.n_rows:,}",
        champion_id=comparison.champion_id,
        champion=page.percent(comparison.champion),
        challenger=page.percent(comparison.challenger),
        n_fixed=f"{comparison.n_fixed:,}",
        n_broken=f"{comparison.n_broken:,}",
        difference=_points(comparison.difference.value, sign=True),
        low=_points(comparison.difference.low, sign=True),
        high=_points(comparison.difference.high, sign=True),
        p=_p_value(comparison.p_value),
    )


def _classes(page: Page, report: Report) -> None:
    seen = sorted((c for c in report.per_class if c.n_examples), key=lambda c: (c.f1.value, -c.n_examples, c.label))
    if not seen:
        return
    page.heading("classes")
    page.table(
        "class_head",
        [
            (
                c.label,
                f"{c.n_examples:,}",
                page.percent(c.precision.value),
                page.percent(c.recall.value),
                page.percent(c.f1.value),
                page.span(c.f1),
            )
            for c in seen[:N_CLASSES]
        ],
    )


def _confused(page: Page, report: Report) -> None:
    if not report.confused:
        return
    nothing = page.words["nothing"]
    page.heading("confused")
    page.table(
        "confused_head",
        [
            (pair.gold or nothing, pair.predicted or nothing, f"{pair.count:,}", ", ".join(pair.example_ids))
            for pair in report.confused[:N_PAIRS]
        ],
    )


def _calibration(page: Page, report: Report) -> None:
    found = report.calibration
    page.heading("calibration")
    if found.source == "none":
        page.say("calibration_none")
    else:
        page.say(
            "calibration_text",
            after=_points(found.ece_after.value),
            low=_points(found.ece_after.low),
            high=_points(found.ece_after.high),
            before=_points(found.ece_before),
            temperature=f"{found.temperature:.3g}",
            n=f"{found.n_examples:,}",
        )
    page.table(
        "bin_head",
        [
            (
                f"{b.low:.2f} – {b.high:.2f}",
                f"{b.n_examples:,}",
                page.percent(b.confidence),
                page.percent(b.accuracy),
            )
            for b in found.bins
        ],
    )


def _shipped(page: Page, report: Report) -> None:
    parity = report.parity
    page.heading("shipped")
    page.say(
        "shipped_text",
        precision=parity.precision,
        size=f"{parity.size_mb:.1f}",
        float_size=f"{parity.float_size_mb:.1f}",
        p50=f"{parity.p50_ms:.1f}",
        p99=f"{parity.p99_ms:.1f}",
        n=f"{parity.n_rows:,}",
        agreement=page.percent(parity.agreement),
        accuracy=page.percent(parity.shipped_accuracy),
        float_accuracy=page.percent(parity.float_accuracy),
    )
    note = parity.note_zh if page.lang == "zh" else parity.note_en
    if note:
        page.lines += [note, ""]


def _leaderboard(page: Page, report: Report) -> None:
    if report.leaderboard:
        page.heading("leaderboard")
        lines = [_candidate(page, candidate, report.metrics) for candidate in report.leaderboard]
        page.table("leaderboard_head", lines)


def _search(page: Page, report: Report) -> None:
    search = report.search
    if search is None:
        return
    page.heading("search")
    counts = {f"n_{name}": f"{getattr(search, f'n_{name}'):,}" for name in ("done", "pruned", "failed", "asked")}
    page.say("search_text", method=search.method, **counts)
    best = next((trial for trial in search.trials if trial.number == search.best), None)
    if best is not None and best.is_given:
        page.say("search_none_better")
    if search.importances:
        ranked = sorted(search.importances.items(), key=lambda item: -item[1])
        shares = ", ".join(f"{name} {page.percent(share, digits=0)}" for name, share in ranked)
        page.say("search_importances", shares=shares)
    else:
        page.say("search_no_importances")
    page.table("search_head", _history(page, search.trials))


def _history(page: Page, trials: Iterable[SearchTrial]) -> Iterator[tuple[str, ...]]:
    """Each trial in order, with the lowest log-loss so far."""
    lowest = float("inf")
    for trial in trials:
        if trial.status == "done" and trial.log_loss is not None:
            lowest = min(lowest, trial.log_loss)
        yield (
            f"{trial.number} {page.words['as_set']}" if trial.is_given else str(trial.number),
            ", ".join(f"{name}={_figure(value)}" for name, value in trial.params.items()),
            "–" if trial.log_loss is None else f"{trial.log_loss:.4f}",
            "–" if lowest == float("inf") else f"{lowest:.4f}",
            f"{trial.cpu_s:.1f}",
            page.words[f"state_{trial.status}"],
        )


def _figure(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _candidate(page: Page, candidate: CandidateResult, metrics: Mapping[str, object]) -> tuple[str, ...]:
    # Validation also counts folds and rows: only what the report has as a metric is a score, its first one before all.
    score = next(((name, candidate.validation[name]) for name in metrics if name in candidate.validation), None)
    state = page.words["chosen"] if candidate.chosen else page.words[f"state_{candidate.status}"]
    note = candidate.note_zh if page.lang == "zh" else candidate.note_en
    return (
        candidate.method,
        ", ".join(f"{name}={_figure(value)}" for name, value in candidate.params.items()),
        f"{page.metric(score[0])} {page.percent(score[1])}" if score else "–",
        f"{candidate.cpu_s:.1f}",
        f"{state}: {note}" if note else state,
    )


def _provenance(page: Page, report: Report) -> None:
    page.heading("provenance")
    facts = {
        "model_id": report.model_id,
        "turn_id": report.turn_id,
        "dataset_id": report.dataset_id,
        "config_hash": report.config_hash,
        "seed": str(report.seed),
        "code_version": report.code_version,
        "created_at": report.created_at.isoformat(timespec="seconds"),
        "backbone": f"{report.backbone.alias} ({report.backbone.fingerprint[:16]})",
        "licence": report.backbone.licence,
    }
    page.table("provenance_head", [(page.words[name], value) for name, value in facts.items() if value])
