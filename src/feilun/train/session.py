"""What the rungs of one ladder share: rows, embeddings, folds, the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feilun.config import FeilunSettings, TrainSettings
from feilun.models import embedder
from feilun.network.budget import Budget, Cost, n_threads
from feilun.network.checkpoint import Checkpoints
from feilun.network.shards import Shards
from feilun.records import Backbone, SearchReport
from feilun.tasks import Task
from feilun.train.cache import EmbeddingCache
from feilun.train.folds import FoldPlan, plan_folds, stratified_order
from feilun.train.leaderboard import Line
from feilun.train.rows import TrainingRows

EMBEDDING_SHARE = 0.75
"""Share of the budget after which no more rows are embedded; training then goes on with those there are."""
LEAST_ROWS = 1000
"""So many rows are embedded however short the budget: less would not be worth a turn."""
ENOUGH_HELD_OUT = 1000
"""When one fold holds so many rows (and ten for each class), two folds say enough and the others are not run."""
BATCH_TOKENS = 1024
"""Tokens embedded at once: they stay in the cache of one core (measured: 770 messages 2.8 CPU-s, with 4096 4.4)."""

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
    cache_dir: Path
    checkpoints: Checkpoints
    emit: OnEvent
    elsewhere: Cost = field(default_factory=Cost)
    search: SearchReport | None = None

    def tell(self, line: Line) -> None:
        """Say that a line of the leaderboard is finished."""
        self.emit("train.candidate", line.result().model_dump(mode="json"))

    def activation_cache(self, *, n_frozen: int, precision: object) -> Shards:
        """Where what the lowest `n_frozen` layers gave is kept between fits and turns; the same for all who ask."""
        space = ("activations", self.backbone.info.fingerprint, str(n_frozen), str(precision))
        return Shards(self.cache_dir, space)

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
    checkpoints: Checkpoints,
    emit: OnEvent,
) -> Session:
    """Embed the rows, as many as there is time for, and cut them into folds."""
    encoder = embedder(backbone, max_tokens=settings.backbone.max_tokens, threads=n_threads())

    def go_on(n_done: int) -> bool:
        emit("train.embed", {"done": n_done, "total": len(rows.texts)})
        return n_done < LEAST_ROWS or budget.spent_s < EMBEDDING_SHARE * budget.budget_s

    def run(texts: Sequence[str]) -> np.ndarray:
        return encoder.run(texts, batch_tokens=BATCH_TOKENS)[0]

    order = np.concatenate([rows.name_rows, stratified_order(rows.targets[: rows.n_examples], seed=seed)])
    cache = EmbeddingCache(cache_dir, backbone, max_tokens=settings.backbone.max_tokens)
    embeddings, done = cache.embed(rows.texts, run=run, order=order, go_on=go_on)
    some = rows.keep(done)
    return Session(
        rows=some,
        embeddings=embeddings[done],
        token_ids=[encoder.tokenise(text) for text in some.texts] if learning_rungs(settings.train) else [],
        n_offered=rows.n_examples,
        plan=session_plan(some, settings.train, seed=seed),
        backbone=backbone,
        settings=settings,
        task=task,
        budget=budget,
        seed=seed,
        scratch=scratch,
        cache_dir=cache_dir,
        checkpoints=checkpoints,
        emit=emit,
    )


def session_plan(rows: TrainingRows, settings: TrainSettings, *, seed: int) -> FoldPlan:
    """The folds that candidates are judged on: all of them, or two when those hold rows enough."""
    plan = plan_folds(rows, n_folds=settings.n_folds, seed=seed)
    many = rows.n_examples / settings.n_folds >= max(ENOUGH_HELD_OUT, 10 * len(rows.labels))
    return plan.first(2) if many else plan


def learning_rungs(settings: TrainSettings) -> list[str]:
    """The rungs above the probe that are switched on, cheapest first."""
    return [name for name in ("tune", "adapt", "full") if getattr(settings, name).enabled]
