"""The memory finds exactly what a full comparison finds, forgets what it must, and never grows beyond its cap."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.serve.engine import Correction, Memory

WIDTH = 160  # more than a sketch holds


def unit(rng: np.random.Generator, n: int, *, n_topics: int = 40) -> np.ndarray:
    """Unit vectors around some topics, as sentences of one domain are."""
    topics = np.random.default_rng(7).standard_normal((n_topics, WIDTH))
    vectors = topics[rng.integers(0, n_topics, n)] + 0.35 * rng.standard_normal((n, WIDTH))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def corrections(n: int, *, start: int = 0) -> list[Correction]:
    return [Correction(f"f{i}", f"message {i}", (f"label{i}",)) for i in range(start, start + n)]


@pytest.mark.parametrize("n", [1, 100, 1500, 3000], ids=["one", "few", "sketched", "many"])
@pytest.mark.parametrize("threshold", [0.2, 0.8, 0.95])
def test_recall_is_exactly_the_nearest_above_the_threshold(n, threshold):
    rng = np.random.default_rng(n)
    vectors, known = unit(rng, n), corrections(n)
    memory = Memory(WIDTH)
    for start in range(0, n, 700):
        memory = memory.add(known[start : start + 700], vectors[start : start + 700])
    found = 0
    for query in np.concatenate([unit(rng, 60), vectors[: min(n, 5)]]):
        cosines = vectors @ query
        recall = memory.recall("unheard of", query, threshold=threshold)
        if cosines.max() < threshold - 1e-5:
            assert recall is None
        elif cosines.max() > threshold + 1e-5:
            found += 1
            assert recall.correction == known[int(cosines.argmax())]
            assert recall.similarity == pytest.approx(min(float(cosines.max()), 1.0), abs=1e-5)
    assert found > 0


def test_the_same_text_decides_whatever_its_embedding_says():
    vectors = unit(np.random.default_rng(0), 3)
    memory = Memory(WIDTH).add([Correction("f1", "Where is MY card", ("lost",))], vectors[:1])
    for text in ("where is my card", " Ｗhere  is my CARD\n"):
        assert memory.recall(text, -vectors[0], threshold=0.9).similarity == 1.0
    assert memory.recall("where is my car", -vectors[0], threshold=0.9) is None


def test_the_latest_correction_of_a_text_wins_and_so_does_the_latest_of_equals():
    vector = unit(np.random.default_rng(0), 1)
    memory = Memory(WIDTH).add([Correction("f1", "hello", ("a",))], vector)
    memory = memory.add([Correction("f2", "HELLO", ("b",))], vector)
    assert len(memory) == 1 and memory.recall("hello", vector[0], threshold=0.9).correction.feedback_id == "f2"
    memory = memory.add([Correction("f3", "goodbye", ("c",))], vector)
    assert memory.recall("unheard of", vector[0], threshold=0.9).correction.feedback_id == "f3"
    memory = memory.add([Correction("f4", "hello", ("d",)), Correction("f5", "hello", ("e",))], np.repeat(vector, 2, 0))
    assert memory.recall("unheard of", vector[0], threshold=0.9).correction.feedback_id == "f5"
    assert [one.feedback_id for one in memory.corrections()] == ["f3", "f5"]


def test_the_oldest_are_forgotten_beyond_the_cap():
    rng = np.random.default_rng(0)
    memory, vectors = Memory(WIDTH, max_corrections=50), unit(rng, 400)
    known = corrections(400)
    for i in range(400):
        memory = memory.add(known[i : i + 1], vectors[i : i + 1])
    assert memory.corrections() == tuple(known[350:])
    assert memory.recall("message 10", np.zeros(WIDTH, np.float32), threshold=0.9) is None
    for i in (350, 399):
        assert memory.recall("unheard of", vectors[i], threshold=0.99).correction == known[i]
    whole = Memory(WIDTH, max_corrections=50).add(known, vectors)
    assert whole.corrections() == memory.corrections()


def test_forgetting_wipes_and_leaves_the_rest():
    vectors, known = unit(np.random.default_rng(0), 1500), corrections(1500)
    memory = Memory(WIDTH).add(known, vectors)
    after = memory.without(known[:700])
    assert len(after) == 800 and len(memory) == 1500
    assert after.recall("message 3", vectors[3], threshold=0.999) is None
    for recalled in (memory, after):  # the vector is gone from the older memory too
        assert recalled.recall("unheard of", vectors[3], threshold=0.999) is None
    assert after.recall("unheard of", vectors[900], threshold=0.999).correction == known[900]
    again = after.add(known[:10], vectors[:10])
    assert again.recall("unheard of", vectors[3], threshold=0.999).correction == known[3]


def test_an_older_memory_is_not_changed_by_a_later_one():
    vectors, known = unit(np.random.default_rng(0), 300), corrections(300)
    first = Memory(WIDTH).add(known[:100], vectors[:100])
    second = first.add(known[100:200], vectors[100:200])
    branch = first.add(known[200:], vectors[200:])  # from the same shelf: must not write over the second's rows
    apart = second.copy().add(known[200:], vectors[200:])
    assert [len(memory) for memory in (first, second, branch, apart)] == [100, 200, 200, 300]
    assert first.recall("unheard of", vectors[150], threshold=0.999) is None
    assert second.recall("unheard of", vectors[150], threshold=0.999).correction == known[150]
    assert branch.recall("unheard of", vectors[250], threshold=0.999).correction == known[250]
    assert second.recall("unheard of", vectors[250], threshold=0.999) is None
    assert apart.recall("unheard of", vectors[250], threshold=0.999).correction == known[250]
