"""One turn per project whoever asks; a turn that dies is taken up, one that keeps dying is given up with words."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from feilun.project import Project
from feilun.records import Event, TurnResult
from feilun.wheel import TurnCancelled, TurnCrashed, TurnPaused
from tests.journeys.conftest import child_of

pytestmark = pytest.mark.journey


def test_two_askers_get_one_turn_and_the_same_result(tiny_project: Path) -> None:
    results: list[TurnResult] = []

    def ask() -> None:
        with Project(tiny_project) as project:
            results.append(project.turn())

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(180)
    assert len(results) == 3
    assert len({result.model_dump_json() for result in results}) == 1
    with Project(tiny_project) as project:
        assert len(project.list_turns()) == 1
        assert len(project.list_models()) == len(project.list_releases()) == 1
        kinds = [event.data["step"] for event in project.events() if event.kind == "step.done"]
        assert kinds == ["data", "train", "compress", "evaluate", "seal", "release"]
        report = project.report(results[0].model_id)
        assert report.label_doubts is not None and report.learning_curve is not None
        assert report.label_doubts.n_judged == report.learning_curve.n_labels == report.n_train
        assert report.learning_curve.now == report.metrics["accuracy"]  # laid through the model that was trained
        assert all(doubt.row is not None and doubt.row > 1 for doubt in report.label_doubts.doubts)


def test_a_killed_turn_goes_on_at_its_step_and_a_finished_step_is_not_done_again(tiny_project: Path) -> None:
    killed: list[str] = []

    def kill_once(event: Event) -> None:
        if event.kind == "step.start" and event.data["step"] == "compress" and not killed:
            killed.append(event.turn_id)
            os.kill(child_of(event.turn_id), signal.SIGKILL)

    with Project(tiny_project) as project:
        result = project.turn(on_event=kill_once)
        assert killed == [result.turn_id]
        starts = [event.data["step"] for event in project.events() if event.kind == "step.start"]
        assert starts == ["data", "train", "compress", "compress", "evaluate", "seal", "release"]
        assert project.verify_model(result.model_id).lineage["dataset_id"] == result.dataset_id
        assert list((project.store.workspace / "turns").iterdir()) == []


def test_a_turn_that_dies_twice_at_one_step_is_given_up_and_the_next_one_starts_anew(tiny_project: Path) -> None:
    def kill(event: Event) -> None:
        if event.kind == "step.start" and event.data["step"] == "train":
            os.kill(child_of(event.turn_id), signal.SIGKILL)

    with Project(tiny_project) as project:
        with pytest.raises(TurnCrashed) as given_up:
            project.turn(on_event=kill)
        assert given_up.value.fields["step"] == "train"
        assert given_up.value.fields["how"] == "SIGKILL"
        assert project.list_turns()[0]["status"] == "failed"
        result = project.turn()
        assert result.turn_id != given_up.value.fields["turn_id"]
        assert result.released


def test_a_paused_turn_lets_go_of_the_machine_and_goes_on_at_its_step(tiny_project: Path) -> None:
    def pause_once(event: Event) -> None:
        if event.kind == "step.start" and event.data["step"] == "compress":
            assert project.pause_turn() == event.turn_id

    with Project(tiny_project) as project:
        with pytest.raises(TurnPaused) as halted:
            project.turn(on_event=pause_once)
        turn_id = halted.value.fields["turn_id"]
        with pytest.raises(AssertionError, match="nobody turns"):
            child_of(turn_id)
        with pytest.raises(TurnPaused):
            project.turn()  # a pause is somebody's word, not a crash
        assert project.pause_turn() is None and project.resume_turn() == turn_id
        assert project.resume_turn() is None
        assert project.turn().turn_id == turn_id
        steps = [event.data["step"] for event in project.events() if event.kind == "step.done"]
        assert steps == ["data", "train", "compress", "evaluate", "seal", "release"]
        again = project.store.add_turn("support", settings={}, seed=1, budget_s=30, requested_by="cli")
        left_s = project.turn_left_s(again)
        assert left_s is not None and 0 < left_s <= sum(
            event.data["wall_s"] for event in project.events() if event.kind == "step.done"
        )


def test_a_cancelled_turn_stops_and_leaves_no_model(tiny_project: Path) -> None:
    with Project(tiny_project) as project:

        def cancel(event: Event) -> None:
            if event.kind == "step.start" and event.data["step"] == "train":
                assert project.cancel_turn() == event.turn_id

        with pytest.raises(TurnCancelled):
            project.turn(on_event=cancel)
        assert project.list_models() == project.list_releases() == []
        assert project.cancel_turn() is None
