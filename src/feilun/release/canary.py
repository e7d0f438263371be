"""What becomes of a canary: it goes on, is rolled back, or has proven itself; with the numbers, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from feilun.config import ReleaseSettings
from feilun.records import ArmTraffic, Challenge, GuardReading
from feilun.release.draw import challenged_buckets
from feilun.release.guard import FEWEST_UNITS, Outcomes, evidence, has_enough

MOST_ODDS = 1_000_000  # beyond that nobody needs the figure

State = Literal["alone", "too_few", "watching", "worse", "proven"]

METRICS = {
    "hand_over": ("handed over", "转人工"),
    "contradicted": ("was contradicted on", "被人否定"),
    "failed": ("failed on", "失败"),
}
TEXTS: dict[str, tuple[str, str]] = {
    "alone": (
        "The canary answers everything, so there is nothing to hold it against.",
        "灰度模型承接了全部流量，没有可对照的冠军。",
    ),
    "too_few": (
        "Too few messages so far: the canary answered {n_1}, the champion {n_0}; {least} of each are needed, "
        "of at least {units} users.",
        "消息还不够：灰度模型回答了 {n_1} 条，冠军 {n_0} 条；双方各需 {least} 条，且来自不少于 {units} 位用户。",
    ),
    "watching": (
        "Nothing speaks against the canary so far: it answered {n_1} messages, the champion {n_0}.",
        "目前没有不利于灰度模型的迹象：它回答了 {n_1} 条消息，冠军回答了 {n_0} 条。",
    ),
    "worse": (
        "The canary is worse: it {metric} {worse} of {n_1} messages, the champion {before} of {n_0}; "
        "{evidence} to 1 that it is worse by more than {tolerance} ({needed} to 1 were needed).",
        "灰度模型变差：它在 {n_1} 条消息中{metric} {worse}，冠军在 {n_0} 条中为 {before}；"
        "其变差超过 {tolerance} 的证据比为 {evidence} 比 1（阈值为 {needed} 比 1）。",
    ),
    "proven": (
        "After {n_1} messages the canary is no worse than the champion in anything guarded.",
        "回答 {n_1} 条消息后，灰度模型在各项护栏指标上均不差于冠军。",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """What the guards make of a canary."""

    state: State
    en: str
    zh: str
    arms: tuple[ArmTraffic, ...]
    guards: tuple[GuardReading, ...]


def judge(rows: Sequence[dict[str, Any]], challenge: Challenge, *, settings: ReleaseSettings) -> Verdict:
    """What becomes of a canary that did this.

    Args:
        rows: as `store.count_by_bucket` gives them. Who was drawn for the canary counts for it, whoever answered:
            where the champion did, the canary had failed.
    Returns:
        Verdict; state "worse" ends the canary, "proven" promotes it, the others let it go on.
    """
    n_challenged = challenged_buckets(challenge.share)
    theirs = [row | {"n_failed": 0} for row in rows if row["bucket"] >= n_challenged]
    ours = [
        row | {"n_failed": row["n_messages"] if row["model_id"] != challenge.model_id else 0}
        for row in rows
        if row["bucket"] < n_challenged
    ]
    arms = (
        _arm("champion", challenge.champion_id, theirs),
        _arm("challenger", challenge.model_id, ours),
    )
    guards = tuple(_read(metric, ours, theirs, settings=settings) for metric in settings.guards)
    state = _state(arms, guards, challenge=challenge, settings=settings)
    en, zh = _words(state, arms, guards, settings=settings)
    return Verdict(state, en, zh, arms, guards)


def _read(
    metric: str, ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]], *, settings: ReleaseSettings
) -> GuardReading:
    challenger, champion = _outcomes(ours, metric), _outcomes(theirs, metric)
    is_enough = all(has_enough(one, min_messages=settings.min_messages) for one in (challenger, champion))
    return GuardReading(
        metric=metric,
        champion=champion.share,
        challenger=challenger.share,
        evidence=evidence(challenger, champion, tolerance=settings.guard_tolerance) if is_enough else None,
        needed=len(settings.guards) / settings.guard_level,  # each guard has its part of the level
    )


def _state(
    arms: tuple[ArmTraffic, ...], guards: tuple[GuardReading, ...], *, challenge: Challenge, settings: ReleaseSettings
) -> State:
    if challenge.share >= 1:
        return "alone"
    n_champion, n_challenger = (arm.n_messages for arm in arms)
    if min(n_champion, n_challenger) < settings.min_messages or any(one.evidence is None for one in guards):
        return "too_few"
    if any(_is_worse(one) for one in guards):
        return "worse"
    is_within = bool(guards) and all(one.challenger <= one.champion + settings.guard_tolerance for one in guards)
    return "proven" if 0 < settings.promote_after <= n_challenger and is_within else "watching"


def _is_worse(reading: GuardReading) -> bool:
    return reading.evidence is not None and reading.evidence >= reading.needed


def _arm(role: Literal["champion", "challenger"], model_id: str, rows: Sequence[dict[str, Any]]) -> ArmTraffic:
    names = ("n_messages", "n_handed_over", "n_contradicted", "n_failed")
    return ArmTraffic(role=role, model_id=model_id, **{name: sum(row[name] for row in rows) for name in names})


def _outcomes(rows: Sequence[dict[str, Any]], metric: str) -> Outcomes:
    column = {"hand_over": "n_handed_over", "contradicted": "n_contradicted", "failed": "n_failed"}[metric]
    units: dict[int, list[int]] = {}
    for row in rows:
        unit = units.setdefault(row["bucket"], [0, 0])
        unit[0] += row["n_messages"]
        unit[1] += row[column]
    both = np.array(list(units.values()), dtype=np.float64).reshape(-1, 2)
    return Outcomes(both[:, 0], both[:, 1])


def _words(
    state: State, arms: tuple[ArmTraffic, ...], guards: tuple[GuardReading, ...], *, settings: ReleaseSettings
) -> tuple[str, str]:
    said = []
    for lang, text in enumerate(TEXTS[state]):
        fields: dict[str, Any] = {"n_0": f"{arms[0].n_messages:,}", "n_1": f"{arms[1].n_messages:,}"}
        fields |= {
            "least": f"{settings.min_messages:,}",
            "units": FEWEST_UNITS,
            "tolerance": _share(settings.guard_tolerance, lang),
        }
        if state == "worse":
            worst = max((one for one in guards if one.evidence is not None), key=lambda one: one.evidence or 0)
            fields |= {"metric": METRICS[worst.metric][lang], "evidence": _odds(worst.evidence or 0, lang)}
            fields |= {"needed": f"{worst.needed:,.0f}"}
            fields |= {"worse": _share(worst.challenger, lang), "before": _share(worst.champion, lang)}
        said.append(text.format(**fields))
    return said[0], said[1]


def _share(value: float, lang: int) -> str:
    return f"{100 * value:.1f}{'' if lang else ' '}%"


def _odds(value: float, lang: int) -> str:
    return f"{value:,.0f}" if value < MOST_ODDS else f"{'超过 ' if lang else 'over '}{MOST_ODDS:,}"
