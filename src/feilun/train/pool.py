"""The pool: messages that nobody has labelled, embedded by the network of any fit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from feilun.models import embedder
from feilun.network.budget import n_threads
from feilun.train.cache import EmbeddingCache
from feilun.train.candidate import Fitted
from feilun.train.session import Session

TIME_SHARE = 0.6
"""The pool may take this share of the time that is left; the rest is for the network that ships."""


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
    from feilun.train.learnt import LearntSpace  # needs torch

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
