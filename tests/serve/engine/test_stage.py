"""The stage answers whole, swaps without dropping a request, and corrections bite at once."""

from __future__ import annotations

import pytest

from feilun.serve.engine import Correction, NoChampion, Stage
from tests.bundles import make_bundle


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, tiny_backbone):
    """Two sealed bundles of different models, by model id."""
    root = tmp_path_factory.mktemp("bundles")
    made = {}
    for seed in (0, 1):
        model_id, _ = make_bundle(root / f"seed{seed}", tiny_backbone, seed=seed)
        made[model_id] = root / f"seed{seed}"
    return made


def ask(stage: Stage, *texts: str):
    return stage.predict([{"text": text} for text in texts])


def test_without_a_champion_the_error_says_what_to_do():
    stage = Stage("support")
    assert not stage.is_ready
    with pytest.raises(NoChampion, match=r"support.*feilun turn"):
        ask(stage, "hello")


def test_a_correction_bites_at_once_and_survives_a_swap(bundles):
    (first, one), (second, two) = bundles.items()
    stage = Stage("support")
    assert stage.swap(one) == first == stage.model_id
    assert ask(stage, "我的包裹在哪里").answers[0].reason != "memory"
    stage.remember([Correction("f1", "我的包裹在哪里", ("lost_parcel",))])
    for expected, folder in ((first, one), (second, two), (first, one)):
        assert stage.swap(folder) == expected
        served = ask(stage, " 我的包裹在哪里 ", "thanks")
        assert served.model_id == expected
        assert (served.answers[0].label, served.answers[0].reason, served.answers[0].confidence) == (
            "lost_parcel",
            "memory",
            1.0,
        )
        assert served.answers[1].reason != "memory"
    stage.forget(["f1"])
    assert ask(stage, "我的包裹在哪里").answers[0].reason != "memory"
