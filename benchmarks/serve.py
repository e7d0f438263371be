#!/usr/bin/env python3
"""Ours and the usual way to serve a classifier, side by side: requests a second, latency, CPU a request, memory.

    python benchmarks/serve.py --data FOLDER --peer-python PYTHON [--out FILE]
    python benchmarks/serve.py --data FOLDER --overload-s 60

FOLDER holds `banking77/train.csv` and `test.csv`. Ten messages a class train a model (a probe: what is served has the
same network whatever trained it), which `feilun serve` serves as it serves anybody, answers written to the store
included. The peer is `pipeline.py`: the same backbone in float32 in a `transformers` pipeline behind FastAPI and
uvicorn, with PYTHON's torch and transformers. One message of the test set a request, over loopback, keep-alive; the
load generator is a process of its own (`load.py`). Every round measures both at each number of connections; medians of
the rounds are told.

CPU ms a request are those of the server's process and its children, from /proc: what else runs on the machine disturbs
them least. Without --peer-python only ours is measured.

Beside them stands what the engine alone can do, without a server around it: one thread a core, 32 messages at a time.

Then, ours alone: the 99th percentile of the latency at 70 % of the peak, requests arriving at random moments; and
--overload-s seconds of five times the peak: how many good answers a second remain, which statuses there were, what
memory did, and how soon a single request is answered as before.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from common import public

HERE = Path(__file__).parent
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
N_SHOTS, N_TEXTS, TOGETHER = 10, 1000, 32
WARM_S = 2.0
LOAD_SHARE, OVERLOAD = 0.7, 5
MOST_CONNECTIONS = 512
READY_WITHIN_S = 120
Record = dict[str, Any]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds banking77/")
    parser.add_argument("--project", type=Path, help="a project with a live model, instead of one made now")
    parser.add_argument("--peer-python", type=Path, help="Python with torch, transformers, fastapi and uvicorn")
    parser.add_argument("--connections", default="1,8,32", help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--overload-s", type=float, default=20, help="0 for none (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    texts = [row["text"] for row in read(options.data / "banking77" / "test.csv")][:N_TEXTS]
    with ExitStack() as closing:
        scratch = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        project = options.project or make_project(options.data / "banking77" / "train.csv", scratch)
        servers = {"feilun": closing.enter_context(feilun(project, texts))}
        if options.peer_python:
            servers["pipeline"] = closing.enter_context(pipeline(options.peer_python, texts))
        found: Record = {"command": public(sys.argv), "runs": measure(servers, options)}
        found["summary"] = summarise(found["runs"])
        tell(found["summary"])
        found["engine_alone"] = engine_alone(project, texts, seconds=options.seconds)
        print(f"engine alone, one thread a core: {found['engine_alone']:.0f} messages/s")
        peak = max(line["rate"] for line in found["summary"] if line["server"] == "feilun")
        ours = servers["feilun"]
        found["at_share"] = at_share(ours, peak, options.seconds)
        print(json.dumps(found["at_share"]))
        if options.overload_s:
            found["overload"] = overload(ours, peak, options.overload_s)
            print(json.dumps(found["overload"]))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


# servers


class Server:
    """A server that runs, and what it has cost."""

    def __init__(self, pid: int, port: int, path: str, bodies: list[str]) -> None:
        self.pid = pid
        self.url = f"http://127.0.0.1:{port}"
        self._job = {"port": port, "path": path, "bodies": bodies}

    def load(self, **how: Any) -> Record:
        """What `load.py` saw, and what the server's processes spent meanwhile."""
        before = self.cpu_s()
        done = subprocess.run(
            [sys.executable, str(HERE / "load.py")],
            input=json.dumps(self._job | how),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        seen: Record = json.loads(done.stdout)
        latencies = seen.pop("latencies_ms")
        n_good, n_all = len(latencies), sum(seen["statuses"].values())
        seen |= {"rate": n_good / seen["seconds"], "cpu_ms": (self.cpu_s() - before) * 1000 / max(n_all, 1)}
        seen |= {f"p{share}_ms": percentile(latencies, share / 100) for share in (50, 99)}
        return seen | {"rss_mb": self.rss_mb()}

    def cpu_s(self) -> float:
        """CPU seconds of all processes of the server so far."""
        return sum(int(part) for pid in self._tree() for part in _stat(pid)[11:13]) * TICK_S

    def rss_mb(self) -> float:
        """Memory of all processes of the server."""
        return sum(int(_stat(pid)[21]) for pid in self._tree()) * PAGE_MB

    def _tree(self) -> list[int]:
        found = [self.pid]
        for pid in found:
            found += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()]
        return found


def _stat(pid: int) -> list[str]:
    """/proc/PID/stat from the third field on."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()


@contextmanager
def running(command: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def feilun(project: Path, texts: list[str]) -> Iterator[Server]:
    command = [sys.executable, "-m", "feilun", "serve", str(project), "--port", "0"]
    with running(command) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        from feilun.config import load_settings

        name = load_settings(project).project.name
        bodies = [json.dumps({"inputs": [{"text": text}]}) for text in texts]
        yield Server(process.pid, port, f"/v1/projects/{name}/predictions", bodies)


@contextmanager
def pipeline(python: Path, texts: list[str]) -> Iterator[Server]:
    from feilun.models import resolve

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = resolve("", language="en").folder
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), str(HERE / "pipeline.py"), str(folder), "77", str(port)]
    with running(command, env=environment | {"HF_HUB_OFFLINE": "1"}) as process:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.2)
        yield Server(process.pid, port, "/predict", [json.dumps({"text": text}) for text in texts])


def make_project(train: Path, scratch: Path) -> Path:
    """A project whose probe has learnt ten messages of each class, turned once."""
    import tomlkit

    from feilun import Project

    counts: dict[str, int] = {}
    with (scratch / "few.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["text", "label"])
        for row in read(train):
            counts[row["label"]] = counts.get(row["label"], 0) + 1
            if counts[row["label"]] <= N_SHOTS:
                out.writerow([row["text"], row["label"]])
    folder = scratch / "served"
    (folder / ".feilun").mkdir(parents=True)
    Project.init(folder, data=scratch / "few.csv", text="text", label="label", language="en", name="served").close()
    document = tomlkit.parse((folder / "feilun.toml").read_text("utf-8"))
    document["train"]["tune"]["enabled"] = False
    (folder / "feilun.toml").write_text(tomlkit.dumps(document), "utf-8")
    with Project(folder) as project:
        project.turn(seed=0)
    return folder


# measurements


def measure(servers: dict[str, Server], options: argparse.Namespace) -> list[Record]:
    """Every round, both servers at each number of connections, one after the other."""
    for server in servers.values():
        server.load(connections=8, seconds=WARM_S)
    runs = []
    for round_ in range(options.rounds):
        for connections in map(int, options.connections.split(",")):
            for name, server in servers.items():
                seen = server.load(connections=connections, seconds=options.seconds, seed=round_)
                runs.append({"server": name, "connections": connections, "round": round_, **seen})
                sys.stderr.write(f"{name} {connections} {seen['rate']:.0f}/s {seen['cpu_ms']:.2f} ms\n")
    return runs


def summarise(runs: list[Record]) -> list[Record]:
    """Medians over the rounds; ours also against the peer."""
    lines: list[Record] = []
    for connections in sorted({run["connections"] for run in runs}):
        for name in dict.fromkeys(run["server"] for run in runs):
            mine = [run for run in runs if (run["server"], run["connections"]) == (name, connections)]
            line: Record = {"server": name, "connections": connections}
            for key in ("rate", "p50_ms", "p99_ms", "cpu_ms", "rss_mb"):
                line[key] = statistics.median(run[key] for run in mine)
            lines.append(line)
    for line in lines:
        peer = [p for p in lines if p["server"] != "feilun" and p["connections"] == line["connections"]]
        if line["server"] == "feilun" and peer:
            line["rate_ratio"] = line["rate"] / peer[0]["rate"]
            line["cpu_ratio"] = peer[0]["cpu_ms"] / line["cpu_ms"]
    return lines


def tell(lines: list[Record]) -> None:
    print(f"{'server':9s} {'conn.':>5s} {'req/s':>7s} {'p50 ms':>8s} {'p99 ms':>8s} {'CPU ms':>7s} {'RSS MB':>7s}")
    for line in lines:
        text = f"{line['server']:9s} {line['connections']:5d} {line['rate']:7.0f} {line['p50_ms']:8.1f} "
        text += f"{line['p99_ms']:8.1f} {line['cpu_ms']:7.2f} {line['rss_mb']:7.0f}"
        if "rate_ratio" in line:
            text += f"   {line['rate_ratio']:.1f}x the requests, {line['cpu_ratio']:.1f}x less CPU"
        print(text)


def engine_alone(project: Path, texts: list[str], *, seconds: float) -> float:
    """Messages a second that the engine answers without a server around it: more, no server can."""
    from feilun import Project
    from feilun.serve.engine import load_bundle
    from feilun.serve.engine.line import RUN_TOKENS, n_cores

    with Project(project) as opened:
        champion = opened.store.find_champion(opened.name)
        assert champion is not None
        encoder = load_bundle(opened.store.models_dir / champion).encoder
    batches = [texts[start : start + TOGETHER] for start in range(0, len(texts), TOGETHER)]
    until = time.monotonic() + seconds

    def work(first: int) -> int:
        n = 0
        for batch in itertools.cycle(batches[first:] + batches[:first]):
            if time.monotonic() > until:
                break
            encoder.run_rows([encoder.tokenise(text) for text in batch], batch_tokens=RUN_TOKENS)
            n += len(batch)
        return n

    with ThreadPoolExecutor(n_cores()) as threads:
        starts = range(0, len(batches), max(1, len(batches) // n_cores()))
        return sum(threads.map(work, list(starts)[: n_cores()])) / seconds


def at_share(server: Server, peak: float, seconds: float) -> Record:
    """Latency when requests come at random moments, at LOAD_SHARE of the peak."""
    rate = LOAD_SHARE * peak
    seen = server.load(rate=rate, seconds=2 * seconds, most_connections=MOST_CONNECTIONS)
    return {"offered": rate, **seen}


def overload(server: Server, peak: float, seconds: float) -> Record:
    """OVERLOAD times the peak, then single requests until one is as quick as before."""
    alone = server.load(connections=1, seconds=2)
    before = server.rss_mb()
    seen = server.load(rate=OVERLOAD * peak, seconds=seconds, most_connections=MOST_CONNECTIONS)
    seen |= {"offered": OVERLOAD * peak, "goodput": seen["rate"] / peak, "rss_before_mb": before}
    ended = time.monotonic()
    while time.monotonic() - ended < 30:
        after = server.load(connections=1, seconds=0.1)
        if set(after["statuses"]) == {"200"} and after["p50_ms"] < 2 * alone["p50_ms"]:
            break
    return seen | {"recovered_s": time.monotonic() - ended, "rss_after_mb": server.rss_mb()}


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    raise SystemExit(main())
