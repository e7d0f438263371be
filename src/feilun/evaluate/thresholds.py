"""The lines between answering, handing over and remembering, all chosen on rows the models had not learnt from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

N_STARTS = 3  # of the sequential test: one unlucky early mistake must not end the search
N_STEPS = 50  # coverages tested, at most
HAND_OVER_ALL = 1.0

MEMORY_LOW, MEMORY_HIGH = 0.8, 0.99
MEMORY_HARM = 2  # a right answer turned wrong weighs as much as two wrong ones turned right
MEMORY_MIN_GAIN = 3  # below 0.99 the memory must have earned more than luck with a pair or two can give
MEMORY_MAX_ROWS = 5000
MEMORY_BLOCK = 512

LABEL_LOW, LABEL_HIGH = 0.05, 0.95


@dataclass(frozen=True)
class AnswerThreshold:
    """Where answering begins, and on what evidence.

    promised: with the wanted confidence the error rate among answers stays below the limit
    best_effort: the error measured stays below the limit, but the rows are too few to promise it
    none: no threshold keeps below the limit; everything is handed over
    """

    threshold: float
    evidence: Literal["promised", "best_effort", "none"]
    n_answered: int
    n_wrong: int


def answer_threshold(
    confidence: np.ndarray, correct: np.ndarray, *, max_error_rate: float, level: float = 0.95
) -> AnswerThreshold:
    """The lowest confidence from which answers may be given, so that at most `max_error_rate` of them are wrong.

    1. The promise. Rows are ordered by confidence; answering the k surest of them is tested with the exact binomial
       test for k growing from the fewest rows that could pass (80 for 5 % at level 0.95). Testing goes
       on until it first fails, from each of three starts with a third of the risk; such a fixed sequence keeps the
       chance of a broken promise below 1 - level. It holds for messages like the ones the rows were drawn from, and
       when the order of confidences means something; the final model has learnt from more rows than the
       out-of-fold models, which works in its favour.
    2. The best effort. The largest k with (wrong + 1) / (k + 1) <= max_error_rate: about as often above the limit
       as below it, but near it. It is taken when the promise would cost more than half of the answers (as it does
       with a hundred rows), and is labelled so.
    3. Otherwise nothing is answered.

    Args:
        confidence: (n,) in [0, 1], calibrated.
        correct: (n,) bool; out-of-scope rows are wrong whatever the answer.
        max_error_rate: in (0, 1), of the rows answered.
        level: in (0, 1), how sure the promise is.
    Source:
        Angelopoulos et al. 2021, "Learn then Test", arXiv 2110.01052 (fixed-sequence testing with several starts);
        the aim is that of Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks",
        arXiv 1705.08500, whose union bound answers less on the same rows.
    """
    if len(confidence) == 0:
        return AnswerThreshold(threshold=HAND_OVER_ALL, evidence="none", n_answered=0, n_wrong=0)
    order = np.argsort(-confidence, kind="stable")
    sure = confidence[order].astype(np.float64)
    wrong = np.cumsum(~correct[order])
    ends = np.append(np.flatnonzero(sure[:-1] > sure[1:]) + 1, len(sure))  # equal confidences stay together
    promised = _promised(wrong, ends, max_error_rate=max_error_rate, level=level)
    fitting = ends[(wrong[ends - 1] + 1) <= max_error_rate * (ends + 1)]
    effort = int(fitting[-1]) if len(fitting) else 0
    if not promised and not effort:
        return AnswerThreshold(threshold=HAND_OVER_ALL, evidence="none", n_answered=0, n_wrong=0)
    k = promised if 2 * promised >= effort else effort
    return AnswerThreshold(
        threshold=0.0 if k == len(sure) else float((sure[k - 1] + sure[k]) / 2),
        evidence="promised" if k == promised else "best_effort",
        n_answered=k,
        n_wrong=int(wrong[k - 1]),
    )


def _promised(wrong: np.ndarray, ends: np.ndarray, *, max_error_rate: float, level: float) -> int:
    """The most rows whose error rate is below the limit with confidence `level`; 0 when there are none."""
    from scipy.special import bdtr

    risk = (1 - level) / N_STARTS
    fewest = math.ceil(math.log(risk) / math.log(1 - max_error_rate))
    if fewest > len(wrong):
        return 0
    wanted = np.linspace(fewest, len(wrong), N_STEPS).round().astype(int)
    sizes = np.unique(ends[np.searchsorted(ends, wanted)])
    passes = bdtr(wrong[sizes - 1].astype(np.float64), sizes, max_error_rate) <= risk
    best = 0
    for start in np.linspace(0, len(sizes), N_STARTS + 1)[:N_STARTS].astype(int):
        fails = np.flatnonzero(~passes[start:])
        n_passed = fails[0] if len(fails) else len(passes) - start
        if n_passed:
            best = max(best, int(sizes[start + n_passed - 1]))
    return best


def label_threshold(probs: np.ndarray, targets: np.ndarray) -> float:
    """The probability from which a label is given that makes micro-F1 largest (several labels per message).

    Args:
        probs: (n, c), calibrated.
        targets: (n, c) of 0 and 1.
    Returns:
        A probability within [0.05, 0.95]; 0.5 when no label is ever set.
    Source:
        Lipton, Elkan & Naryanaswamy 2014, arXiv 1402.1892: F1 is maximised by one threshold on calibrated
        probabilities; here it is found by trying every one.
    """
    n_gold = int((targets > 0).sum())
    if n_gold == 0:
        return 0.5
    order = np.argsort(-probs, axis=None, kind="stable")
    sorted_probs = probs.ravel()[order].astype(np.float64)
    hit = np.cumsum((targets > 0).ravel()[order])
    f1 = 2 * hit / (np.arange(1, len(order) + 1) + n_gold)
    f1[:-1][sorted_probs[:-1] == sorted_probs[1:]] = -1.0  # equal probabilities are given together
    best = int(f1.argmax())
    below = sorted_probs[best + 1] if best + 1 < len(order) else 0.0
    return float(np.clip((sorted_probs[best] + below) / 2, LABEL_LOW, LABEL_HIGH))


def memory_threshold(embeddings: np.ndarray, gold: np.ndarray, given: np.ndarray, *, seed: int) -> float:
    """The cosine similarity from which a corrected neighbour should decide instead of the model.

    It is tried out: the rows the model got wrong are what people would have corrected. Every row meets the nearest
    of them; taking over its labels turns some wrong answers right and some right ones wrong. The threshold is where
    right minus twice wrong is largest. Unless that is at least 3, only near-identical messages (0.99) are decided:
    corrections gather where classes overlap, so a neighbour's label is worth much less there than among messages at
    large, and a threshold from neighbours in general broke more answers than it mended on real data.

    Args:
        embeddings: (n, h) float32, unit length, of rows the model has not learnt from, by the graph that ships (a
            tuned network draws the messages it learnt from together by class, which would look like agreement).
            More than 5,000 rows are sampled, so that memory and time are bounded.
        gold, given: (n, c) bool, the true labels and the model's answers.
    Returns:
        A cosine similarity within [0.8, 0.99].
    """
    if len(embeddings) > MEMORY_MAX_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(embeddings), MEMORY_MAX_ROWS, replace=False))
        embeddings, gold, given = embeddings[rows], gold[rows], given[rows]
    right = (gold == given).all(axis=1)
    corrected = np.flatnonzero(~right)
    if len(corrected) < 2:
        return MEMORY_HIGH
    similarity, neighbour = nearest_other(embeddings, corrected)
    taken_over = (gold[neighbour] == gold).all(axis=1)
    gain = (taken_over & ~right).astype(int) - MEMORY_HARM * (~taken_over & right).astype(int)
    order = np.argsort(-similarity, kind="stable")
    total = np.cumsum(gain[order])
    best = int(total.argmax())
    if total[best] < MEMORY_MIN_GAIN:
        return MEMORY_HIGH
    return float(np.clip(similarity[order[best]], MEMORY_LOW, MEMORY_HIGH))


def nearest_other(embeddings: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine similarity (n,) and row (n,) of the nearest of the rows `among` (k > 1), never the row itself."""
    n = len(embeddings)
    similarity, neighbour = np.empty(n, dtype=np.float64), np.empty(n, dtype=np.int64)
    candidates = np.ascontiguousarray(embeddings[among].T)
    column = np.full(n, -1)
    column[among] = np.arange(len(among))
    for start in range(0, n, MEMORY_BLOCK):
        block = embeddings[start : start + MEMORY_BLOCK] @ candidates
        own = column[start : start + len(block)]
        rows = np.flatnonzero(own >= 0)
        block[rows, own[rows]] = -np.inf
        nearest = block.argmax(axis=1)
        neighbour[start : start + len(block)] = among[nearest]
        similarity[start : start + len(block)] = block[np.arange(len(block)), nearest]
    return similarity, neighbour
