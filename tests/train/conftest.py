"""Small real messages, and the door's arguments in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from feilun.config import FeilunSettings
from feilun.records import Backbone, Dataset, Example, TrainResult
from feilun.tasks import get_task
from feilun.train import train

MESSAGES = {
    "refund": [
        "i want a refund",
        "refund my order",
        "money back refund please",
        "我要退款",
        "退款多久到",
        "请给我退款",
    ],
    "delivery": ["where is my parcel", "parcel is late", "my delivery is late", "快递到哪里了", "快递还没到", "查快递"],
    "card": ["my card is lost", "cancel my card", "the card is not ok", "银行卡丢了", "我的卡不能用", "注销卡"],
}

KEYWORDS = {"refund": "refund", "delivery": "parcel", "card": "card"}
FILLERS = ("where is my", "the", "i want my", "please", "my", "is the", "late", "thanks for the", "no", "order and")
MANY = {label: [f"{filler} {word}" for filler in FILLERS] for label, word in KEYWORDS.items()}
"""Thirty messages that a random network can tell apart, for one word decides."""


def examples_of(messages: dict[str, list[str]]) -> tuple[Example, ...]:
    """One example a message, classes interleaved as in real files."""
    pairs = [(i, label, text) for label, texts in messages.items() for i, text in enumerate(texts)]
    return tuple(
        Example(f"{label}-{i}", {"text": text}, tuple(label.split("|")) if label else (), "test.csv", row=i)
        for i, label, text in sorted(pairs)
    )


def dataset_of(examples: Sequence[Example]) -> Dataset:
    labels = sorted({label for example in examples for label in example.target or () if label != "oos"})
    return Dataset("d-test", tuple(examples), (), (), tuple(labels))


def settings_of(**sections: Any) -> FeilunSettings:
    """Settings whose [train.tune] holds however few the examples are, unless the test says otherwise."""
    train = sections.pop("train", {})
    tune = {"few": {"max_rows": 0}} | train.get("tune", {})
    given = {"project": {"name": "test"}, "backbone": {"max_tokens": 32}, "train": train | {"tune": tune}, **sections}
    return FeilunSettings.model_validate(given)


Train = Callable[..., TrainResult]


@pytest.fixture
def run_train(tmp_path: Path, tiny_backbone: Backbone) -> Train:
    """train() on the tiny backbone, with everything that a test does not care about filled in."""

    def run(
        dataset: Dataset | None = None,
        *,
        folder: str = "out",
        budget_s: float = 60,
        seed: int = 0,
        backbone: Backbone = tiny_backbone,
        on_event: Any = None,
        task_object: Any = None,
        **sections: Any,
    ) -> TrainResult:
        settings = settings_of(**sections)
        return train(
            dataset or dataset_of(examples_of(MESSAGES)),
            backbone,
            settings,
            task=task_object or get_task(settings.task),
            workdir=tmp_path / folder,
            budget_s=budget_s,
            seed=seed,
            on_event=on_event,
        )

    return run
