#!/usr/bin/env python3
"""The demo: from a few labels to a served model that corrections make better, in English and in Chinese.

For each language: make a project of the bundled start file, turn the wheel, serve the model. Then, over HTTP, as users
and reviewers would: ask a thousand messages the model has never seen, send traffic, correct what the review queue asks
for, request a second turn, ask the unseen messages again. Every figure is computed from served answers and written to
demo/result.json. The only thing played is the human reviewer: corrections are the gold labels of the traffic.

Exit code 0 when the second turn is better on the unseen messages in both languages, 1 when it is not.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomlkit

from feilun import Project
from feilun.cli.progress import Progress
from feilun.records import Event

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"
WORK = HERE / "work"
LANGUAGES = {"en": "banking77", "zh": "massive-zh-cn"}
MAX_CORRECTIONS = 400  # what two people label in an afternoon
TRAIN_BUDGET_S = 24  # of a turn; four turns fit into five minutes with everything around them
N_UNSEEN = N_TRAFFIC = 1000
N_ASKERS = 2  # connections that ask the unseen messages
N_USERS = 4  # connections that send traffic at the same time
QUEUE_PAGE = 100
BULK = 100
READY_WITHIN_S = 60
IDLE_S = 10  # the server closes connections on which nothing was said for half a minute
RELEASE_WITHIN_S = 600

Message = tuple[str, str]  # text, gold label


def main() -> int:
    """Run both languages and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=TRAIN_BUDGET_S, help="training seconds of each turn")
    budget_s = parser.parse_args().budget
    started = time.monotonic()
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / ".feilun").mkdir(parents=True)
    first = {name: first_turn(name, lang, budget_s=budget_s) for lang, name in LANGUAGES.items()}
    with server() as (process, address):
        say(f"The server answers at {address}")
        result = {lang: journey(address, name, first[name]) for lang, name in LANGUAGES.items()}
        (HERE / "result.json").write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
        show(result, seconds=time.monotonic() - started)
        if sys.stdout.isatty():
            stay(process, address)
    return 0 if all(one["accuracy_after"] > one["accuracy_before"] for one in result.values()) else 1


# the first turn, as `feilun init` and `feilun turn` do it


def first_turn(name: str, lang: str, *, budget_s: float) -> dict[str, Any]:
    """Make the project and turn the wheel once; how many labels it had and how long it took."""
    say(f"\n{name} ({lang}): a project of samples/{name}/start.csv, and its first turn")
    sample = SAMPLES / name
    Project.init(WORK / name, data=sample / "start.csv", holdout=sample / "holdout.csv", language=lang).close()
    configure(WORK / name / "feilun.toml", budget_s=budget_s)
    with Project(WORK / name) as project, Progress() as progress:
        started = time.monotonic()
        done = project.turn(requested_by="demo", on_event=progress)
        turn_s = round(time.monotonic() - started, 1)
    say(f"  {done.reason}")
    return {"n_labels": len(read(sample / "start.csv")), "turn_s": turn_s, "seen_events": progress.view.last_event_id}


def configure(path: Path, *, budget_s: float) -> None:
    """What a demo wants otherwise: a short budget, no turn before it is asked for, and no learning from what was asked:
    the messages that judge must stay unseen, even without their labels."""
    document = tomlkit.parse(path.read_text("utf-8"))
    document["train"]["budget_s"] = budget_s  # type: ignore[index]
    document["improve"]["every_labels"] = 0  # type: ignore[index]
    document["data"]["max_traffic"] = 0  # type: ignore[index]
    path.write_text(tomlkit.dumps(document), "utf-8")


# the journey of one language, over HTTP


def journey(address: str, name: str, first: dict[str, Any]) -> dict[str, Any]:
    """Before, traffic, corrections, the second turn, after."""
    api = Api(address, name)
    unseen, traffic = read(SAMPLES / name / "unseen.csv")[:N_UNSEEN], read(SAMPLES / name / "traffic.csv")[:N_TRAFFIC]
    say(f"\n{name}: {len(unseen)} unseen messages, before")
    before = ask(api, unseen)
    settle_queue(api)  # the unseen messages must never be labelled, so they leave the queue
    say(f"{name}: {len(traffic)} messages of traffic from {N_USERS} users")
    send_traffic(api, traffic)
    n_corrections = correct(api, dict(traffic))
    say(f"{name}: corrections bite at once, the unseen messages with the same model")
    memory = ask_in_bulk(api, unseen)
    say(f"{name}: the second turn, asked for through the API")
    turn_s = second_turn(api, seen_events=first["seen_events"])
    say(f"{name}: the unseen messages, after")
    after = ask(api, unseen)
    releases = api.get("/releases")["releases"]
    latest = releases[0]
    return {
        "accuracy_before": before["accuracy"],
        "accuracy_after": after["accuracy"],
        "memory_only_accuracy": memory,
        "n_unseen": len(unseen),
        "labels_before": first["n_labels"],
        "labels_after": first["n_labels"] + n_corrections,
        "answered_before": before["answered"],
        "answered_after": after["answered"],
        "accuracy_of_answered_before": before["accuracy_of_answered"],
        "accuracy_of_answered_after": after["accuracy_of_answered"],
        "p50_ms": after["p50_ms"],
        "p99_ms": after["p99_ms"],
        "size_mb": round(api.get(f"/models/{after['model_version']}")["size_mb"], 1),
        "released": latest["action"] == "promote",
        "reason": latest["reason"],
        "model_before": before["model_version"],
        "model_after": after["model_version"],
        "turn_s": [first["turn_s"], turn_s],
        "releases": releases,
    }


def ask(api: Api, messages: Sequence[Message]) -> dict[str, Any]:
    """Send messages one by one over two connections; accuracy, share answered without a person, latency."""
    done = Counter(len(messages))

    def one(message: Message) -> tuple[bool, bool, float, str]:
        started = time.perf_counter()
        said = api.predict(message[0])
        latency_ms = (time.perf_counter() - started) * 1000
        done.add("asked")
        return said["label"] == message[1], said["decision"] == "answer", latency_ms, said["model_version"]

    with ThreadPoolExecutor(N_ASKERS) as askers:
        answers = list(askers.map(one, messages))
    versions = {version for *_, version in answers}
    if len(versions) != 1:
        raise SystemExit(f"the champion changed while it was measured: {sorted(versions)}")
    answered = [is_right for is_right, by_itself, *_ in answers if by_itself]
    latencies = sorted(latency for _, _, latency, _ in answers)
    return {
        "accuracy": round(sum(is_right for is_right, *_ in answers) / len(answers), 4),
        "answered": round(len(answered) / len(answers), 4),
        "accuracy_of_answered": round(sum(answered) / len(answered), 4) if answered else None,
        "p50_ms": round(latencies[len(latencies) // 2], 2),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)], 2),
        "model_version": versions.pop(),
    }


def ask_in_bulk(api: Api, messages: Sequence[Message]) -> float:
    """Accuracy on messages sent a hundred at a time."""
    right = 0
    for start in range(0, len(messages), BULK):
        part = messages[start : start + BULK]
        reply = api.post("/predictions", {"inputs": [{"text": text} for text, _ in part]})
        right += sum(said["label"] == gold for said, (_, gold) in zip(reply["predictions"], part, strict=True))
    return round(right / len(messages), 4)


def send_traffic(api: Api, messages: Sequence[Message]) -> None:
    """Messages of many users at the same time."""
    done = Counter(len(messages))

    def send(message: Message) -> None:
        api.predict(message[0])
        done.add("sent")

    with ThreadPoolExecutor(N_USERS) as users:
        list(users.map(send, messages))


def settle_queue(api: Api) -> None:
    """Put everything out of the review queue without a label."""
    while rows := api.waiting(QUEUE_PAGE):
        for row in rows:
            api.post(f"/queue/{row['prediction_id']}/skip")


def correct(api: Api, gold: dict[str, str]) -> int:
    """The reviewer's afternoon: label what the queue asks for, in its order, up to MAX_CORRECTIONS."""
    say(f"  up to {MAX_CORRECTIONS} corrections, in the order of the review queue")
    n_given = 0
    while n_given < MAX_CORRECTIONS:
        rows = api.waiting(min(QUEUE_PAGE, MAX_CORRECTIONS - n_given))
        if not rows:
            break
        for row in rows:
            label = gold[row["inputs"]["text"]]
            key = f"demo-{row['prediction_id']}"
            api.post("/feedback", {"prediction_id": row["prediction_id"], "label": label}, key=key)
            n_given += 1
            tick(n_given, MAX_CORRECTIONS, "corrected")
    say(f"  {n_given} corrections given")
    return n_given


def second_turn(api: Api, *, seen_events: int) -> float:
    """Ask for a turn, follow its events, wait until the server has taken up what the gate decided; seconds."""
    started = time.monotonic()
    api.post("/turns", {"note": "demo"})
    with Progress() as progress:
        for event in api.events(after=seen_events):
            progress(event)
            if event.kind == "turn.failed":
                raise SystemExit(f"the second turn failed: {event.data['en']}")
            if event.kind == "turn.done":
                break
    took = round(time.monotonic() - started, 1)
    latest = api.get("/releases")["releases"][0]
    say(f"  {latest['reason']}")
    deadline = time.monotonic() + READY_WITHIN_S
    while latest["action"] == "promote" and api.predict("?")["model_version"] != latest["model_id"]:
        if time.monotonic() > deadline:
            raise SystemExit("the server did not take up the new champion")
        time.sleep(0.2)
    return took


class Api:
    """A small client of one project; one connection a thread, kept open."""

    def __init__(self, address: str, project: str) -> None:
        self._host, self._base = str(urlsplit(address).netloc), f"/v1/projects/{project}"
        self._local = threading.local()

    def predict(self, text: str) -> dict[str, Any]:
        reply: dict[str, Any] = self.post("/predictions", {"inputs": [{"text": text}]})
        return dict(reply["predictions"][0])

    def waiting(self, limit: int) -> list[dict[str, Any]]:
        """Served answers that wait for a person. The queue also asks about labels in the file that look wrong; here
        nobody looks those up."""
        return [row for row in self.get(f"/queue?limit={limit}")["queue"] if row["prediction_id"]]

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, body: Any = None, *, key: str = "") -> Any:
        return self._call("POST", path, body=body, key=key)

    def events(self, *, after: int) -> Iterator[Event]:
        """The project's event stream, as it happens."""
        connection = http.client.HTTPConnection(self._host, timeout=RELEASE_WITHIN_S)
        connection.request("GET", f"{self._base}/events?after={after}", headers={"Accept": "text/event-stream"})
        reply = connection.getresponse()
        try:
            while line := reply.readline():
                if line.startswith(b"data: "):
                    yield Event.model_validate_json(line[len(b"data: ") :])
        finally:
            connection.close()

    def _call(self, method: str, path: str, *, body: Any = None, key: str = "") -> Any:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(self._host, timeout=READY_WITHIN_S)
        elif time.monotonic() - self._local.used_at > IDLE_S:
            self._local.connection.close()  # the server may have closed it by now; it opens anew by itself
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        self._local.connection.request(method, self._base + path, body=content, headers=headers)
        reply = self._local.connection.getresponse()
        told = reply.read()
        self._local.used_at = time.monotonic()
        if reply.status >= http.client.BAD_REQUEST:
            raise SystemExit(f"{method} {path}: {reply.status} {told.decode('utf-8', 'replace')}")
        return json.loads(told) if told else None


# the server


@contextmanager
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`feilun serve demo/work` in a process of its own, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "feilun", "serve", str(WORK), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit(f"the server did not start (exit code {process.wait()})")
        yield process, address
    finally:
        process.terminate()
        process.wait()


def stay(process: subprocess.Popen[str], address: str) -> None:
    """Leave the server up for a person to try."""
    body = json.dumps({"inputs": [{"text": read(SAMPLES / LANGUAGES["en"] / "unseen.csv")[0][0]}]})
    say(f"\nThe server is up: open {address} in a browser for the console (Ctrl-C ends it). Or ask it:")
    say(
        f"  curl -s {address}/v1/projects/banking77/predictions -H 'Content-Type: application/json' \\\n    -d '{body}'"
    )
    try:
        process.wait()
    except KeyboardInterrupt:
        say("")


# words


def show(result: dict[str, dict[str, Any]], *, seconds: float) -> None:
    """Before and after, with what it took."""
    for lang, one in result.items():
        say(f"\n{LANGUAGES[lang]} ({lang}), {one['n_unseen']} messages that neither turn saw")
        say(f"  accuracy   {one['accuracy_before']:.1%} → {one['accuracy_after']:.1%}", end="")
        say(f"   (with the first model and corrections in memory only: {one['memory_only_accuracy']:.1%})")
        say(f"  labels     {one['labels_before']} → {one['labels_after']}")
        say(f"  answered without a person  {one['answered_before']:.1%} → {one['answered_after']:.1%}", end="")
        say(f", of which right {percent(one['accuracy_of_answered_after'])}")
        say(f"  model      {one['size_mb']} MB, p50 {one['p50_ms']} ms, p99 {one['p99_ms']} ms over HTTP")
        for row in reversed(one["releases"]):
            say(f"  log        {row['action']:8} {row['model_id']}  {row['reason']}")
    say(f"\n{seconds:.0f} s in all; everything is in {HERE / 'result.json'}")


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def read(path: Path) -> list[Message]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def say(text: str, *, end: str = "\n") -> None:
    print(text, end=end, flush=True)


def tick(number: int, total: int, words: str) -> None:
    """How far it is: in place on a terminal, every fifth of the way elsewhere."""
    if sys.stdout.isatty():
        print(f"\r  {number}/{total} {words}    ", end="\n" if number == total else "", flush=True)
    elif number % max(total // 5, 1) == 0:
        say(f"  {number}/{total} {words}")


class Counter:
    """`tick` for many threads."""

    def __init__(self, total: int, show: Callable[[int, int, str], None] = tick) -> None:
        self._total, self._number, self._show, self._lock = total, 0, show, threading.Lock()

    def add(self, words: str) -> None:
        with self._lock:
            self._number += 1
            self._show(self._number, self._total, words)


if __name__ == "__main__":
    raise SystemExit(main())
