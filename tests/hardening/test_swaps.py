"""Models go live and back while others ask: nobody is refused, everybody is answered by one complete model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from feilun.project import Project
from tests.hardening.sizes import by_day_or_night
from tests.journeys.conftest import Server

N_SWAPS = by_day_or_night(20, 100)
N_TALKERS = 4
AT = "/v1/projects/support"
BODY = {"inputs": [{"text": "where is my parcel"}, {"text": "my card was eaten"}]}


def test_promotions_and_roll_backs_under_load_fail_no_request_and_are_live_when_acknowledged(
    folder: Path, serve_process: Callable[..., Server]
) -> None:
    with Project(folder) as project:
        models = [row["model_id"] for row in project.list_models()]
        first = project.store.find_champion(project.name)
    assert first is not None and len(models) == 2
    url, done = serve_process(folder).url, threading.Event()
    seen: list[list[tuple[int, frozenset[str]]]] = [[] for _ in range(N_TALKERS)]

    def talk(mine: list[tuple[int, frozenset[str]]]) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not done.is_set():
                mine.append(ask(client))

    talkers = [threading.Thread(target=talk, args=(mine,)) for mine in seen]
    for talker in talkers:
        talker.start()
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            live = first
            for n in range(N_SWAPS):
                live = next(model for model in models if model != live)
                release = {"action": "promote", "model_id": live, "override": True, "reason": f"swap {n}"}
                body = {"action": "rollback", "reason": f"swap {n}"} if n % 2 else release
                reply = client.post(f"{AT}/releases", json=body)
                assert reply.status_code == 201, reply.text
                assert ask(client) == (200, frozenset({live}))
    finally:
        done.set()
        for talker in talkers:
            talker.join()
    said = [one for mine in seen for one in mine]
    assert {status for status, _ in said} == {200}
    assert {by for _, by in said} == {frozenset({model}) for model in models}  # never two in one reply


def ask(client: httpx.Client) -> tuple[int, frozenset[str]]:
    """The status, and which models gave the answers."""
    reply = client.post(f"{AT}/predictions", json=BODY)
    answers = reply.json().get("predictions", [])
    return reply.status_code, frozenset(answer["model_version"] for answer in answers)
