"""The second rung: the upper layers and the head learn; the lower layers stay frozen, their activations cached."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from feilun.config import LearningSettings
from feilun.models import EncoderConfig
from feilun.network.activations import Activations
from feilun.network.batches import Corpus, Packed
from feilun.network.checkpoint import Checkpoints
from feilun.network.device import on_its_threads, threads_for
from feilun.network.encoder import LayerStack, pool
from feilun.network.loop import Bookmark, LoopSettings, Outcome, Report, optimise
from feilun.network.optimiser import make_optimiser
from feilun.network.shards import Shards
from feilun.records import Backbone
from feilun.tasks import Task
from feilun.train.candidate import Fitted
from feilun.train.rows import TrainingRows

HEAD_RATE = 10.0
"""The head learns so many times faster than the layers: it starts from class means, they from a finished network."""
HEAD_SCALE = 5.0
"""How far the first logits of the right class stand out. A head that starts too sure of itself leaves no gradient to
learn from."""
HEAD_SHARE = 1 / 3
"""Share of the head that was trained along in the final one; the rest is fitted afterwards, on the finished embeddings.
Each errs in its own way; together they were as good as the better one, and better calibrated than either."""
WARM_UP = 0.1
TRIAL_BATCHES = 3
MOST_EPOCHS_FOR_UPDATES = 10

Emit = Callable[[str, dict[str, Any]], None]


class Trial(NamedTuple):
    """Seconds: a token in the frozen layers, once; a token in an epoch; all sizes of batches met for the first time."""

    below_s: float
    learning_s: float
    sizes_s: float


class Network(nn.Module):
    """The layers that learn, and the head on top."""

    def __init__(self, layers: LayerStack, head: nn.Linear) -> None:
        super().__init__()
        self.layers, self.head = layers, head


class Tune:
    """Everything that the fits of one dataset share: tokens, cached activations, targets. See `Candidate`.

    The head of a fit is a mean of two: the one trained along with the layers, and the convex `task.fit_head` on the
    finished embeddings.
    """

    method = "tune"
    head_rate = HEAD_RATE
    averages = True
    """Whether the network that ships can be the mean of the fits of folds."""

    def __init__(
        self,
        corpus: Corpus,
        rows: TrainingRows,
        backbone: Backbone,
        settings: LearningSettings,
        *,
        n_frozen: int,
        config: EncoderConfig,
        tensors: Mapping[str, np.ndarray],
        embeddings: np.ndarray,
        task: Task,
        head_c: float,
        seed: int,
        device: torch.device,
        precision: torch.dtype,
        scratch: Path,
        cache: Shards | None,
        checkpoints: Checkpoints,
        emit: Emit,
    ) -> None:
        self.corpus, self.rows, self.settings, self.task = corpus, rows, settings, task
        self.config, self.tensors, self.embeddings = config, tensors, embeddings
        self.head_c, self.seed, self.device, self.precision, self.emit = head_c, seed, device, precision, emit
        self.pooling, self.backbone_name = backbone.info.pooling, backbone.info.source
        self.n_frozen, self.checkpoints = n_frozen, checkpoints
        self.epochs = planned_epochs(corpus, settings)
        self.targets = torch.from_numpy(rows.targets).to(device)
        self.weights = torch.from_numpy(rows.weights).to(device)
        self.activations = Activations(
            corpus,
            tensors,
            config,
            n_frozen=self.n_frozen,
            precision=precision,
            device=device,
            scratch=scratch,
            cache=cache,
        )

    @property
    def n_threads(self) -> int:
        """How many threads the batches are worth."""
        return threads_for(self.settings.batch_size * self.corpus.lengths.mean(), n_hidden=self.config.n_hidden)

    @property
    def params(self) -> dict[str, Any]:
        """The hyper-parameters, for the leaderboard; `epochs` may have been cut to the time there was."""
        return {
            "epochs": self.epochs,
            "learning_rate": self.settings.learning_rate,
            "batch_size": self.settings.batch_size,
            "n_frozen": self.n_frozen,
            "head_c": self.head_c,
            "precision": str(self.precision).removeprefix("torch."),
        }

    def fit(self, rows: np.ndarray, *, fold: int | None, time_limit_s: float) -> Fitted:
        """One network for these rows. A fit that was killed goes on where it was."""
        network = self._network(rows)
        outcome = self._optimise(network, rows, fold=fold, time_limit_s=time_limit_s, bookmark=True)
        return self._finish(network, rows, outcome)

    def fit_watched(
        self, rows: np.ndarray, held: np.ndarray, *, time_limit_s: float, loss: Callable[..., float]
    ) -> Fitted:
        """A fit for the first fold that looks at the held-out rows after each epoch and stops when they get worse.

        Sets `self.epochs` to the best epoch, which all other fits then use, and returns the state of that epoch.

        Args:
            loss: (logits, targets) -> validation loss.
        """
        network = self._network(rows)
        best: tuple[float, int, dict[str, Any]] = (np.inf, 0, {})

        def watch(epoch: int) -> bool:
            nonlocal best
            logits = Fitted(*self._head(network), embed=lambda some: self._embed(network, some)).logits(held)
            now = loss(logits, self.rows.targets[held])
            self.emit("train.validation", {"candidate": self.method, "fold": 1, "epoch": epoch, "loss": now})
            if now < best[0]:
                best = (now, epoch, copy.deepcopy(network.state_dict()))
            return epoch - best[1] < self.settings.patience

        outcome = self._optimise(network, rows, fold=0, time_limit_s=time_limit_s, watch=watch)
        if best[1]:
            network.load_state_dict(best[2])
            self.epochs = best[1]
        return self._finish(network, rows, outcome)

    def finish(self, rows: np.ndarray, fits: Sequence[Fitted], *, time_limit_s: float) -> Fitted:
        """The mean of the fits when there are two or more, which together saw every row; else a fit on all rows."""
        if self.averages and len(fits) > 1:
            return self.average(fits, rows)
        return self.fit(rows, fold=None, time_limit_s=time_limit_s)

    def average(self, fits: Sequence[Fitted], rows: np.ndarray) -> Fitted:
        """One network from the fits of several folds, which together saw all `rows`: the mean of their weights.

        All fits start from the same network and stay in one valley, where the mean is as good as a further fit on all
        rows. The convex head is fitted anew on the embeddings of the mean network.

        Source:
            Wortsman et al. 2022, "Model soups", arXiv 2203.05482.
        """
        network = self._network(rows)
        tensors = {name: np.mean([fit.tensors[name] for fit in fits], axis=0) for name in fits[0].tensors}
        network.layers.load(tensors)
        with torch.no_grad():
            for own, parts in zip(
                (network.head.weight, network.head.bias), zip(*(fit.head for fit in fits), strict=True), strict=True
            ):
                own.copy_(torch.from_numpy(np.asarray(sum(parts) / len(parts), dtype=np.float32)))
        outcome = Outcome(
            n_epochs=min(fit.facts["n_epochs"] for fit in fits),
            n_updates=sum(fit.facts["n_updates"] for fit in fits),
            loss=float(np.mean([fit.facts["last_loss"] for fit in fits])),
            in_a_hurry=any(fit.facts["in_a_hurry"] for fit in fits),
        )
        return self._finish(network, rows, outcome, n_averaged=len(fits))

    @on_its_threads
    def trial(self) -> Trial:
        """What one token costs, and what a new size of batch costs once. From real updates on a throw-away copy.

        Every batch is tried twice: the matrix library writes itself programs the first time it meets a size, which
        on few rows takes longer than the learning does.
        """
        everything = np.arange(len(self.corpus))
        network = self._network(everything)
        optimiser = self._optimiser(network)
        rng = np.random.default_rng(0)
        batches = list(self.corpus.shuffled(everything, batch_size=self.settings.batch_size, rng=rng))
        tried = sorted(batches, key=lambda batch: batch.n_padded)[:: max(1, len(batches) // TRIAL_BATCHES)]
        below, learning, new_size = [], [], []
        for batch in tried:
            first = sum(self._timed_update(network, optimiser, batch))
            took_below, took_learning = self._timed_update(network, optimiser, batch)
            new_size.append(max(first - took_below - took_learning, 0.0))
            below.append(took_below / len(batch.token_index))
            learning.append(took_learning / len(batch.token_index))
        return Trial(
            below_s=float(np.median(below)),
            learning_s=float(np.median(learning)),
            sizes_s=float(np.median(new_size)) * len({batch.n_padded for batch in batches}),
        )

    def _timed_update(self, network: Network, optimiser: torch.optim.Optimizer, batch: Packed) -> tuple[float, float]:
        started = time.monotonic()
        x = self.activations.take(batch)  # nothing is kept yet: this computes the frozen layers
        halfway = time.monotonic()
        self._loss(network, batch, x).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return halfway - started, time.monotonic() - halfway

    @on_its_threads
    def prepare(self, *, check: Callable[[], None]) -> None:
        """Compute the activations of the frozen layers; `check` raises when there is no more time for it."""
        self.activations.build(check=check)

    def close(self) -> None:
        """Give back the cached activations."""
        self.activations.close()

    def _network(self, rows: np.ndarray) -> Network:
        layers = LayerStack(self.config, first=self.n_frozen, last=self.config.n_layers).load(self.tensors)
        head = nn.Linear(self.config.n_hidden, self.rows.targets.shape[1])
        weight, bias = first_head(self.embeddings[rows], self.rows.targets[rows])
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(weight))
            head.bias.copy_(torch.from_numpy(bias))
        return Network(layers, head).to(self.device)

    def _optimiser(self, network: Network) -> torch.optim.AdamW:
        return make_optimiser(
            network.layers,
            network.head,
            learning_rate=self.settings.learning_rate,
            head_learning_rate=self.settings.learning_rate * self.head_rate,
            layer_decay=self.settings.layer_decay,
            weight_decay=self.settings.weight_decay,
        )

    @on_its_threads
    def _optimise(
        self,
        network: Network,
        rows: np.ndarray,
        *,
        fold: int | None,
        time_limit_s: float,
        watch: Callable[[int], bool] = lambda epoch: True,
        bookmark: bool = False,
    ) -> Outcome:
        number = 0 if fold is None else fold + 1
        rng = np.random.default_rng([self.seed, number])
        size = self.settings.batch_size
        kept = Bookmark(self.checkpoints, f"{self.method}-running", network=network, rng=rng) if bookmark else None

        def on_report(report: Report) -> bool:
            self.emit(
                "train.epoch" if report.epoch_done else "train.update",
                {
                    "candidate": self.method,
                    "fold": None if fold is None else fold + 1,
                    "epoch": report.epoch,
                    "epochs": report.epochs,
                    "update": report.n_updates,
                    "loss": round(report.loss, 4),
                    "rows_per_s": round(report.rows_per_s, 1),
                },
            )
            return watch(report.epoch) if report.epoch_done else True

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed * 1009 + number)  # dropout, where there is any
            return optimise(
                lambda batch: self._loss(network, batch, self.activations.take(batch)),
                lambda: self.corpus.thinned(self.settings.token_drop, rng=rng).shuffled(rows, batch_size=size, rng=rng),
                self._optimiser(network),
                LoopSettings(epochs=self.epochs, warm_up=WARM_UP),
                n_batches=self.corpus.n_batches(rows, batch_size=size),
                time_limit_s=time_limit_s,
                on_report=on_report,
                bookmark=kept,
            )

    def _loss(self, network: Network, batch: Packed, x: Tensor) -> Tensor:
        logits = network.head(self._forward(network, batch, x))
        rows = torch.from_numpy(batch.rows).to(self.device)
        loss: Tensor = self.task.loss(logits, self.targets[rows], self.weights[rows])
        return loss

    def _forward(self, network: Network, batch: Packed, x: Tensor) -> Tensor:
        """Pooled embeddings of the batch's rows, in packing order; x: what the frozen layers give for its tokens."""
        return pool(network.layers(x, batch.groups, precision=self.precision), batch.groups, pooling=self.pooling)

    @on_its_threads
    @torch.no_grad()
    def _embed(self, network: Network, rows: np.ndarray) -> np.ndarray:
        """(n, n_hidden) float32 in the order of `rows`."""
        out = np.empty((len(self.corpus), self.config.n_hidden), dtype=np.float32)
        for batch in self.corpus.in_order(rows, batch_size=64):
            out[batch.rows] = self._forward(network, batch, self.activations.take(batch)).float().cpu().numpy()
        return out[rows]

    def _head(self, network: Network) -> tuple[np.ndarray, np.ndarray]:
        head = network.head
        return head.weight.detach().cpu().float().numpy().copy(), head.bias.detach().cpu().float().numpy().copy()

    def _finish(self, network: Network, rows: np.ndarray, outcome: Outcome, **facts: Any) -> Fitted:
        trained = self._head(network)
        convex = self.task.fit_head(
            self._embed(network, rows),
            self.rows.targets[rows],
            c=self.head_c,
            sample_weight=self.rows.weights[rows],
            seed=self.seed,
        )
        return Fitted(
            weight=HEAD_SHARE * trained[0] + (1 - HEAD_SHARE) * convex[0],
            bias=HEAD_SHARE * trained[1] + (1 - HEAD_SHARE) * convex[1],
            embed=lambda some: self._embed(network, some),
            tensors=network.layers.tensors(),
            head=trained,
            facts={
                "n_epochs": outcome.n_epochs,
                "n_updates": outcome.n_updates,
                "last_loss": outcome.loss,
                "in_a_hurry": outcome.in_a_hurry,
                **facts,
            },
        )


def n_frozen_layers(config: EncoderConfig, frozen_fraction: float) -> int:
    """How many lower layers stay frozen: the share of the settings, at least one layer being left to learn."""
    return min(config.n_layers - 1, round(frozen_fraction * config.n_layers))


def planned_epochs(corpus: Corpus, settings: LearningSettings) -> int:
    """`settings.epochs`, or as many more as `min_updates` asks for on few rows."""
    return epochs_for(corpus.n_batches(np.arange(len(corpus)), batch_size=settings.batch_size), settings)


def epochs_for(per_epoch: int, settings: LearningSettings) -> int:
    """The same, from the number of batches in an epoch."""
    return max(settings.epochs, min(MOST_EPOCHS_FOR_UPDATES, -(-settings.min_updates // per_epoch)))


def first_head(embeddings: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A head that answers with the class whose mean embedding is nearest: weight (n_classes, n_hidden), bias.

    Directions are measured from the centre of all rows and scaled by how far rows lie from it, so that the logits have
    the same spread for every backbone: some put all cosines between 0.7 and 0.9. A class without rows gets zeros.

    Source:
        Snell et al. 2017, "Prototypical Networks for Few-shot Learning", arXiv 1703.05175.
    """
    centre = embeddings.mean(axis=0)
    spread = float(np.linalg.norm(embeddings - centre, axis=1).mean())
    counts = targets.sum(axis=0)[:, None]
    towards = np.where(counts > 0, targets.T @ embeddings / np.maximum(counts, 1) - centre, 0)
    towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-6)
    weight = HEAD_SCALE / max(spread, 1e-6) * towards
    return weight.astype(np.float32), (-weight @ centre).astype(np.float32)
