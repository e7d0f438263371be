"""The lines between answering and handing over, all chosen on rows the models had not learnt from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

N_STARTS = 3  # of the sequential test: one unlucky early mistake must not end the search
N_STEPS = 50  # coverages tested, at most
HAND_OVER_ALL = 1.0

MEMORY_DEFAULT, MEMORY_LOW, MEMORY_HIGH = 0.95, 0.8, 0.99
MEMORY_PURITY = 0.98  # share of neighbours beyond the threshold that must carry the same labels
MEMORY_MIN_PAIRS = 50  # 1 in 50 is the 2 % that purity allows: fewer pairs cannot tell
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
       test for k growing from the fewest rows that could pass (59 for 5 % at level 0.95 and one start). Testing goes
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


def memory_threshold(embeddings: np.ndarray, targets: np.ndarray, *, seed: int) -> float:
    """The cosine similarity from which the nearest neighbour carries the same labels 98 times in 100.

    Every row is paired with its nearest other row; pairs are taken from the most similar on, as long as 98 % of
    them agree. With fewer than 50 such pairs the data cannot tell, and it is 0.95.

    Args:
        embeddings: (n, h) float32, unit length; more than 5,000 rows are sampled, so that memory and time are bounded
            (fewer rows have farther neighbours, which errs on the careful side).
        targets: (n, c) of 0 and 1; out-of-scope rows may have a column of their own.
    Returns:
        A cosine similarity within [0.8, 0.99].
    """
    if len(embeddings) > MEMORY_MAX_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(embeddings), MEMORY_MAX_ROWS, replace=False))
        embeddings, targets = embeddings[rows], targets[rows]
    if len(embeddings) <= MEMORY_MIN_PAIRS:
        return MEMORY_DEFAULT
    similarity, neighbour = nearest_neighbours(embeddings)
    same = (targets == targets[neighbour]).all(axis=1)
    order = np.argsort(-similarity, kind="stable")
    sizes = np.arange(1, len(order) + 1)
    ok = sizes[(np.cumsum(same[order]) >= MEMORY_PURITY * sizes) & (sizes >= MEMORY_MIN_PAIRS)]
    if len(ok) == 0:
        return MEMORY_DEFAULT
    return float(np.clip(similarity[order[ok[-1] - 1]], MEMORY_LOW, MEMORY_HIGH))


def nearest_neighbours(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine similarity (n,) and row (n,) of each row's nearest other row; embeddings have unit length, n > 1."""
    n = len(embeddings)
    similarity, neighbour = np.empty(n, dtype=np.float64), np.empty(n, dtype=np.int64)
    for start in range(0, n, MEMORY_BLOCK):
        block = embeddings[start : start + MEMORY_BLOCK] @ embeddings.T
        rows = np.arange(len(block))
        block[rows, start + rows] = -np.inf  # a row is not its own neighbour
        neighbour[start : start + len(block)] = block.argmax(axis=1)
        similarity[start : start + len(block)] = block.max(axis=1)
    return similarity, neighbour
