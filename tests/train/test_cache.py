"""No text is embedded twice, and the folder stays within its bound."""

from __future__ import annotations

import numpy as np

from feilun.train.cache import EmbeddingCache


class Network:
    """Counts what it is asked; its embedding of a text is a function of the text."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts):
        self.asked += texts
        return np.array([[len(t), sum(map(ord, t)) % 97] for t in texts], dtype=np.float32)


def test_a_text_is_embedded_once_over_all_turns(tmp_path, tiny_backbone):
    network = Network()
    first, done = EmbeddingCache(tmp_path, tiny_backbone, max_tokens=8).embed(["a", "bb", "a"], run=network)
    assert done.all()
    assert network.asked == ["a", "bb"]
    again, _ = EmbeddingCache(tmp_path, tiny_backbone, max_tokens=8).embed(["bb", "ccc", "a"], run=network)
    assert network.asked == ["a", "bb", "ccc"]
    np.testing.assert_array_equal(again[[2, 0]], first[[0, 1]])
    EmbeddingCache(tmp_path, tiny_backbone, max_tokens=16).embed(["a"], run=network)
    assert network.asked == ["a", "bb", "ccc", "a"]  # another length is another embedding


def test_time_running_out_leaves_the_rest_undone(tmp_path, tiny_backbone):
    texts = [f"text {i}" for i in range(600)]
    order = np.arange(600)[::-1]
    cache = EmbeddingCache(tmp_path, tiny_backbone, max_tokens=8)
    _, done = cache.embed(texts, run=Network(), order=order, go_on=lambda n_done: n_done < 256)
    assert done.tolist() == [False] * 344 + [True] * 256


def test_the_longest_unused_go_when_the_folder_is_full(tmp_path, tiny_backbone):
    small = EmbeddingCache(tmp_path, tiny_backbone, max_tokens=8, max_bytes=600)
    for n in range(6):
        small.embed([f"text {n}"], run=Network())
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= 600


def test_a_damaged_shard_is_embedded_again(tmp_path, tiny_backbone):
    EmbeddingCache(tmp_path, tiny_backbone, max_tokens=8).embed(["a"], run=Network())
    (shard,) = tmp_path.rglob("*.safetensors")
    shard.write_bytes(b"rubbish")
    network = Network()
    EmbeddingCache(tmp_path, tiny_backbone, max_tokens=8).embed(["a"], run=network)
    assert network.asked == ["a"]
