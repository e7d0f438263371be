"""What a team builds: the `Task` protocol, and the registry behind the `feilun.tasks` entry points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np

from feilun.config import TaskSettings
from feilun.errors import FeilunError
from feilun.records import Answer, Example, Thresholds


class UnknownTask(FeilunError):
    """feilun.toml names a task that nothing provides."""

    code, kind = "task.unknown", "invalid"
    en = "[task] type {name!r} is not one of {known}. {hint}"
    zh = "[task] type {name!r} 不在 {known} 之中。{hint}"


@runtime_checkable
class Task(Protocol):
    """One scenario: its rows, its head, its loss, its metrics, its answers. Stages know no more than this.

    Implementations hold no state but their settings, may be called from any thread, and do no I/O.
    Throughout, n examples, c classes, h hidden units; `targets` is (n, c) float32 of 0 and 1, `logits` and
    `probs` are (n, c) float32.
    """

    name: str
    settings: TaskSettings

    # rows
    def inputs_from(self, text: str) -> dict[str, Any]:
        """The inputs of a message."""

    def text_of(self, inputs: dict[str, Any]) -> str:
        """The text that the backbone reads and that duplicates are compared on."""

    def parse_target(self, cell: str) -> tuple[str, ...] | None:
        """The target in a label cell; None when the cell is empty."""

    def label_space(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """The classes that the targets of `examples` use, sorted; out-of-scope rows add none."""

    def encode_targets(self, examples: Sequence[Example], labels: Sequence[str]) -> np.ndarray:
        """(n, c) float32; a row of zeros is out of scope (or, multi-label, has no label)."""

    def label_texts(self, labels: Sequence[str]) -> list[str]:
        """Class names as readable text, so that names can teach: 'card_arrival' -> 'card arrival'."""

    def label_descriptions(self, labels: Sequence[str]) -> list[str]:
        """What the project says that each class is about; "" where it says nothing.

        Raises:
            UnknownDescribed: a label is described that is none of `labels`.
        """

    @property
    def exclusive(self) -> bool:
        """Whether a message has one class at most, so that classes compete for it."""

    # train
    def fit_head(
        self, embeddings: np.ndarray, targets: np.ndarray, *, c: float, sample_weight: np.ndarray | None, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """A linear head on frozen embeddings (n, h): weight (c, h) and bias (c,), float32."""

    def loss(self, logits: Any, targets: Any, sample_weight: Any) -> Any:
        """Mean training loss of torch tensors; differentiable."""

    # judge
    def probs(self, logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
        """Calibrated probabilities of logits."""

    def log_loss(self, probs: np.ndarray, targets: np.ndarray) -> float:
        """Mean negative log-likelihood of the targets; what calibration minimises."""

    def given(self, probs: np.ndarray, thresholds: Thresholds | None = None) -> np.ndarray:
        """(n, c) bool: the labels that each answer carries."""

    def correct(self, probs: np.ndarray, targets: np.ndarray, thresholds: Thresholds | None = None) -> np.ndarray:
        """(n,) bool: whether each answer is right; the paired test and the thresholds stand on it."""

    def confidence(self, probs: np.ndarray) -> np.ndarray:
        """(n,) in [0, 1]: how sure each answer is."""

    def in_scope(self, probs: np.ndarray) -> np.ndarray:
        """(n,) in [0, 1]: how much each message looks like one of the classes at all, whichever it is."""

    def metrics(self, probs: np.ndarray, targets: np.ndarray, thresholds: Thresholds | None = None) -> dict[str, float]:
        """The task's metrics by name; the first is the headline."""

    def resampled_metrics(
        self,
        probs: np.ndarray,
        targets: np.ndarray,
        thresholds: Thresholds | None = None,
        *,
        weights: Iterable[np.ndarray],
    ) -> dict[str, np.ndarray]:
        """The same metrics, each (b,), on b resamples of the rows: intervals stand on it.

        `weights` comes in blocks (b_i, n) float32 that say how often each row was drawn; the sum of the b_i is b.
        """

    # answer
    def answer(self, probs: np.ndarray, labels: Sequence[str], thresholds: Thresholds) -> Answer:
        """The answer for one row of probs (c,)."""


def list_tasks() -> dict[str, Any]:
    """Task classes by name: our own and every installed plugin's, from the entry points."""
    found = {entry.name: entry for entry in entry_points(group="feilun.tasks")}
    if "classify" not in found:  # running from a source tree that was never installed
        from feilun.tasks.classify import ClassifyTask

        return {"classify": ClassifyTask}
    return {name: entry.load() for name, entry in sorted(found.items())}


def get_task(settings: TaskSettings) -> Task:
    """The task that feilun.toml asks for.

    Raises:
        UnknownTask: nothing provides it; the nearest name is suggested.
    """
    known = list_tasks()
    if settings.type not in known:
        near = get_close_matches(settings.type, known, n=1)
        raise UnknownTask(name=settings.type, known=sorted(known), hint=f"({near[0]}?)" if near else "")
    task: Task = known[settings.type](settings)
    return task
