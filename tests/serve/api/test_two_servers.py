"""Two servers of one workspace, on SQLite and on PostgreSQL: what one takes in, the other one knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from feilun.project import Project
from feilun.store import new_id
from tests.postgres import Postgres
from tests.serve.api.test_feedback import AT, ask, other_than, say


@pytest.fixture
def projects(shared: Path) -> Iterator[tuple[Project, Project]]:
    """The same project, opened twice."""
    with ExitStack() as opened:
        yield opened.enter_context(Project(shared)), opened.enter_context(Project(shared))


@pytest.fixture
def two(projects, serve) -> tuple[httpx.Client, httpx.Client]:
    return serve(projects[0]), serve(projects[1])


def wait(is_so: Callable[[], bool], *, within_s: float = 30) -> None:
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_feedback_is_taken_by_the_other_server_at_once_and_the_same_key_counts_once(two, projects):
    here, there = two
    right = other_than(ask(here), projects[0])
    for n in range(5):
        answer = ask(here, f"where is my parcel number {n}")
        given = say(there, key=f"k{n}", prediction_id=answer["prediction_id"], label=right).raise_for_status().json()
        again = say(here, key=f"k{n}", prediction_id=answer["prediction_id"], label=right).json()
        assert (given["replayed"], again["replayed"]) == (False, True)
        assert again["feedback_id"] == given["feedback_id"]
        refused = say(here, key=f"k{n}", prediction_id=answer["prediction_id"], comment="another body")
        assert (refused.status_code, refused.json()["code"]) == (422, "feedback.idempotency_conflict")
    wait(lambda: ask(here, "where is my parcel number 1")["label"] == right)
    assert say(there, prediction_id=new_id("p"), label=right).status_code == 404
    assert len(projects[0].list_feedback()) == 5


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_without_its_database_a_server_answers_on_refuses_feedback_and_recovers_by_itself(
    two, projects, postgres: Postgres
):
    here, there = two
    answer = ask(here)
    kept = say(here, prediction_id=answer["prediction_id"], comment="before").raise_for_status().json()["feedback_id"]
    postgres.kill()
    try:
        assert ask(here)["label"] == answer["label"]
        refused = say(here, key="k", prediction_id=answer["prediction_id"], comment="meanwhile")
        assert (refused.status_code, refused.json()["code"]) == (503, "store.unavailable")
        assert refused.headers["retry-after"]
        wait(lambda: here.get("/ready").status_code == 503)
        assert "store.unavailable" in [reason["code"] for reason in here.get("/ready").json()["reasons"]]
        assert here.get(f"{AT}/queue").json()["code"] == "store.unavailable"
    finally:
        postgres.start()
    again = say(here, key="k", prediction_id=answer["prediction_id"], comment="meanwhile").raise_for_status().json()
    wait(lambda: here.get("/ready").status_code == there.get("/ready").status_code == 200)
    rows = [row["feedback_id"] for row in there.get(f"{AT}/feedback").json()["feedback"]]
    assert rows == [kept, again["feedback_id"]]
