"""A student is a part of its teacher that learns to answer as the teacher does."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.compress.distil import cut_layers, distil, evenly_spaced
from feilun.compress.export import export_float, read_network
from feilun.config import DistilSettings
from feilun.models import Encoder, read_tensors
from feilun.tasks import get_task
from tests.bundles import MESSAGES, network_of, settings_of

TEXTS = [text for texts in MESSAGES.values() for text in texts]


@pytest.mark.parametrize(
    ("n_layers", "of", "expected"),
    [(3, 6, [1, 3, 5]), (6, 12, [1, 3, 5, 7, 9, 11]), (4, 6, [1, 2, 3, 5]), (1, 2, [1]), (2, 3, [1, 2])],
)
def test_a_student_starts_from_evenly_spaced_layers_with_the_last_among_them(n_layers, of, expected):
    picked = evenly_spaced(n_layers, of=of)
    assert picked[-1] == of - 1 and len(set(picked)) == n_layers and max(np.diff([-1, *picked])) <= -(-of // n_layers)
    assert picked == expected


@pytest.fixture
def teacher(tmp_path, tiny_backbone):
    return read_network(network_of(tmp_path / "train", tiny_backbone), tiny_backbone)


def test_layers_are_renumbered_and_everything_else_stays(teacher, tiny_backbone):
    student = cut_layers(teacher, n_layers=1)
    tensors = read_tensors(tiny_backbone.folder)
    name = "encoder.layer.{}.attention.self.query.weight"
    np.testing.assert_array_equal(student.tensors[name.format(0)], tensors[name.format(1)])
    assert not any(name.startswith("encoder.layer.1.") for name in student.tensors)
    assert (student.config.n_layers, teacher.config.n_layers) == (1, 2)
    assert export_float(student).ByteSize() < export_float(teacher).ByteSize()


def encoder_of(network, tiny_backbone) -> Encoder:
    return Encoder(export_float(network).SerializeToString(), tiny_backbone.folder / "tokenizer.json", max_tokens=32)


def learn(untaught, aims, encoder, *, epochs, multi_label=False, events=None):
    return distil(
        untaught,
        [encoder.tokenise(text) for text in TEXTS],
        aims,
        DistilSettings(epochs=epochs, batch_size=8, learning_rate=3e-3),
        task=get_task(settings_of(task={"multi_label": multi_label}).task),
        seed=0,
        on_event=lambda kind, data: None if events is None else events.append((kind, data["epoch"])),
    )


@pytest.mark.parametrize("multi_label", [False, True], ids=["one label", "several"])
def test_a_student_comes_nearer_to_its_teacher_without_a_label(teacher, tiny_backbone, multi_label):
    encoder = encoder_of(teacher, tiny_backbone)
    embeddings, logits = encoder.run(TEXTS)
    untaught, events = cut_layers(teacher, n_layers=1), []
    student = learn(untaught, (embeddings, logits), encoder, epochs=20, multi_label=multi_label, events=events)
    before, after = (
        np.square(encoder_of(network, tiny_backbone).run(TEXTS)[0] - embeddings).sum(axis=1).mean()
        for network in (untaught, student)
    )
    assert after < before / 2
    assert encoder_of(student, tiny_backbone).run(TEXTS)[1].argmax(1).tolist() == logits.argmax(1).tolist()
    assert [epoch for kind, epoch in events if kind == "compress.epoch"] == list(range(1, 21))


def test_the_same_lessons_make_the_same_student(teacher, tiny_backbone):
    encoder = encoder_of(teacher, tiny_backbone)
    aims, untaught = encoder.run(TEXTS), cut_layers(teacher, n_layers=1)
    one, other = (learn(untaught, aims, encoder, epochs=2) for _ in range(2))
    assert all(np.array_equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    np.testing.assert_array_equal(one.head[0], other.head[0])
