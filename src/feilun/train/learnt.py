"""The pool as networks see it whose upper layers were trained."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import numpy as np
import torch

from feilun.models import embedder, read_config, read_tensors
from feilun.network.activations import Activations
from feilun.network.batches import Corpus
from feilun.network.budget import n_threads
from feilun.network.device import on_its_threads, pick_device, pick_precision, threads_for
from feilun.network.encoder import LayerStack, pool
from feilun.train.candidate import Fitted
from feilun.train.pool import TIME_SHARE
from feilun.train.session import Session

BATCH_ROWS = 64
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


class LearntSpace:
    """See `Space`. What lies below the trained layers is computed once for the networks of all fits.

    Args:
        fitted: one of the fits; its tensors tell which layers were trained.
        texts: the pool; `n_pool` says how many of them, from the front, there was time for.
        n_fits: how many networks will embed it.
    """

    def __init__(self, session: Session, fitted: Fitted, texts: Sequence[str], *, n_fits: int) -> None:
        self.session = session
        self.device = pick_device()
        self.precision = pick_precision(self.device)
        self.config = read_config(session.backbone.folder)
        self.tensors = read_tensors(session.backbone.folder)
        self.n_frozen = min(int(found[1]) for name in fitted.tensors if (found := _LAYER.match(name)))
        encoder = embedder(session.backbone, max_tokens=session.settings.backbone.max_tokens, threads=n_threads())
        token_ids = [encoder.tokenise(text) for text in texts]
        self.n_rows = len(session.token_ids)
        self.corpus = Corpus(token_ids)
        self.n_pool = self._affordable(fitted, n_fits=n_fits)
        self.corpus = Corpus([*session.token_ids, *token_ids[: self.n_pool]])
        self.activations = self._activations(self.corpus)
        if self.n_pool:
            self._build()

    @property
    def n_threads(self) -> int:
        """How many threads the batches are worth."""
        return threads_for(BATCH_ROWS * self.corpus.lengths.mean(), n_hidden=self.config.n_hidden)

    def embed(self, fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
        found = self._embed(self.corpus, self.activations, fitted)
        return found[: self.n_rows], found[self.n_rows :]

    @on_its_threads
    def _build(self) -> None:
        self.activations.build()

    @on_its_threads
    @torch.no_grad()
    def _embed(self, corpus: Corpus, activations: Activations, fitted: Fitted) -> np.ndarray:
        layers = LayerStack(self.config, first=self.n_frozen, last=self.config.n_layers)
        layers.load(fitted.tensors).to(self.device)
        out = np.empty((len(corpus), self.config.n_hidden), dtype=np.float32)
        for batch in corpus.in_order(np.arange(len(corpus)), batch_size=BATCH_ROWS):
            x = layers(activations.take(batch), batch.groups, precision=self.precision)
            found = pool(x, batch.groups, pooling=self.session.backbone.info.pooling)
            out[batch.rows] = found.float().cpu().numpy()
        return out

    def _affordable(self, fitted: Fitted, *, n_fits: int) -> int:
        """How many messages there is time for, from what a sample takes."""
        starts, ids = self.corpus.starts, self.corpus.ids
        rows = range(min(BATCH_ROWS, len(self.corpus)))
        sample = Corpus([ids[starts[row] : starts[row + 1]].tolist() for row in rows])
        activations = self._activations(sample)
        self._embed(sample, activations, fitted)  # the first pass sets things up
        started = time.monotonic()
        self._embed(sample, activations, fitted)  # nothing is kept here, so this is the whole network
        whole_s = (time.monotonic() - started) / len(sample.ids)
        upper = 1 - self.n_frozen / self.config.n_layers
        needed_s = np.cumsum(self.corpus.lengths) * whole_s * (1 - upper + n_fits * upper)
        return int(np.searchsorted(needed_s, TIME_SHARE * max(self.session.budget.left_s, 0)))

    def _activations(self, corpus: Corpus) -> Activations:
        return Activations(
            corpus,
            self.tensors,
            self.config,
            n_frozen=self.n_frozen,
            precision=self.precision,
            device=self.device,
            scratch=self.session.scratch,
            cache=self.session.activation_cache(n_frozen=self.n_frozen, precision=self.precision),
        )
