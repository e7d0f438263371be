"""The wheel turns on real messages and real weights: better goes live, worse does not, and there is a way back."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from feilun.project import NothingToRollBack, Project
from feilun.wheel import TurnFailed
from tests.journeys.conftest import Server, read_sample, write_project, write_rows

pytestmark = [pytest.mark.journey, pytest.mark.backbone]


@pytest.fixture
def bank(first_turn: Path, tmp_path: Path) -> Path:
    """The project as its first turn left it, for one test alone."""
    return Path(shutil.copytree(first_turn, tmp_path / "bank"))


@pytest.fixture(scope="module")
def first_turn(tmp_path_factory: pytest.TempPathFactory, english_backbone: object) -> Path:
    """A project on BANKING77 with two examples a class, and a first model that answers."""
    folder = tmp_path_factory.mktemp("bank")
    seen: dict[str, int] = {}
    few = []
    for row in read_sample("banking77/start.csv"):
        seen[row["label"]] = seen.get(row["label"], 0) + 1
        if seen[row["label"]] <= 2:
            few.append(row)
    write_rows(folder / "start.csv", few)
    write_rows(folder / "holdout.csv", read_sample("banking77/holdout.csv"))
    write_project(
        folder,
        project={"name": "bank"},
        data={"sources": [{"path": "start.csv"}], "holdout": {"path": "holdout.csv"}},
        train={"budget_s": 60, "probe": {"c": [30.0]}, "tune": {"enabled": False}},
        evaluate={"learning_curve": False},  # has tests of its own; here it would only take time
    )
    with Project(folder) as project:
        result = project.turn()
        assert result.released, result.reason
        assert result.metrics["accuracy"] > 0.6
    return folder


def test_corrections_make_a_better_model_which_goes_live_and_back_without_dropping_a_request(
    bank: Path, serve: Callable[..., Server]
) -> None:
    server = serve(bank)
    with httpx.Client(base_url=f"{server.url}/v1/projects/bank", timeout=30) as api:
        _correct_turn_and_roll_back(bank, api, url=server.url)


def _correct_turn_and_roll_back(bank: Path, api: httpx.Client, *, url: str) -> None:
    traffic = read_sample("banking77/traffic.csv")[:400]
    inputs = [{"text": row["text"]} for row in traffic]
    answers = [
        answer
        for start in range(0, 400, 100)
        for answer in api.post("/predictions", json={"inputs": inputs[start : start + 100]}).json()["predictions"]
    ]
    first_id = answers[0]["model_version"]
    for row, answer in zip(traffic, answers, strict=True):
        said = api.post("/feedback", json={"prediction_id": answer["prediction_id"], "label": row["label"]})
        assert said.status_code == 200

    stop, failures, versions = threading.Event(), [], set()

    def ask() -> None:
        with httpx.Client(base_url=f"{url}/v1/projects/bank", timeout=30) as client:
            while not stop.is_set():
                reply = client.post("/predictions", json={"inputs": [{"text": "where is my new card"}]})
                if reply.status_code != 200:
                    failures.append(reply.text)
                else:
                    versions.add(reply.json()["predictions"][0]["model_version"])

    asking = threading.Thread(target=ask)
    asking.start()
    assert api.post("/turns").status_code == 202
    with Project(bank) as project:
        _wait(lambda: len([turn for turn in project.list_turns() if turn["status"] == "done"]) == 2)
        second_id = project.list_turns()[0]["model_id"]
        assert project.list_releases()[0]["action"] == "promote", project.list_releases()[0]["en"]
        before, after = project.report(first_id), project.report(second_id)
        assert after.comparison is not None and after.comparison.champion_id == first_id
        assert after.metrics["accuracy"].value > before.metrics["accuracy"].value
        assert after.n_holdout == before.n_holdout == 1000
        _wait(lambda: second_id in versions)

        started = time.perf_counter()
        assert api.post("/releases", json={"action": "rollback"}).status_code == 201
        answer = api.post("/predictions", json={"inputs": inputs[:1]}).json()["predictions"][0]
        took_s = time.perf_counter() - started
        assert answer["model_version"] == first_id
        assert took_s < 10  # the promise of one second is measured in benchmarks; here it only must not be a reload
        stop.set()
        asking.join(30)
        assert failures == []
        assert versions == {first_id, second_id}
        with pytest.raises(NothingToRollBack):
            project.rollback(actor="ann")
        project.promote(second_id, actor="ann", reason="it was right after all")
        assert [row["action"] for row in project.list_releases()][:3] == ["promote", "rollback", "promote"]


def test_a_worse_challenger_never_goes_live(bank: Path) -> None:
    rows = read_sample("banking77/start.csv")
    labels = sorted({row["label"] for row in rows})
    shuffled = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    with Project(bank) as project:
        champion = project.store.find_champion("bank")
    original = (bank / "start.csv").read_bytes()
    try:
        write_rows(bank / "start.csv", [row | {"label": shuffled[row["label"]]} for row in rows])
        with Project(bank) as project:
            result = project.turn()
            assert not result.released
            assert project.store.find_champion("bank") == champion
            entry = project.list_releases()[0]
            assert (entry["action"], entry["reason_code"]) == ("reject", "worse")
            assert "champion" in entry["en"] and "冠军" in entry["zh"]
    finally:
        (bank / "start.csv").write_bytes(original)


def test_a_mistake_in_the_data_ends_the_turn_with_words_that_help_and_the_champion_stays(bank: Path) -> None:
    original = (bank / "start.csv").read_bytes()
    with Project(bank) as project:
        champion = project.store.find_champion("bank")
        try:
            (bank / "start.csv").write_text("message,intent\nhello,greeting\n", "utf-8")
            with pytest.raises(TurnFailed) as refused:
                project.turn()
        finally:
            (bank / "start.csv").write_bytes(original)
        assert refused.value.code == "data.no_such_column"
        assert "message" in refused.value.message("en") and "text" in refused.value.message("zh")
        assert project.list_turns()[0]["status"] == "failed"
        assert project.store.find_champion("bank") == champion
        assert project.predict(["where is my card"])[0].label


def _wait(is_so: Callable[[], bool], *, within_s: float = 180) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
