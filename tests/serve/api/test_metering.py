"""Limits and the ledger with servers as processes: several on one store, and some of them killed."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from feilun.project import Project
from feilun.store import tables as t
from feilun.trust import create_key
from tests.serve.api.test_server import server

AT = "/v1/projects/support"
PER_MINUTE, WARM_S, WINDOW_S = 600, 4.0, 15.0
pytestmark = pytest.mark.journey


def make_key(folder: Path, **limits: int) -> tuple[str, dict[str, str]]:
    """Its id, and the headers that carry it."""
    with Project(folder) as project:
        row, secret = create_key(project.store, name="shop", scopes=["predict", "feedback", "read"])
        project.workspace.set_limit(key_id=row["key_id"], **limits)
    return row["key_id"], {"Authorization": f"Bearer {secret}"}


def knock(address: str, headers: dict[str, str], let_in: list[float], stop: threading.Event) -> None:
    """Ask for an address that does not exist, again and again; note when it was not the rate that refused."""
    line = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    while not stop.wait(0.02):
        line.request("GET", "/nowhere", headers=headers)
        reply = line.getresponse()
        reply.read()
        assert reply.status in (404, 429)
        if reply.status == 404:
            let_in.append(time.monotonic())
    line.close()


def test_four_servers_on_one_store_keep_one_rate_within_five_in_a_hundred(folder):
    _, headers = make_key(folder, per_minute=PER_MINUTE)
    let_in: list[float] = []
    stop = threading.Event()
    with ExitStack() as closing:
        addresses = [closing.enter_context(server(folder))[1] for _ in range(4)]
        knockers = [threading.Thread(target=knock, args=(one, headers, let_in, stop)) for one in addresses]
        for knocker in knockers:
            knocker.start()
        time.sleep(WARM_S + WINDOW_S + 1)
        stop.set()
        for knocker in knockers:
            knocker.join()
    since = min(let_in) + WARM_S  # what may come at once after a pause has come by then
    n = sum(since <= moment < since + WINDOW_S for moment in let_in)
    assert n == pytest.approx(PER_MINUTE * WINDOW_S / 60, rel=0.05)


class Customer(threading.Thread):
    """Somebody who asks and corrects, noting every acknowledgement, until told to stop or the line goes dead."""

    def __init__(self, address: str, headers: dict[str, str], seed: int) -> None:
        super().__init__()
        self.address, self.headers, self.rng, self.stop = address, headers, random.Random(seed), threading.Event()
        self.log: Counter[tuple[str, str]] = Counter()

    def run(self) -> None:
        with httpx.Client(base_url=self.address, headers=self.headers, timeout=60) as client:
            try:
                while not self.stop.is_set():
                    self.ask(client)
            except httpx.TransportError:
                return

    def ask(self, client: httpx.Client) -> None:
        texts = [self.rng.choice(["where is my parcel", "我要退款", "thanks"]) for _ in range(self.rng.randint(1, 3))]
        body: dict[str, Any] = {"inputs": [{"text": text} for text in texts]}
        answers = client.post(f"{AT}/predictions", json=body).raise_for_status().json()["predictions"]
        self.note("predict", n_inputs=len(texts), n_characters=sum(map(len, texts)))
        said = {"prediction_id": answers[0]["prediction_id"], "comment": "hm"}
        client.post(f"{AT}/feedback", json=said).raise_for_status()
        self.note("feedback")
        if self.rng.random() < 0.3:
            chat = {"model": "support", "messages": [{"role": "user", "content": texts[0]}]}
            client.post("/v1/chat/completions", json=chat).raise_for_status()
            self.note("chat", n_inputs=1, n_characters=len(texts[0]))
        if self.rng.random() < 0.3:
            client.post("/v1/embeddings", json={"model": "support", "input": texts}).raise_for_status()
            self.note("embed", n_inputs=len(texts), n_characters=sum(map(len, texts)))
        assert client.post(f"{AT}/predictions", json={"inputs": []}).status_code == 422
        client.get(f"{AT}/models").raise_for_status()
        self.note("read")

    def note(self, kind: str, **counts: int) -> None:
        self.log.update({(kind, name): n for name, n in ({"n_requests": 1} | counts).items()})


def ledger(folder: Path) -> Counter[tuple[str, str]]:
    """By kind and name of the count."""
    with Project(folder) as project:
        lines = project.workspace.usage(by=("kind",))
    names = ("n_requests", "n_inputs", "n_characters")
    return Counter({(line.kind or "", name): getattr(line, name) for line in lines for name in names})


def recorded(folder: Path) -> Counter[str]:
    """What the tables of answers and feedback have."""
    with Project(folder) as project, project.store.engine.connect() as connection:
        inputs = [json.loads(text) for text in connection.execute(sa.text("SELECT inputs FROM predictions")).scalars()]
        n_feedback = connection.execute(sa.select(sa.func.count()).select_from(t.feedback)).scalar_one()
    n_characters = sum(len(one["text"]) for one in inputs)
    return Counter({"n_inputs": len(inputs), "n_characters": n_characters, "feedback": n_feedback})


def test_the_ledger_is_what_customers_noted_and_after_a_kill_what_is_recorded(folder):
    key_id, headers = make_key(folder)
    noted: Counter[tuple[str, str]] = Counter()
    for round_ in range(3):
        before = ledger(folder)
        with server(folder) as (process, address):
            customers = [Customer(address, headers, seed=10 * round_ + i) for i in range(3)]
            for customer in customers:
                customer.start()
            while sum(customer.log["predict", "n_requests"] for customer in customers) < 30:
                time.sleep(0.01)
            if round_ < 2:
                os.kill(process.pid, signal.SIGKILL)
            for customer in customers:
                customer.stop.set()
                customer.join()
                noted += customer.log
            if round_ == 2:
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0
        found, rows = ledger(folder), recorded(folder)
        for name in ("n_inputs", "n_characters"):
            assert found["predict", name] + found["chat", name] == rows[name]
        assert found["feedback", "n_requests"] == rows["feedback"] >= noted["feedback", "n_requests"]
    assert found - before == sum((customer.log for customer in customers), Counter())

    by_inputs, by_requests = ("predict", "chat", "embed"), ("feedback", "read")
    used = sum(found[kind, "n_inputs"] for kind in by_inputs) + sum(found[kind, "n_requests"] for kind in by_requests)
    with Project(folder) as project:
        project.workspace.set_limit(key_id=key_id, monthly_requests=used + 2)
    with server(folder) as (_, address):  # a restart has not forgotten
        statuses = [httpx.get(f"{address}{AT}/models", headers=headers, timeout=60).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
