"""The pool: messages that nobody has labelled, embedded by the network of any fit."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from feilun.models import embedder, read_config, read_tensors
from feilun.network.budget import n_threads
from feilun.train.cache import EmbeddingCache
from feilun.train.candidate import Fitted
from feilun.train.session import Session

if TYPE_CHECKING:
    from feilun.network.activations import Activations
    from feilun.network.batches import Corpus

TIME_SHARE = 0.6
"""The pool may take this share of the time that is left; the rest is for the network that ships."""
SAMPLE_ROWS = 64
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


class Space(Protocol):
    """Where the rows of a session and the messages of its pool lie."""

    n_pool: int

    def embed(self, fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
        """(n_rows, n_hidden) and (n_pool, n_hidden), float32 of unit length, by the network of a fit."""


def open_space(session: Session, fitted: Fitted, texts: Sequence[str], *, n_fits: int) -> Space:
    """The space of fits like `fitted`, with as many of `texts` as there is time for.

    Args:
        n_fits: how many networks will embed it.
    """
    if not fitted.tensors:
        return FrozenSpace(session, texts)
    return LearntSpace(session, fitted, texts, n_fits=n_fits)


class FrozenSpace:
    """The embeddings of the frozen backbone, the same for every fit."""

    def __init__(self, session: Session, texts: Sequence[str]) -> None:
        max_tokens = session.settings.backbone.max_tokens
        encoder = embedder(session.backbone, max_tokens=max_tokens, threads=n_threads())
        ends = time.monotonic() + TIME_SHARE * session.budget.left_s
        cache = EmbeddingCache(session.cache_dir, session.backbone, max_tokens=max_tokens)
        embeddings, done = cache.embed(
            texts, run=lambda some: encoder.run(some)[0], go_on=lambda n_done: time.monotonic() < ends
        )
        self.rows, self.pool = session.embeddings, embeddings[done]
        self.n_pool = len(self.pool)

    def embed(self, fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
        return self.rows, self.pool


class LearntSpace:
    """The embeddings of networks whose upper layers were trained; what lies below is computed once for all of them."""

    def __init__(self, session: Session, fitted: Fitted, texts: Sequence[str], *, n_fits: int) -> None:
        from feilun.network.batches import Corpus
        from feilun.network.device import pick_device, pick_precision

        self.session = session
        self.device = pick_device()
        self.precision = pick_precision(self.device)
        self.config = read_config(session.backbone.folder)
        self.tensors = read_tensors(session.backbone.folder)
        self.n_frozen = min(int(found[1]) for name in fitted.tensors if (found := _LAYER.match(name)))
        encoder = embedder(session.backbone, max_tokens=session.settings.backbone.max_tokens, threads=n_threads())
        token_ids = [encoder.tokenise(text) for text in texts]
        self.n_rows = len(session.token_ids)
        self.n_pool = self._affordable(Corpus(token_ids), fitted, n_fits=n_fits)
        self.corpus = Corpus([*session.token_ids, *token_ids[: self.n_pool]])
        self.activations = self._activations(self.corpus)
        if self.n_pool:
            self.activations.build()

    def embed(self, fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
        from feilun.network.device import on_all_cores

        found = on_all_cores(self._embed)(self.corpus, self.activations, fitted)
        return found[: self.n_rows], found[self.n_rows :]

    def _activations(self, corpus: Corpus) -> Activations:
        from feilun.network.activations import Activations
        from feilun.network.shards import Shards

        space = ("activations", self.session.backbone.info.fingerprint, str(self.n_frozen), str(self.precision))
        return Activations(
            corpus,
            self.tensors,
            self.config,
            n_frozen=self.n_frozen,
            precision=self.precision,
            device=self.device,
            scratch=self.session.scratch,
            cache=Shards(self.session.cache_dir, space),
        )

    def _embed(self, corpus: Corpus, activations: Activations, fitted: Fitted) -> np.ndarray:
        import torch

        from feilun.network.encoder import LayerStack, pool

        layers = LayerStack(self.config, first=self.n_frozen, last=self.config.n_layers)
        layers.load(fitted.tensors).to(self.device)
        out = np.empty((len(corpus), self.config.n_hidden), dtype=np.float32)
        with torch.no_grad():
            for batch in corpus.in_order(np.arange(len(corpus)), batch_size=SAMPLE_ROWS):
                x = layers(activations.take(batch), batch.groups, precision=self.precision)
                out[batch.rows] = (
                    pool(x, batch.groups, pooling=self.session.backbone.info.pooling).float().cpu().numpy()
                )
        return out

    def _affordable(self, pool: Corpus, fitted: Fitted, *, n_fits: int) -> int:
        """How many messages there is time for, from what a sample takes."""
        from feilun.network.batches import Corpus

        rows = np.arange(min(SAMPLE_ROWS, len(pool)))
        sample = Corpus([pool.ids[pool.starts[row] : pool.starts[row + 1]].tolist() for row in rows])
        activations = self._activations(sample)
        self._embed(sample, activations, fitted)  # the first pass sets things up
        started = time.monotonic()
        self._embed(sample, activations, fitted)  # nothing is kept here, so this is the whole network
        whole_s = (time.monotonic() - started) / len(sample.ids)
        upper = 1 - self.n_frozen / self.config.n_layers
        per_token_s = whole_s * (1 - upper + n_fits * upper)
        tokens = np.cumsum(pool.lengths)
        return int(np.searchsorted(tokens * per_token_s, TIME_SHARE * max(self.session.budget.left_s, 0)))
