"""What a turn would take, before it is begun: time from a short trial on this machine, memory and disk from a model."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from feilun.config import FeilunSettings
from feilun.models import embedder
from feilun.network.budget import Budget, n_threads
from feilun.network.checkpoint import Checkpoints
from feilun.records import Backbone, Dataset, Need, Preflight, RungForecast
from feilun.tasks import Task
from feilun.train.folds import FoldPlan, stratified_order
from feilun.train.recipe import settle_recipe
from feilun.train.room import FULL_FROM, check_room, verdict
from feilun.train.rows import TrainingRows, collect_rows
from feilun.train.session import BATCH_TOKENS, Session, learning_rungs, session_plan

if TYPE_CHECKING:
    from feilun.train.tune import Tune

SAMPLE_ROWS = 256
"""Rows of the trial: enough batches to be typical, few enough to take seconds."""
FIT_PASSES = 60
"""A logistic regression goes over its rows so often (measured: 30 to 100), two products each time."""


def preflight(
    dataset: Dataset, backbone: Backbone, settings: FeilunSettings, *, task: Task, budget_s: float, workdir: Path
) -> Preflight:
    """Predict time, memory and disk of every rung; nothing is trained and nothing is left behind.

    Time is AMPLE when every epoch and fold fits into the budget together with the rungs below, TIGHT when a shorter
    plan does, OVER when not even the shortest does (the rung would be skipped).

    Raises:
        NothingToLearn: fewer than two classes have a row.
        NotEnoughRoom: memory or disk would not do.
    """
    rows = collect_rows(dataset, settings.train, task=task)
    settings = settle_recipe(settings, n_examples=rows.n_examples, n_classes=len(rows.labels))
    room = check_room(rows, backbone, settings, task=task, folder=workdir)
    order = stratified_order(rows.targets[: rows.n_examples], seed=settings.train.seed)
    wanted = np.zeros(len(rows.texts), dtype=bool)
    wanted[order[:SAMPLE_ROWS]] = True
    sample = rows.keep(wanted)
    scratch = Path(tempfile.mkdtemp(prefix="feilun-preflight-"))
    try:
        session, embed_s = _sample_session(sample, backbone, settings, task=task, budget_s=budget_s, scratch=scratch)
        spent_s = embed_s * len(rows.texts) / len(sample.texts) + _probe_s(rows, settings, session.embeddings.shape[1])
        rungs = [RungForecast(method="probe", needs=(_time(spent_s, spent_s, budget_s), *room["probe"]))]
        for method in learning_rungs(settings.train):
            line = _forecast(session, rows, method, spent_s=spent_s, budget_s=budget_s, room=room[method])
            rungs.append(line)
            spent_s += sum(need.needs for need in line.needs if need.what == "time" and need.verdict != "OVER")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Preflight(n_rows=rows.n_examples, n_classes=len(rows.labels), budget_s=budget_s, rungs=tuple(rungs))


def _sample_session(
    sample: TrainingRows, backbone: Backbone, settings: FeilunSettings, *, task: Task, budget_s: float, scratch: Path
) -> tuple[Session, float]:
    """A session on the sample, and the seconds that embedding it took."""
    encoder = embedder(backbone, max_tokens=settings.backbone.max_tokens, threads=n_threads())
    encoder.run(sample.texts[:1])  # the first run sets things up
    started = time.monotonic()
    embeddings = encoder.run(sample.texts, batch_tokens=BATCH_TOKENS)[0]
    took_s = time.monotonic() - started
    session = Session(
        rows=sample,
        embeddings=embeddings,
        token_ids=[encoder.tokenise(text) for text in sample.texts],
        n_offered=sample.n_examples,
        plan=session_plan(sample, settings.train, seed=settings.train.seed),
        backbone=backbone,
        settings=settings,
        task=task,
        budget=Budget(budget_s),
        seed=settings.train.seed,
        scratch=scratch,
        cache_dir=scratch / "cache",
        checkpoints=Checkpoints(scratch / "checkpoints", key="preflight"),
        emit=lambda kind, data: None,
    )
    return session, took_s


def _probe_s(rows: TrainingRows, settings: FeilunSettings, n_hidden: int) -> float:
    """Seconds of all logistic regressions: their passes over the rows, at this machine's speed of products."""
    n, c = len(rows.texts), rows.targets.shape[1]
    a = np.ones((512, n_hidden), dtype=np.float32)
    started = time.monotonic()
    for _ in range(8):
        a @ a.T
    per_product = (time.monotonic() - started) / (8 * 512 * 512 * n_hidden)
    n_fits = len(settings.train.probe.c) * (settings.train.n_folds - 1) * min(1.0, 4000 / n) + 3
    return per_product * FIT_PASSES * 2 * n * n_hidden * c * n_fits


def _forecast(
    session: Session, rows: TrainingRows, method: str, *, spent_s: float, budget_s: float, room: list[Need]
) -> RungForecast:
    """One rung, from a trial on the sample scaled to all rows."""
    settings = session.settings.train
    if method == "full" and rows.n_examples < settings.full.min_rows:
        least = settings.full.min_rows
        return RungForecast(
            method=method,
            note_en=f"Would not be tried: fewer than {least} examples.",
            note_zh=f"不会尝试：样本不足 {least} 条。",
        )
    try:
        from feilun.train.tuning import DEFAULT_HEAD_C, make_candidate, plans_of, price_of
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return RungForecast(
            method=method,
            note_en="Needs torch: pip install 'feilun[train]'",
            note_zh="需要 torch：pip install 'feilun[train]'",
        )
    candidate = make_candidate(session, method, head_c=DEFAULT_HEAD_C)
    price = price_of(session, candidate)
    scale = len(rows.texts) / len(session.rows.texts)
    epochs = _epochs(candidate, rows)
    plan = session.plan

    def scaled_s(some: FoldPlan, n_epochs: int) -> float:
        """Only what comes with each token grows with the rows."""
        return price.sizes_s + scale * (price.needed_s(some, n_epochs) - price.sizes_s)

    most, least_s = scaled_s(plan, epochs), scaled_s(plans_of(plan)[-1], 1)
    return RungForecast(method=method, needs=(_time(most, spent_s + most, budget_s, least_s + spent_s), *room))


def _epochs(candidate: Tune, rows: TrainingRows) -> int:
    """Passes over all rows; on the few of the sample there would be more of them."""
    from feilun.train.tune import epochs_for

    return epochs_for(math.ceil(len(rows.texts) / candidate.settings.batch_size), candidate.settings)


def _time(needs_s: float, until_s: float, budget_s: float, least_until_s: float | None = None) -> Need:
    """Seconds of a rung; the verdict looks at the moment when it would be done."""
    found = verdict(until_s, budget_s)
    if least_until_s is not None:
        found = "AMPLE" if until_s <= FULL_FROM * budget_s else "TIGHT" if least_until_s <= budget_s else "OVER"
    has = max(budget_s - (until_s - needs_s), 0.0)
    return Need(what="time", needs=round(needs_s, 3), has=round(has, 3), unit="s", verdict=found)
