"""Which candidate is better."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.config import TaskSettings
from feilun.tasks.classify import ClassifyTask
from feilun.train.folds import FoldPlan
from feilun.train.leaderboard import Line, choose
from feilun.train.scoring import is_better, lead, score

TASK = ClassifyTask(TaskSettings())


def _logits(targets: np.ndarray, *, right: float, seed: int, sure: float = 3.0) -> np.ndarray:
    """Logits that are right for a share of the rows, otherwise for a random other class."""
    rng = np.random.default_rng(seed)
    n, c = targets.shape
    shift = np.where(rng.random(n) < right, 0, rng.integers(1, c, n))
    logits = rng.normal(0, 1, (n, c))
    logits[np.arange(n), (targets.argmax(axis=1) + shift) % c] += sure
    return logits.astype(np.float32)


@pytest.fixture
def targets() -> np.ndarray:
    return np.eye(5, dtype=np.float32)[np.random.default_rng(0).integers(0, 5, 400)]


def test_the_scale_of_the_logits_decides_nothing(targets):
    logits = _logits(targets, right=0.8, seed=1)
    loud, quiet = score(logits * 7, targets, task=TASK), score(logits / 7, targets, task=TASK)
    assert loud.log_loss == pytest.approx(quiet.log_loss, abs=2e-3)
    assert loud.temperature == pytest.approx(49 * quiet.temperature, rel=0.05)


def test_a_clear_lead_wins_and_a_tie_goes_to_the_cheaper(targets):
    good, poor = (score(_logits(targets, right=r, seed=2), targets, task=TASK) for r in (0.9, 0.7))
    assert is_better(good, poor)
    assert not is_better(poor, good)
    assert not is_better(good, good)


def test_the_metrics_are_the_tasks_own_with_the_calibrated_loss(targets):
    logits = _logits(targets, right=0.9, seed=3)
    found = score(logits, targets, task=TASK)
    assert found.metrics["accuracy"] == pytest.approx((logits.argmax(1) == targets.argmax(1)).mean())
    assert found.metrics["accuracy"] == pytest.approx(found.hits.mean())
    assert found.log_loss <= TASK.log_loss(TASK.probs(logits), targets) + 1e-6
    assert found.block_losses.mean() == pytest.approx(found.log_loss, rel=0.02)


@pytest.mark.parametrize(
    ("cheap", "dear", "wins"),
    [("probe", "tune", True), ("probe", "full", True), ("tune", "full", False), ("probe", "propagate", False)],
)
def test_a_tie_goes_to_layers_that_learnt_when_only_a_probe_stands_against_them(targets, cheap, dear, wins):
    logits = _logits(targets, right=0.8, seed=4)
    tie, behind = (_line(dear, some, targets) for some in (logits, _logits(targets, right=0.6, seed=4)))
    known = _line(cheap, logits, targets)
    assert lead(tie.score, known.score) == 0 and lead(behind.score, known.score) < -1
    assert (choose(known, tie, None, task=TASK) is tie) == wins
    assert choose(known, behind, None, task=TASK) is known


def _line(method: str, logits: np.ndarray, targets: np.ndarray) -> Line:
    held_out = np.arange(len(targets))
    plan = FoldPlan(((held_out[:0], held_out),), 1)
    return Line(method, plan=plan, logits=logits, score=score(logits, targets, task=TASK))
