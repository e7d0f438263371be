"""A turn's events as a person sees them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feilun.cli.progress import Progress, TurnView, line_of
from feilun.records import Event

STREAM = [
    ("step.start", {"step": "data"}),
    ("step.done", {"step": "data", "n_train": 12, "n_holdout": 4, "n_classes": 2, "n_corrections": 0, "wall_s": 0.5}),
    ("step.start", {"step": "train"}),
    ("train.epoch", {"candidate": "tune", "fold": 2, "epoch": 3, "epochs": 8, "loss": 0.41234}),
]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    monkeypatch.setenv("FEILUN_LANG", "en")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Event(event_id=n, project="support", turn_id="turn_1", kind=kind, data=data, created_at=now)
        for n, (kind, data) in enumerate(STREAM, start=1)
    ]


def test_plain_lines_name_the_step_what_it_came_to_and_the_loss(events: list[Event]):
    assert [line_of(event) for event in events] == [
        "data …",
        "data done in 0.5 s: n_train 12 · n_holdout 4 · n_classes 2 · n_corrections 0",
        "train …",
        "  tune, fold 2, epoch 3/8: loss 0.4123",
    ]


def test_the_view_knows_what_is_done_and_what_runs(events: list[Event]):
    view = TurnView()
    for event in events:
        view.apply(event)
    assert [step for step, outcome in view.steps.items() if outcome] == ["data"]
    assert (view.running, view.detail["epoch"], view.turn_id) == ("train", 3, "turn_1")


def test_a_step_of_a_later_release_is_shown_too(events: list[Event]):
    view = TurnView()
    view.apply(events[0].model_copy(update={"data": {"step": "polish"}}))
    assert [*view.steps][-1] == view.running == "polish"
    assert line_of(events[0].model_copy(update={"data": {"step": "polish"}})) == "polish …"


def test_off_a_terminal_progress_is_lines_on_stderr(events: list[Event], capsys: pytest.CaptureFixture[str]):
    with Progress() as progress:
        for event in events:
            progress(event)
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 4)


def test_a_candidate_is_one_line_with_its_score_and_the_note_of_the_language(events: list[Event]):
    data = {
        "method": "probe",
        "params": {"c": 30.0},
        "validation": {"accuracy": 0.8125},
        "note_en": "Chosen.",
        "note_zh": "x",
    }
    event = events[3].model_copy(update={"kind": "train.candidate", "data": data})
    assert line_of(event) == "  probe c=30 · validation accuracy 81.2% · Chosen."


def test_what_is_no_number_or_short_word_never_shows_up(events: list[Event]):
    data = {"note": "probe", "texts": ["call me"], "inputs": {"text": "call me"}, "en": "x", "zh": "y"}
    assert line_of(events[3].model_copy(update={"kind": "train.other", "data": data})) == "  note probe"


def test_each_update_is_for_the_live_panel_only(events: list[Event]):
    assert line_of(events[3].model_copy(update={"kind": "train.update"})) == ""


@pytest.mark.parametrize(
    ("lang", "line"),
    [
        ("en", "  trial 3 of 20 given up early · log-loss 0.6123 · best 0.5000 · learning_rate=0.000123 epochs=4"),
        ("zh", "  第 3/20 次试验提前放弃 · 对数损失 0.6123 · 目前最好 0.5000 · learning_rate=0.000123 epochs=4"),
    ],
)
def test_a_trial_is_one_line_with_its_end_and_the_best_so_far(monkeypatch, events, lang, line):
    monkeypatch.setenv("FEILUN_LANG", lang)
    data = {
        "number": 5,
        "n_tried": 3,
        "n_asked": 20,
        "status": "pruned",
        "params": {"learning_rate": 0.000123456, "epochs": 4},
        "validation": {"log_loss": 0.61234},
        "best_log_loss": 0.5,
        "reason": "",
    }
    assert line_of(events[0].model_copy(update={"kind": "train.trial", "data": data})) == line
