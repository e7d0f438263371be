"""Who is held out when: stratified folds that survive tiny classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feilun.train.rows import TrainingRows


@dataclass(frozen=True)
class FoldPlan:
    """Pairs of (training rows, held-out rows) of a `TrainingRows`. Each held-out row is held out once.

    n_folds: the folds that the examples were cut into; `folds` may hold only the first of them.
    """

    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    n_folds: int

    @property
    def held_out(self) -> np.ndarray:
        """Every held-out row, fold after fold: the order of all out-of-fold logits."""
        return np.concatenate([held for _, held in self.folds]) if self.folds else np.empty(0, dtype=np.int64)

    def first(self, n: int) -> FoldPlan:
        """The same cut, but only its first `n` folds are judged: for data so large that they say enough."""
        return FoldPlan(folds=self.folds[:n], n_folds=self.n_folds)


def plan_folds(rows: TrainingRows, *, n_folds: int, seed: int, among: np.ndarray | None = None) -> FoldPlan:
    """Cut the examples (or those `among` them) into stratified folds.

    A class with fewer rows than folds is held out in as many folds as it has rows. The only row of a class is held
    out only if the class's name can stand in for it; otherwise it stays on the training side of every fold, for a
    model that never saw a class says nothing about the one that ships.

    Args:
        among: row numbers below rows.n_examples; None means all.
    """
    rng = np.random.default_rng([seed, n_folds])
    among = np.arange(rows.n_examples) if among is None else np.asarray(among)
    counts = rows.targets[among].sum(axis=0)
    strata = _strata(rows.targets[among], counts)
    named = set(rows.targets[rows.name_rows].argmax(axis=1).tolist())
    fold_of = np.full(len(among), -1)
    turn = 0
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        if stratum >= 0 and counts[stratum] < 2 and int(stratum) not in named:
            continue
        # Go on where the last class stopped, so that the folds are equally large.
        fold_of[members] = (turn + np.arange(len(members))) % n_folds
        turn += len(members)
    folds = []
    for fold in range(n_folds):
        held = among[fold_of == fold]
        if len(held):
            folds.append((np.concatenate([among[fold_of != fold], rows.name_rows]), held))
    return FoldPlan(folds=tuple(folds), n_folds=n_folds)


def stratified_order(targets: np.ndarray, *, seed: int) -> np.ndarray:
    """A random order of the rows in which every beginning holds the classes in proportion, each class early."""
    strata = _strata(targets, targets.sum(axis=0))
    order = np.random.default_rng([seed, 1]).permutation(len(targets))
    order = order[np.argsort(strata[order], kind="stable")]
    _, first, counts = np.unique(strata[order], return_index=True, return_counts=True)
    # The k-th of m rows of a class gets priority k/m: taking the lowest takes every class at an equal rate.
    priority = (np.arange(len(order)) - np.repeat(first, counts)) / np.repeat(counts, counts)
    return np.asarray(order[np.argsort(priority, kind="stable")])


def _strata(targets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(n,) the rarest class of each row, -1 for rows without one."""
    rarity = np.where(targets > 0, counts, np.inf)
    return np.where(targets.sum(axis=1) > 0, rarity.argmin(axis=1), -1)
