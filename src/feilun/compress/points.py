"""The forms in which one network could ship, measured side by side, and the one that the goal asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from feilun.compress.distil import cut_layers, distil
from feilun.compress.draft import own_pieces
from feilun.compress.export import FloatNetwork, export_float, read_network, write_graph
from feilun.compress.parity import Bench
from feilun.compress.prune import Importance, cut_width, weigh
from feilun.compress.quantise import quantise
from feilun.compress.students import Students, narrowed
from feilun.config import FeilunSettings, GoalSettings
from feilun.errors import FeilunError
from feilun.models.encode import Encoder
from feilun.models.serving import GRAPH_NAME, TOKENIZER_NAME
from feilun.records import Backbone, CompressPoint, Dataset, Example, Interval, TrainResult
from feilun.tasks import Task

Vocabulary = Literal["project", "all"]
Precision = Literal["int8", "float32"]
VOCABULARIES: tuple[Vocabulary, ...] = ("all", "project")
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
OnEvent = Callable[[str, dict[str, Any]], None]
MAX_HELD = 1000
MAX_WEIGHED = 500  # the order of heads and units is settled by some ten thousand tokens
HELD_SHARE = 4  # at most every fourth message is held back from a student's lessons


class NothingToJudgeOn(FeilunError):
    """The model has no answers to messages that it had not learnt from, so no smaller form can be chosen."""

    code, kind = "compress.nothing_to_judge_on", "missing"
    en = (
        "Model {model_id} was trained on so few rows that none could be held out, so smaller forms cannot be compared. "
        "Give each class two labelled messages or more, and turn again."
    )
    zh = (
        "模型 {model_id} 的训练行太少，无法留出任何一行，因此不能比较更小的形式。"
        "请让每个类别至少有两条已标注的消息，再运行一轮。"
    )


@dataclass(frozen=True)
class Held:
    """Training rows that a student never learns from: `places` in Dataset.train (n,), ascending; their targets; and
    the logits (n, n_classes) of models that had not learnt from them."""

    places: np.ndarray
    targets: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Form:
    """A point and what it is made from: a student, or (None) the model's own network.

    logits: (n_held, n_classes), what the form would say of the held rows had it not learnt from them.
    """

    point: CompressPoint
    student: FloatNetwork | None
    vocabulary: Vocabulary
    logits: np.ndarray


def hold_back(validation: dict[str, np.ndarray], *, n_messages: int) -> Held:
    """Some of the rows that training had held out in some fold, evenly spread, and few beside all messages there are.

    Args:
        validation: as in validation.safetensors, see `records.TrainResult`.
    """
    n_rows = len(validation["rows"])
    n_held = min(n_rows, MAX_HELD, max(n_messages // HELD_SHARE, 1))
    some = np.unique(np.linspace(0, n_rows - 1, n_held).astype(int)) if n_rows else np.empty(0, dtype=int)
    return Held(
        places=validation["rows"][some],
        targets=validation["targets"][some].astype(np.float32),
        logits=validation["logits"][some],
    )


class Workbench:
    """Makes and measures the forms of one model. One network's graph at a time is in memory.

    How good a form is, is judged on `held`. The model itself has learnt from those rows since, so its answers to them
    say nothing; but whether a form still gives them does. Where it does, the answers of the models that had not learnt
    from them stand; where it does not, the form's own count.
    """

    def __init__(
        self,
        result: TrainResult,
        backbone: Backbone,
        dataset: Dataset,
        settings: FeilunSettings,
        *,
        task: Task,
        held: Held,
        aside: Path,
        interval: Callable[[float, int], Interval],
        on_event: OnEvent,
    ) -> None:
        self.dataset, self.settings, self.task, self.held = dataset, settings, task, held
        self.interval, self.tell = interval, on_event
        self.whole = read_network(result, backbone)
        self.labels_mb = len(json.dumps(list(result.labels), ensure_ascii=False).encode()) / 1e6
        self.graph, self.tokenizer = aside / GRAPH_NAME, aside / TOKENIZER_NAME
        self.bench = Bench(
            rows=tuple(dataset.train[place] for place in held.places),
            labels=result.labels,
            task=task,
            max_tokens=settings.backbone.max_tokens,
            prefix=backbone.info.prefix,
        )
        self.tokenizer.write_bytes(self.whole.tokenizer)
        self.kept = own_pieces(
            self.whole.tokenizer, dataset, self.bench, language=settings.project.language, file=self.tokenizer
        )
        self.lessons = lessons_of(dataset, held, limit=settings.compress.distil.max_messages)
        self.exact = self.bench.score(self._write(self.whole, precision="float32"))

    def as_is(self, bundle: Path, *, n_pieces: int, precision: Precision) -> Form:
        """The model as it was sealed."""
        encoder = self.bench.open(bundle / GRAPH_NAME, tokenizer=bundle / TOKENIZER_NAME)
        size = sum((bundle / name).stat().st_size for name in (GRAPH_NAME, TOKENIZER_NAME)) / 1e6
        vocabulary: Vocabulary = "all" if n_pieces in (0, self.whole.config.vocab_size) else "project"
        return self._measure("as is", self.whole, encoder, precision=precision, vocabulary=vocabulary, graph_mb=size)

    def forms(self, as_is: Form, students: Students) -> Iterator[Form]:
        """The model with and without eight bits and the whole vocabulary, then the students.

        Raises:
            TooManyLayers, WidthNotSmaller: a student would be no smaller.
        """
        students.check(self.whole.config)
        known = (as_is.vocabulary, as_is.point.precision)
        own = VOCABULARIES if self.kept is not None else VOCABULARIES[:1]
        for vocabulary in own:
            for precision in PRECISIONS:
                if (vocabulary, precision) != known:
                    yield self._form("", self.whole, vocabulary=vocabulary, precision=precision)
        for name, untaught in self._untaught(students):
            student = self._teach(untaught)
            for precision in PRECISIONS:
                yield self._form(name, student, vocabulary=own[-1], precision=precision)

    def _untaught(self, students: Students) -> Iterator[tuple[str, FloatNetwork]]:
        for n_layers in students.n_layers:
            yield f"{n_layers} layers", cut_layers(self.whole, n_layers=n_layers)
        for width in students.widths:
            slim = narrowed(self.whole.config, width=width)
            yield f"width {width:g}", cut_width(self.whole, self._importance, n_heads=slim.n_heads, n_ffn=slim.n_ffn)

    def _teach(self, untaught: FloatNetwork) -> FloatNetwork:
        """A student of the whole network, taught on the lessons.

        It learns to be where its teacher is, so its teacher's neighbours are its own; of the answers it learns those
        of the head alone.
        """
        self.tell("compress.distil", untaught.shape | {"n_messages": len(self.lessons)})
        token_ids, aims = self._lessons
        return distil(
            untaught,
            token_ids,
            aims,
            self.settings.compress.distil,
            task=self.task,
            seed=self.settings.train.seed,
            on_event=self.tell,
        )

    @cached_property
    def _lessons(self) -> tuple[list[list[int]], tuple[np.ndarray, np.ndarray]]:
        """The messages as a student reads them, and the whole network's embeddings and logits of them."""
        texts = [self.task.text_of(example.inputs) for example in self.lessons]
        encoder = self._write(replace(self.whole, neighbours=None), precision="float32")
        embeddings, logits = encoder.run(texts)
        assert logits is not None, "an exported graph has a head"
        return [encoder.tokenise(text) for text in texts], (embeddings, logits)

    @cached_property
    def _importance(self) -> Importance:
        """Of the whole network's heads and units, from some of the lessons."""
        token_ids = self._lessons[0]
        some = np.linspace(0, len(token_ids) - 1, min(len(token_ids), MAX_WEIGHED)).astype(int)
        return weigh(self.whole, [token_ids[place] for place in some], seed=self.settings.train.seed)

    def _form(
        self,
        prefix: str,
        network: FloatNetwork,
        *,
        vocabulary: Vocabulary,
        precision: Precision,
    ) -> Form:
        cut = network if vocabulary == "all" or self.kept is None else network.with_pieces(self.kept)
        encoder = self._write(cut, precision=precision)
        parts = [prefix, "own vocabulary" if cut is not network else "", precision]
        size = sum(path.stat().st_size for path in (self.graph, self.tokenizer)) / 1e6
        return self._measure(
            ", ".join(part for part in parts if part),
            network,
            encoder,
            precision=precision,
            vocabulary=vocabulary,
            graph_mb=size,
        )

    def _measure(
        self,
        name: str,
        network: FloatNetwork,
        encoder: Encoder,
        *,
        precision: Precision,
        vocabulary: Vocabulary,
        graph_mb: float,
    ) -> Form:
        logits = self.bench.score(encoder)
        said, meant = (self.task.given(self.task.probs(scores)) for scores in (logits, self.exact))
        unlearnt = np.where((said == meant).all(axis=1, keepdims=True), self.held.logits, logits)
        right = self.task.correct(self.task.probs(unlearnt), self.held.targets)
        p50_ms, p99_ms = self.bench.time_one(encoder)
        whole = self.whole.config.vocab_size
        point = CompressPoint(
            name=name,
            **network.shape,
            n_pieces=whole if vocabulary == "all" or self.kept is None else len(self.kept),
            precision=precision,
            size_mb=graph_mb + self.labels_mb,
            p50_ms=p50_ms,
            p99_ms=p99_ms,
            accuracy=self.interval(float(right.sum()), len(right)),
            agreement=self.bench.compare(self.exact, logits).agreement,
        )
        self.tell("compress.point", point.model_dump(mode="json"))
        return Form(point, None if network is self.whole else network, vocabulary, unlearnt)

    def _write(self, network: FloatNetwork, *, precision: Precision) -> Encoder:
        model = export_float(network)
        if precision == "int8":
            quantise(model, method="token")
        write_graph(model, self.graph)
        self.tokenizer.write_bytes(network.tokenizer)
        del model
        return self.bench.open(self.graph, tokenizer=self.tokenizer)


def lessons_of(dataset: Dataset, held: Held, *, limit: int) -> list[Example]:
    """What a student learns from: every message but the held rows and those that the holdout has too."""
    judged = {dataset.train[place].example_id for place in held.places}
    judged |= {example.example_id for example in dataset.holdout}
    free = [example for example in (*dataset.train, *dataset.unlabelled) if example.example_id not in judged]
    if len(free) <= limit:
        return free
    return [free[i] for i in np.linspace(0, len(free) - 1, limit).astype(int)]


def choose(forms: Sequence[Form], goal: GoalSettings, *, max_loss: float) -> tuple[list[CompressPoint], int | None]:
    """All points, marked, and which of them to take: the smallest that keeps the goal; None when none does.

    A point keeps the goal when its size, its p99 and (if the goal is set on accuracy) its accuracy do, and when it
    gives up at most `max_loss` of the accuracy of the first one, the model as it is. At equal size the more accurate
    one is taken.
    """
    least = forms[0].point.accuracy.value - max_loss
    if goal.metric == "accuracy":
        least = max(least, goal.at_least)

    def fits(point: CompressPoint) -> bool:
        return (
            point.accuracy.value >= least
            and (goal.max_size_mb is None or point.size_mb <= goal.max_size_mb)
            and (goal.max_p99_ms is None or point.p99_ms <= goal.max_p99_ms)
        )

    points = [form.point for form in forms]
    within = [number for number, point in enumerate(points) if fits(point)]
    taken = min(within, key=lambda i: (points[i].size_mb, -points[i].accuracy.value), default=None)
    marked = [
        point.model_copy(
            update={
                "is_dominated": any(_dominates(other, point) for other in points),
                "is_within": number in within,
                "is_chosen": number == taken,
            }
        )
        for number, point in enumerate(points)
    ]
    return marked, taken


def _dominates(one: CompressPoint, other: CompressPoint) -> bool:
    ours = (one.size_mb, one.p50_ms, -one.accuracy.value)
    theirs = (other.size_mb, other.p50_ms, -other.accuracy.value)
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))
