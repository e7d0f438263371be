"""Why a person is asked about a message, in one sentence a reason and in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feilun.feedback.choosing import Pool, doubt, kernel_heat, nearest_labelled, neighbours_say
from feilun.records import Why

TORN = 0.5  # doubt from which the model counts as unsure between two labels
NOVEL_SHARE = 0.05  # unlike anything labelled: farther from it than all but so many labelled messages from each other
MOST_LABELLED = 2000  # labelled messages that this is measured on
BACKED = 0.6  # share of the labelled neighbours that must agree with each other before their word counts
FEW_LABELS = 3

# Reason codes, each with a sentence.
WORDS = {
    "asked": ("Somebody asked for a second opinion.", "有人希望再确认一次。"),
    "disliked": ("Somebody disliked the answer.", "有人不满意这个回答。"),
    "handed_over": ("The model handed it over to a person.", "模型已将它转给人工。"),
    "out_of_scope": ("The model thinks that it belongs to no class.", "模型认为它不属于任何类别。"),
    "label_doubt": (
        "{place} is labelled {given!r}; by cross-validation it is rather {suggested!r}.",
        "{place} 的标签是“{given}”，交叉验证认为更可能是“{suggested}”。",
    ),
    "unsure": (
        "The model is unsure between {first!r} ({p_first:.0%}) and {second!r} ({p_second:.0%}).",
        "模型在“{first}”（{p_first:.0%}）与“{second}”（{p_second:.0%}）之间拿不准。",
    ),
    "undecided": (
        "The model is undecided whether {first!r} applies ({p_first:.0%}).",
        "模型无法决定“{first}”是否适用（{p_first:.0%}）。",
    ),
    "disagreement": (
        "The model says {first!r}; the most similar labelled messages say {near!r}.",
        "模型认为是“{first}”，而最相似的已标注消息是“{near}”。",
    ),
    "models_disagree": (
        "The champion says {first!r}, the challenger {second!r}.",
        "冠军认为是“{first}”，挑战者认为是“{second}”。",
    ),
    "novel": ("It is unlike anything labelled so far.", "它与目前所有已标注的消息都不相似。"),
    "typical": (
        "It stands for {n_similar} more that mean nearly the same.",
        "它代表另外 {n_similar} 条意思相近的消息。",
    ),
    "few_labels": (
        "Class {first!r} has {n_labels} labelled messages so far.",
        "类别“{first}”目前只有 {n_labels} 条已标注消息。",
    ),
    "by_lot": ("It was drawn by lot.", "随机抽取。"),
    "useful": ("Its label would teach more than most.", "它的标签比多数消息更有价值。"),
}


def why(code: str, **fields: object) -> Why:
    """A reason with its sentences filled in."""
    en, zh = WORDS[code]
    return Why(code=code, en=en.format(**fields), zh=zh.format(**fields))


def sentences(reasons: Sequence[Why], *, lang: str) -> str:
    """The reasons in a row; Chinese sentences need no space between them."""
    return "".join(one.zh for one in reasons) if lang == "zh" else " ".join(one.en for one in reasons)


@dataclass(frozen=True)
class Explained:
    """What can be said about one chosen message."""

    why: tuple[Why, ...]
    n_similar: int


def explain(
    pool: Pool,
    picked: Sequence[int],
    *,
    labels: Sequence[str],
    similar_from: float,
    strategy: str,
) -> list[Explained]:
    """The reasons for every picked row of the pool, the most telling first; never none.

    Args:
        labels: the names of the classes of `pool.probs`.
        similar_from: cosine from which two messages mean nearly the same for sure; less will do where the pool's own
            scale says so.
    """
    rows = np.asarray(picked, dtype=np.int64)
    if not len(rows):
        return []
    similar_from = min(similar_from, speaks_from(pool.embeddings))
    chosen = Pool(pool.embeddings[rows], pool.probs[rows], pool.labelled, pool.targets, pool.exclusive)
    unsure = doubt(chosen.probs, exclusive=pool.exclusive)
    near, said = nearest_labelled(chosen), neighbours_say(chosen)
    is_novel = near < min(_novel_below(pool.labelled), similar_from)
    n_labels = pool.targets.sum(axis=0) if len(pool.targets) else np.zeros(len(labels))
    explained = []
    for i in range(len(rows)):
        n_similar = int(((pool.embeddings @ chosen.embeddings[i]) >= similar_from).sum()) - 1
        found = [] if strategy != "random" else [why("by_lot")]
        order = np.argsort(-chosen.probs[i], kind="stable")
        first = int(order[0])
        if len(order) > 1 and pool.exclusive and unsure[i] >= TORN:
            second, p = int(order[1]), chosen.probs[i]
            found.append(
                why("unsure", first=labels[first], p_first=p[first], second=labels[second], p_second=p[second])
            )
        elif unsure[i] >= TORN:
            worst = int(np.abs(chosen.probs[i] - 0.5).argmin())
            found.append(why("undecided", first=labels[worst], p_first=chosen.probs[i, worst]))
        if is_novel[i]:
            found.append(why("novel"))
        elif said[i].max() >= BACKED and int(said[i].argmax()) != first:
            found.append(why("disagreement", first=labels[first], near=labels[int(said[i].argmax())]))
        if n_similar > 0:
            found.append(why("typical", n_similar=n_similar))
        if n_labels[first] <= FEW_LABELS:
            found.append(why("few_labels", first=labels[first], n_labels=int(n_labels[first])))
        explained.append(Explained(tuple(found) or (why("useful"),), max(n_similar, 0)))
    return explained


def speaks_from(embeddings: np.ndarray) -> float:
    """The cosine from which a message speaks for another by more than half, as the strategy "auto" counts it."""
    some = embeddings[:: max(1, len(embeddings) // MOST_LABELLED)]
    return float(1 - np.log(2) / (2 * kernel_heat(some)))


def _novel_below(labelled: np.ndarray) -> float:
    """The cosine below which a message is unlike all that is labelled: nearly all of those have a nearer neighbour."""
    if len(labelled) < 2:
        return -1.0
    some = labelled[:: max(1, len(labelled) // MOST_LABELLED)]
    cosines = some @ some.T
    np.fill_diagonal(cosines, -1.0)
    return float(np.quantile(cosines.max(axis=1), NOVEL_SHARE))
