"""The bare module in memory: all layers of a network and its head, reading packed messages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from feilun.compress.export import FloatNetwork
from feilun.network.batches import Corpus, Packed
from feilun.network.device import pick_device, pick_precision, threads_for
from feilun.network.encoder import LayerStack, embed_tokens, pool


class BareNetwork:
    """A network and the messages that it reads. Layers and head can learn; the word table, in NumPy, cannot."""

    def __init__(self, network: FloatNetwork, token_ids: Sequence[Sequence[int]]) -> None:
        self.network, self.corpus = network, Corpus([list(row) for row in token_ids])
        self.device = pick_device()
        self.precision = pick_precision(self.device)
        self.layers = LayerStack(network.config, first=0, last=network.config.n_layers)
        self.layers.load(network.tensors).to(self.device)
        self.head = nn.Linear(network.config.n_hidden, len(network.head[1])).to(self.device)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(network.head[0]))
            self.head.bias.copy_(torch.from_numpy(network.head[1]))

    def n_threads(self, *, batch_size: int) -> int:
        """How many threads batches of so many messages are worth."""
        return threads_for(batch_size * self.corpus.lengths.mean(), n_hidden=self.network.config.n_hidden)

    def embed(self, batch: Packed) -> Tensor:
        """The embeddings (n_rows, n_hidden) of the batch's rows, in packing order."""
        network, corpus, index = self.network, self.corpus, batch.token_index
        x = torch.from_numpy(embed_tokens(network.tensors, corpus.ids[index], corpus.positions(index), network.config))
        x = nn.functional.pad(x.to(self.device), (0, 0, 0, batch.n_padded - len(x)))
        hidden = self.layers(x, batch.groups, precision=self.precision)
        return pool(hidden, batch.groups, pooling=network.pooling)
