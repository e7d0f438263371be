"""The last rung: every layer learns; only the embedding tables stay as they are."""

from __future__ import annotations

from feilun.train.tune import Tune


class Full(Tune):
    """`Tune` with no layer frozen (`n_frozen` is 0): twice the work of an update, for data that are many."""

    method = "full"
