"""What the rungs of one ladder share: rows, embeddings, folds, the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feilun.config import FeilunSettings
from feilun.models import embedder
from feilun.network.budget import Budget, Cost, n_threads
from feilun.records import Backbone, SearchReport
from feilun.tasks import Task
from feilun.train.cache import EmbeddingCache
from feilun.train.folds import FoldPlan, plan_folds, stratified_order
from feilun.train.rows import TrainingRows

EMBEDDING_SHARE = 0.75
"""Share of the budget after which no more rows are embedded; training then goes on with those there are."""
LEAST_ROWS = 1000
"""So many rows are embedded however short the budget: less would not be worth a turn."""
ENOUGH_HELD_OUT = 1000
"""When one fold holds so many rows (and ten for each class), one fold says enough and the others are not run."""

OnEvent = Callable[[str, dict[str, Any]], None]


@dataclass
class Session:
    """What the rungs of one ladder share. `n_offered`: the examples there were, of which `rows` may be a part.

    elsewhere: what other processes took; search: what the search tried.
    """

    rows: TrainingRows
    embeddings: np.ndarray
    token_ids: list[list[int]]
    n_offered: int
    plan: FoldPlan
    backbone: Backbone
    settings: FeilunSettings
    task: Task
    budget: Budget
    seed: int
    scratch: Path
    emit: OnEvent
    elsewhere: Cost = field(default_factory=Cost)
    search: SearchReport | None = None

    @property
    def everything(self) -> np.ndarray:
        """What a final fit learns from: every example and every class name."""
        return np.arange(len(self.rows.texts))


def open_session(
    rows: TrainingRows,
    backbone: Backbone,
    settings: FeilunSettings,
    *,
    task: Task,
    budget: Budget,
    seed: int,
    scratch: Path,
    cache_dir: Path,
    emit: OnEvent,
) -> Session:
    """Embed the rows, as many as there is time for, and cut them into folds."""
    encoder = embedder(backbone, max_tokens=settings.backbone.max_tokens, threads=n_threads())

    def go_on(n_done: int) -> bool:
        emit("train.embed", {"done": n_done, "total": len(rows.texts)})
        return n_done < LEAST_ROWS or budget.spent_s < EMBEDDING_SHARE * budget.budget_s

    def run(texts: Sequence[str]) -> np.ndarray:
        return encoder.run(texts)[0]

    order = np.concatenate([rows.name_rows, stratified_order(rows.targets[: rows.n_examples], seed=seed)])
    cache = EmbeddingCache(cache_dir, backbone, max_tokens=settings.backbone.max_tokens)
    embeddings, done = cache.embed(rows.texts, run=run, order=order, go_on=go_on)
    some = rows.keep(done)
    plan = plan_folds(some, n_folds=settings.train.n_folds, seed=seed)
    if some.n_examples / settings.train.n_folds >= max(ENOUGH_HELD_OUT, 10 * len(rows.labels)):
        plan = plan.first_only()
    return Session(
        rows=some,
        embeddings=embeddings[done],
        token_ids=[encoder.tokenise(text) for text in some.texts] if settings.train.tune.enabled else [],
        n_offered=rows.n_examples,
        plan=plan,
        backbone=backbone,
        settings=settings,
        task=task,
        budget=budget,
        seed=seed,
        scratch=scratch,
        emit=emit,
    )
