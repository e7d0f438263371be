"""What a person can do about the data: a few concrete sentences, the most pressing first, in both languages."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from feilun.records import DataReport

MAX_ADVICE = 8
N_NAMED = 5
GOOD_ROWS = 5
# A class with a tenth of the largest one's rows is seen too rarely beside it.
IMBALANCE = 10
# Half the width of a 95 % interval is about 1 / sqrt(n) at worst: 400 rows tell accuracies 5 points apart.
SMALL_HOLDOUT = 400

Advice = tuple[str, str]


@dataclass(frozen=True)
class Findings:
    """What advice is drawn from; `out_of_scope` and `holdout_path` are "" when the settings have none."""

    report: DataReport
    labels: tuple[str, ...]
    out_of_scope: str = ""
    n_trained_before: int = 0
    holdout_path: str = ""


def advise(findings: Findings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """At most eight sentences in English, and the same in Chinese."""
    found = [advice for rule in RULES if (advice := rule(findings)) is not None][:MAX_ADVICE]
    return tuple(en for en, _ in found), tuple(zh for _, zh in found)


def _only_in_holdout(f: Findings) -> Advice | None:
    names = [label for label in f.report.holdout_counts if label not in f.labels and label != f.out_of_scope]
    if not names:
        return None
    return (
        f"{_classes(names, 'appears', 'appear')} only in the holdout and cannot be learnt; add training messages.",
        f"{len(names)} 个类别只出现在留出集中，模型学不到：{_listed(names)}；请为它们补充训练消息。",
    )


def _conflicts(f: Findings) -> Advice | None:
    if not f.report.n_conflicts:
        return None
    first, second = f.report.conflicts[0]
    n = f.report.n_conflicts
    return (
        f"{n} message{'s stand' if n > 1 else ' stands'} under two or more labels, first: {first} and {second}. "
        "Decide which label is right; ties are left out of training.",
        f"有 {n} 条消息同时出现在两个或更多标签下，第一处：{first} 与 {second}。"
        "请判断哪个标签正确；票数相同的不参与训练。",
    )


def _spellings(f: Findings) -> Advice | None:
    """Labels that are one label written in two ways."""
    by_form: dict[str, list[str]] = {}
    for label in f.labels:
        form = unicodedata.normalize("NFKC", label).casefold()
        by_form.setdefault("".join(c for c in form if c.isalnum()) or form, []).append(label)
    twins = [labels for labels in by_form.values() if len(labels) > 1]
    if not twins:
        return None
    pair_en, pair_zh = " and ".join(map(repr, twins[0])), "与".join(f"“{label}”" for label in twins[0])
    return (
        f"{pair_en} look like one label written in different ways ({len(twins)} such case{'s' * (len(twins) > 1)}); "
        "use one spelling.",
        f"{pair_zh}看起来是同一标签的不同写法（共 {len(twins)} 处）；请统一写法。",
    )


def _free_text_labels(f: Findings) -> Advice | None:
    counts = f.report.class_counts
    if len(counts) < 50 or len(counts) * 2 < sum(counts.values()):
        return None
    return (
        f"{sum(counts.values())} training rows have {len(counts)} different labels; "
        "check that the text and label columns are not swapped.",
        f"{sum(counts.values())} 行训练数据有 {len(counts)} 种不同的标签；请检查文本列与标签列是否写反。",
    )


def _set_aside(f: Findings) -> Advice | None:
    if not f.report.n_set_aside:
        return None
    first, n = f.report.set_aside[0], f.report.n_set_aside
    return (
        f"{n} row{'s were' if n > 1 else ' was'} set aside, first: {first.source}:{first.row}. {first.en}",
        f"有 {n} 行未被使用，第一行：{first.source}:{first.row}。{first.zh}",
    )


def _single_rows(f: Findings) -> Advice | None:
    names = [label for label, n in f.report.class_counts.items() if n == 1]
    if not names:
        return None
    more, each = GOOD_ROWS - 1, "" if len(names) == 1 else " to each"
    return (
        f"{_classes(names, 'has', 'have')} 1 training row; add at least {more} more{each}.",
        f"{len(names)} 个类别只有 1 行训练数据：{_listed(names)}；请为每个类别至少再加 {more} 行。",
    )


def _not_judged(f: Findings) -> Advice | None:
    names = [label for label in f.report.class_counts if label not in f.report.holdout_counts]
    if not names:
        return None
    return (
        f"{_classes(names, 'has', 'have')} no row in the holdout, so accuracy there is not measured; "
        f"{'add rows to ' + f.holdout_path if f.holdout_path else 'label at least 4 messages of each class'}.",
        f"{len(names)} 个类别在留出集中没有数据，无法衡量其准确率：{_listed(names)}；"
        f"{'请在 ' + f.holdout_path + ' 中补充' if f.holdout_path else '请为每个类别至少标注 4 条消息'}。",
    )


def _leaks(f: Findings) -> Advice | None:
    if not f.report.n_leaks:
        return None
    (first, second), n = f.report.leaks[0], f.report.n_leaks
    return (
        f"{n} training message{'s are' if n > 1 else ' is'} in the holdout too and so not trained on, "
        f"first: {first} and {second}.",
        f"有 {n} 条训练消息也在留出集中，因此未用于训练，第一处：{first} 与 {second}。",
    )


def _trained_before(f: Findings) -> Advice | None:
    if not f.n_trained_before:
        return None
    n = f.n_trained_before
    return (
        f"{n} row{'s' * (n > 1)} of {f.holdout_path} trained an earlier model, whose score there is too good; "
        "replace them with messages no model has seen.",
        f"{f.holdout_path} 中有 {n} 行曾用于训练以前的模型，那个模型在这些行上的成绩会偏高；"
        "请换成任何模型都没见过的消息。",
    )


def _near_leaks(f: Findings) -> Advice | None:
    if not f.report.n_near_leaks:
        return None
    (first, second), n = f.report.near_leaks[0], f.report.n_near_leaks
    return (
        f"{n} training message{'s are' if n > 1 else ' is'} almost the same as a holdout message, which flatters "
        f"the accuracy, first: {first} and {second}.",
        f"有 {n} 条训练消息与留出集中的消息几乎相同，会使准确率偏高，第一处：{first} 与 {second}。",
    )


def _imbalance(f: Findings) -> Advice | None:
    counts = list(f.report.class_counts.items())
    rare = [label for label, n in counts if n > 1 and n * IMBALANCE <= counts[0][1]]
    if not rare:
        return None
    largest, n_largest = counts[0]
    return (
        f"Imbalance: {largest!r} has {n_largest} training rows, {len(rare)} other{'s' * (len(rare) > 1)} "
        f"a tenth or less ({_listed(rare, en=True)}); add messages there first.",
        f"类别不均衡：“{largest}”有 {n_largest} 行训练数据，另有 {len(rare)} 个类别不到其十分之一"
        f"（{_listed(rare)}）；请优先补充这些类别。",
    )


def _small_holdout(f: Findings) -> Advice | None:
    n = f.report.n_holdout
    if n >= SMALL_HOLDOUT:
        return None
    points = round(100 / math.sqrt(n))
    return (
        f"The holdout has {n} row{'s' * (n > 1)}: accuracy is known to about ±{points} points. "
        "More labelled rows sharpen it.",
        f"留出集有 {n} 行：准确率的误差约为 ±{points} 个百分点。标注更多数据可使其更准。",
    )


RULES: tuple[Callable[[Findings], Advice | None], ...] = (
    _free_text_labels,
    _only_in_holdout,
    _conflicts,
    _set_aside,
    _spellings,
    _leaks,
    _trained_before,
    _single_rows,
    _not_judged,
    _near_leaks,
    _imbalance,
    _small_holdout,
)


def _classes(names: list[str], one: str, many: str) -> str:
    """ "Class 'a' has", "3 classes ('a', 'b', 'c') have"."""
    named = _listed(names, en=True)
    return f"Class {named} {one}" if len(names) == 1 else f"{len(names)} classes ({named}) {many}"


def _listed(names: list[str], *, en: bool = False) -> str:
    """The first few names; labels are a project's own words, not a person's text."""
    short = [name if len(name) <= 40 else name[:39] + "…" for name in names[:N_NAMED]]
    more = "…" if len(names) > N_NAMED else ""
    return (
        ", ".join(map(repr, short)) + (f", {more}" if more else "") if en else "、".join(f"“{s}”" for s in short) + more
    )
