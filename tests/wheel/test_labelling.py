"""The pool for labels: what waits, was answered or has no label; never what is labelled, skipped or held out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from feilun.feedback import capture, prediction_row
from feilun.records import Backbone, Dataset, Example, Why
from feilun.serve.engine.load import LoadedModel, load_bundle
from feilun.store import Store
from feilun.tasks import example_id, get_task
from feilun.wheel.errors import FileExists
from feilun.wheel.labelling import Question, export_batch, next_batch
from tests.bundles import LABELS, MESSAGES, make_bundle, settings_of

TASK = get_task(settings_of().task)
WAITS, DISLIKED, ANSWERED, BARE = "is my parcel late", "refund or parcel", "我的订单在哪里", "thanks for nothing"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone) -> LoadedModel:
    folder = tmp_path_factory.mktemp("labelling") / "bundle"
    make_bundle(folder, tiny_backbone)
    return load_bundle(folder)


def rows(texts: dict[str, str | None]) -> tuple[Example, ...]:
    return tuple(
        Example(example_id(text), {"text": text}, None if label is None else (label,), "m.csv")
        for text, label in texts.items()
    )


@pytest.fixture
def store(tmp_path: Path, model: LoadedModel):
    """One message of each kind of source, and of each kind that must not be asked about."""
    with Store(tmp_path / ".feilun") as opened:
        for number, (text, waits) in enumerate(
            {WAITS: True, DISLIKED: False, ANSWERED: False, "skipped": True, "labelled": True, "held out": True}.items()
        ):
            [answer] = model.predict([{"text": text}])
            decision = "hand_over" if waits else "answer"
            row = prediction_row(
                project="support",
                inputs={"text": text},
                example_id=example_id(text),
                answer=answer.model_copy(update={"decision": decision, "reason": "unsure" if waits else "confident"}),
                model_id="m_1",
                latency_ms=1,
                prediction_id=f"p{number}",
            )
            opened.add_predictions([row]).result()
        capture(opened, project="support", task=TASK, labels=LABELS, prediction_id="p1", thumb="down", actor="ann")
        capture(opened, project="support", task=TASK, labels=LABELS, prediction_id="p4", label="refund", actor="ann")
        opened.skip_in_queue("support", "p3", actor="ann")
        yield opened


DATASET = Dataset(
    "d",
    train=rows({text: label for label, texts in MESSAGES.items() for text in texts}),
    holdout=rows({"held out": "refund"}),
    unlabelled=rows({BARE: None, "labelled": None, "skipped": None, WAITS.upper(): None}),
    labels=LABELS,
)


def suggest(store: Store, model: LoadedModel, **changed: object):
    asked = {"dataset": DATASET, "limit": 20, "strategy": "auto"} | changed
    return next_batch(store, "support", model=model, **asked)


@pytest.mark.parametrize("strategy", ["auto", "margin", "random"])
def test_the_pool_is_what_waits_what_was_answered_and_what_has_no_label(store, model, strategy):
    batch = suggest(store, model, strategy=strategy)
    found = {one.inputs["text"]: (one.source, one.prediction_id) for one in batch.suggestions}
    assert found == {
        DISLIKED: ("queue", "p1"),
        WAITS: ("queue", "p0"),
        ANSWERED: ("traffic", "p2"),
        BARE: ("data", None),
    }
    assert (batch.n_pool, batch.n_scored, batch.strategy, batch.model_id) == (4, 4, strategy, model.model_id)


def test_what_somebody_disliked_comes_first_and_says_so(store, model):
    first = suggest(store, model, limit=1).suggestions[0]
    assert (first.inputs["text"], first.why[0].code) == (DISLIKED, "disliked")
    waiting = next(one for one in suggest(store, model).suggestions if one.inputs["text"] == WAITS)
    assert waiting.why[0].code == "handed_over"


def test_a_guess_is_the_models_own_answer(store, model):
    for one in suggest(store, model).suggestions:
        [answer] = model.predict([one.inputs])
        assert (one.labels, one.alternatives) == (answer.labels, answer.alternatives)
        assert one.confidence == pytest.approx(answer.confidence, abs=1e-6)


def test_a_label_takes_a_message_out_of_the_pool_whatever_its_source(store, model):
    for text in (BARE, ANSWERED, WAITS):
        capture(store, project="support", task=TASK, labels=LABELS, inputs={"text": text}, label="thanks", actor="ann")
    assert [one.inputs["text"] for one in suggest(store, model).suggestions] == [DISLIKED]


def test_questions_from_elsewhere_are_asked_with_their_reason_even_on_labelled_rows(store, model):
    doubtful = next(iter(MESSAGES["refund"]))
    reason = Why(code="doubtful_label", en="The label looks wrong.", zh="标签可疑。")
    more = [Question({"text": doubtful}, "doubt", why=(reason,), first=True)]
    disliked, first, other = suggest(store, model, limit=3, more=more).suggestions
    assert (first.inputs["text"], first.source, first.why[0]) == (doubtful, "doubt", reason)
    assert disliked.inputs["text"] == DISLIKED  # a person waits for that
    assert other.source != "doubt"


def test_a_large_pool_is_read_part_by_part_and_nothing_twice(store, model):
    many = Dataset("d", (), (), rows({f"message number {i}": None for i in range(600)}), LABELS)
    seen: list[int] = []
    counts = [
        suggest(store, model, dataset=many, most_new=200, on_progress=lambda done, _: seen.append(done)).n_scored
        for _ in range(4)
    ]
    assert counts == sorted(counts) and counts[0] < counts[1] and counts[-1] == 604
    assert suggest(store, model, dataset=many, most_new=0).n_scored == 604


def test_an_empty_pool_is_an_empty_batch(tmp_path, model):
    with Store(tmp_path / "empty") as store:
        batch = suggest(store, model, dataset=None)
    assert (batch.suggestions, batch.n_pool, batch.n_scored) == ((), 0, 0)


def test_without_a_snapshot_traffic_alone_is_the_pool(store, model):
    texts = {one.inputs["text"] for one in suggest(store, model, dataset=None).suggestions}
    assert texts == {DISLIKED, WAITS, ANSWERED, "held out"}


@pytest.mark.parametrize(("lang", "word"), [("en", "disliked"), ("zh", "不满意")])
def test_an_exported_batch_has_an_empty_label_and_is_never_written_over(store, model, tmp_path, lang, word):
    out, batch = tmp_path / "batch.csv", suggest(store, model)
    assert export_batch(batch, out, task=TASK, columns=("内容", "类别"), lang=lang) == 4
    with out.open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert [(row["内容"], row["类别"]) for row in written] == [(one.inputs["text"], "") for one in batch.suggestions]
    assert word in written[0]["why"] and written[0]["prediction_id"] == "p1"
    before = out.read_bytes()
    with pytest.raises(FileExists):
        export_batch(batch, out, task=TASK, columns=("text", "label"), lang=lang)
    assert out.read_bytes() == before
