"""The gate: the goal is the law, and a champion gives way only to a model that is measurably better."""

from __future__ import annotations

from typing import Any

from feilun.config import GoalSettings
from feilun.errors import FeilunError
from feilun.records import Comparison, Decision, Report, Standing

ROUNDING = 1e-9  # 0.85 computed as 17/20 must reach a goal written as 0.85


class UnknownGoalMetric(FeilunError):
    """[goal] metric names a figure that the report does not have."""

    code, kind = "release.unknown_goal_metric", "invalid"
    en = "[goal] metric {metric!r} is not in the report, which has {known}. Name one of them in feilun.toml."
    zh = "报告中没有 [goal] metric 指定的 {metric!r}，现有的指标是 {known}。请在 feilun.toml 中改为其中之一。"


class ComparisonMissing(FeilunError):
    """There is a champion, but the report does not compare the model with it; nothing may go live uncompared."""

    code, kind = "release.comparison_missing", "conflict"
    en = "The report of model {model_id!r} has no comparison with the champion. Turn again, so that both are judged."
    zh = "模型 {model_id!r} 的报告没有与冠军的比较。请重新运行一轮，让两者一起接受评判。"


TEXTS: dict[str, tuple[str, str]] = {
    "goal_missed": (
        "Not released: {metric} is {value}, below the goal of {goal} ({n} held-out messages).",
        "未上线：{metric} 为 {value}，低于目标 {goal}（{n} 条留出消息）。",
    ),
    "size": (
        "Not released: the model takes {size_mb:.1f} MB, more than the goal's {goal_mb:g} MB.",
        "未上线：模型大小 {size_mb:.1f} MB，超过目标 {goal_mb:g} MB。",
    ),
    "latency": (
        "Not released: the slowest 1 % of answers take {p99_ms:.1f} ms or more, the goal is {goal_ms:g} ms.",
        "未上线：最慢的 1% 回答耗时达到 {p99_ms:.1f} 毫秒，目标是 {goal_ms:g} 毫秒。",
    ),
    "first_model": (
        "Released as the first model: {metric} {value} on {n} held-out messages.",
        "作为第一个模型上线：在 {n} 条留出消息上 {metric} 为 {value}。",
    ),
    "better": (
        "Released: right on {challenger} of {n} held-out messages, the champion on {champion}; "
        "{n_fixed} fixed, {n_broken} broken, {p}.",
        "已上线：在 {n} 条留出消息上答对 {challenger}，冠军为 {champion}；改对 {n_fixed} 条，改错 {n_broken} 条，{p}。",
    ),
    "not_better": (
        "Not released: {challenger} against the champion's {champion} on {n} messages could be chance "
        "({p}, needed below {significance:g}); the champion stays.",
        "未上线：在 {n} 条消息上 {challenger}，冠军 {champion}，"
        "差别可能出于偶然（{p}，须低于 {significance:g}）；冠军保留。",
    ),
    "no_better": (
        "Not released: right on {challenger} of {n} held-out messages, the champion on {champion}; the champion stays.",
        "未上线：在 {n} 条留出消息上答对 {challenger}，冠军为 {champion}，没有更好；冠军保留。",
    ),
    "smaller": (
        "Released as a smaller form of the champion: right on {challenger} of {n} held-out messages, "
        "the champion on {champion}; up to {may_lose} may be given up.",
        "作为冠军的缩小版上线：在 {n} 条留出消息上答对 {challenger}，冠军为 {champion}；最多允许损失 {may_lose}。",
    ),
    "lost_too_much": (
        "Not released: this smaller form is right on {challenger} of {n} held-out messages, the champion on "
        "{champion}; that is more than the {may_lose} that may be given up. The champion stays.",
        "未上线：这一缩小版在 {n} 条留出消息上答对 {challenger}，冠军为 {champion}，"
        "损失超过允许的 {may_lose}；冠军保留。",
    ),
    "worse": (
        "Not released: right on {challenger} of {n} held-out messages, the champion on {champion}; "
        "{n_fixed} fixed but {n_broken} broken; the champion stays.",
        "未上线：在 {n} 条留出消息上答对 {challenger}，冠军为 {champion}；"
        "改对 {n_fixed} 条，却改错 {n_broken} 条；冠军保留。",
    ),
}


def decide(report: Report, goal: GoalSettings, *, has_champion: bool, may_lose: float | None = None) -> Decision:
    """Whether the model may go live, and why, in one sentence with the numbers.

    The goal comes first: metric, size, latency. Without a champion a model that reaches it goes live. With one, it
    does so only if it is right on more of the same holdout rows and the one-sided exact McNemar test says with
    p < goal.significance that this is not chance; otherwise the champion stays.

    Args:
        may_lose: for a smaller form of the champion, the share of right answers it may give up: being smaller is what
            it is for, so it need not be better. None for any other model.
    Returns:
        Decision with reason_code first_model, better, goal_missed, size, latency, not_better (no sign of being
        better) or worse (the interval of the difference lies below 0); smaller or lost_too_much with may_lose.
    Raises:
        UnknownGoalMetric: the report lacks goal.metric.
        ComparisonMissing: has_champion, but the report has no comparison.
    """
    refusal = _missed(report, goal)
    if refusal is not None:
        return refusal
    if not has_champion:
        return _say("first_model", True, **_measured(report, goal.metric))
    comparison = report.comparison
    if comparison is None:
        raise ComparisonMissing(model_id=report.model_id)
    fields = _compared(comparison) | {"significance": goal.significance}
    if may_lose is not None:
        is_near = comparison.difference.value >= -may_lose - ROUNDING
        return _say("smaller" if is_near else "lost_too_much", is_near, **fields, may_lose=may_lose)
    found = standing(comparison, significance=goal.significance)
    is_plain = found != "not_better" or comparison.n_fixed > comparison.n_broken
    return _say(found, found == "better", sentence="" if is_plain else "no_better", **fields)


def standing(comparison: Comparison, *, significance: float) -> Standing:
    """What the paired test comes to: "better" by more than chance, "worse" (the interval lies below 0), or neither."""
    if comparison.n_fixed > comparison.n_broken and comparison.p_value < significance:
        return "better"
    return "worse" if comparison.difference.high < 0 else "not_better"


def _missed(report: Report, goal: GoalSettings) -> Decision | None:
    if goal.metric not in report.metrics:
        raise UnknownGoalMetric(metric=goal.metric, known=sorted(report.metrics))
    if report.metrics[goal.metric].value < goal.at_least - ROUNDING:
        return _say("goal_missed", False, **_measured(report, goal.metric), goal=goal.at_least)
    if goal.max_size_mb is not None and report.parity.size_mb > goal.max_size_mb:
        return _say("size", False, size_mb=report.parity.size_mb, goal_mb=goal.max_size_mb)
    if goal.max_p99_ms is not None and report.parity.p99_ms > goal.max_p99_ms:
        return _say("latency", False, p99_ms=report.parity.p99_ms, goal_ms=goal.max_p99_ms)
    return None


def _measured(report: Report, metric: str) -> dict[str, Any]:
    # the reliability bins count the rows the metrics are over: the holdout without its out-of-scope rows
    n = sum(b.n_examples for b in report.calibration.bins) or report.n_holdout
    return {"metric": metric, "value": report.metrics[metric].value, "n": n}


def _compared(comparison: Comparison) -> dict[str, Any]:
    return {
        "challenger": comparison.challenger,
        "champion": comparison.champion,
        "n": comparison.n_rows,
        "n_fixed": comparison.n_fixed,
        "n_broken": comparison.n_broken,
        "p": p_text(comparison.p_value),
    }


def p_text(p: float) -> str:
    """'p < 0.001', 'p = 0.023', 'p = 0.38': two digits that matter, never rounded across a common bar."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.2f}" if p >= 0.1 else f"p = {p:.3f}"


SHARES = ("value", "goal", "challenger", "champion", "may_lose")


def _say(reason_code: str, released: bool, *, sentence: str = "", **fields: Any) -> Decision:
    en, zh = TEXTS[sentence or reason_code]
    if "n" in fields:
        fields["n"] = f"{fields['n']:,}"
    spoken = {
        space: {name: f"{100 * value:.1f}{space}%" if name in SHARES else value for name, value in fields.items()}
        for space in (" ", "")
    }
    return Decision(released=released, reason_code=reason_code, en=en.format(**spoken[" "]), zh=zh.format(**spoken[""]))
