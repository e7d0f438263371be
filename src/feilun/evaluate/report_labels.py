"""The report's sections on the labels themselves: which look wrong, and what more of them would bring."""

from __future__ import annotations

from feilun.evaluate.page import Page
from feilun.records import LabelDoubts, LearningCurve

N_DOUBTS, N_GAINS = 10, 5


def show_doubts(page: Page, found: LabelDoubts) -> None:
    """Where the doubtful rows stand, what they say and what they should; no text of a message."""
    page.heading("doubts")
    note = found.note_zh if page.lang == "zh" else found.note_en
    if note:
        page.lines += [note, ""]
        return
    page.say("doubts_text" if found.n_doubtful else "doubts_none", n=f"{found.n_doubtful:,}", of=f"{found.n_judged:,}")
    if found.n_doubtful:
        page.table(
            "doubts_head",
            [
                (
                    doubt.source if doubt.row is None else f"{doubt.source}:{doubt.row}",
                    " | ".join(doubt.given) or page.words["nothing"],
                    " | ".join(doubt.suggested) or page.words["nothing"],
                    page.percent(doubt.score),
                )
                for doubt in found.doubts[:N_DOUBTS]
            ],
        )


def show_curve(page: Page, curve: LearningCurve) -> None:
    """What more labels would bring, whether they reach the goal, and where they bring most."""
    page.heading("curve")
    page.say("curve_text", metric=page.metric(curve.metric), now=page.percent(curve.now.value), n=f"{curve.n_labels:,}")
    page.table(
        "curve_head",
        [
            (
                f"+{ahead.n_more:,}",
                page.percent(ahead.value.value),
                page.span(ahead.value),
                f"{100 * ahead.gain.value:+.1f}",
                f"{100 * ahead.gain.low:+.1f} – {100 * ahead.gain.high:+.1f}",
            )
            for ahead in curve.forecasts
        ],
        level=page.level(curve.now),
    )
    if curve.goal is not None and curve.chance is not None:
        page.say(f"goal_{curve.verdict}", goal=page.percent(curve.goal), chance=page.percent(curve.chance, digits=0))
        if curve.n_needed:
            page.say(
                "goal_needs",
                n=f"{curve.n_needed:,}",
                low=f"{curve.n_needed_low or 0:,}",
                high=page.words["too_many"] if curve.n_needed_high is None else f"{curve.n_needed_high:,}",
            )
    gains = [one for one in curve.classes if one.gain > 0][:N_GAINS]
    if gains:
        page.say("gains_text")
        page.table(
            "gains_head",
            [
                (one.label, f"{one.n_examples:,}", page.percent(one.error, digits=0), f"{100 * one.gain:+.2f}")
                for one in gains
            ],
        )
