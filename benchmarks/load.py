"""A load generator that costs less than the server it loads: raw HTTP/1.1 over asyncio, standard library only.

    echo JOB | python benchmarks/load.py

JOB is JSON: port, path, bodies (texts of JSON) and seconds; with `connections`, each of so many connections sends its
next request when the last one is answered (closed loop); with `rate`, requests are sent at random moments, so many a
second, whatever became of those before (open loop, over at most `most_connections`). Prints what came of it as JSON:
how often each status, and the latencies of the requests answered with 200 in ms, counted from the moment a request was
due.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from typing import Any


class Talk(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._seen = b""
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, found, body = self._seen.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length and self._answer is not None and not self._answer.done():
            self._seen = body[length:]
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    async def ask(self, request: bytes) -> int:
        """The status of the reply; 0 when the connection broke."""
        if self.transport.is_closing():
            return 0
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer


class Load:
    """A run against one server."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job, self._statuses = job, Counter[int]()
        self._latencies_ms: list[float] = []
        self._n_dropped = 0
        self._requests = [_request(job, body) for body in job["bodies"]]
        self._random = random.Random(job.get("seed", 0))

    async def run(self) -> dict[str, Any]:
        """Put the load on, then tell."""
        started = time.perf_counter()
        if "rate" in self._job:
            await self._open_loop()
        else:
            await asyncio.gather(*(self._closed_loop() for _ in range(self._job["connections"])))
        took = time.perf_counter() - started
        return {
            "seconds": took,
            "statuses": dict(self._statuses),
            "n_dropped": self._n_dropped,
            "latencies_ms": sorted(round(one, 3) for one in self._latencies_ms),
        }

    async def _connect(self) -> Talk:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Talk, "127.0.0.1", self._job["port"]))[1]

    async def _closed_loop(self) -> None:
        talk = await self._connect()
        until = time.perf_counter() + self._job["seconds"]
        while (due := time.perf_counter()) < until:
            if await self._ask(talk, due) == 0:
                talk = await self._connect()
        talk.transport.close()

    async def _open_loop(self) -> None:
        idle = [await self._connect() for _ in range(8)]
        n_connections, tasks = len(idle), set()
        due = time.perf_counter()
        until = due + self._job["seconds"]
        while (due := due + self._random.expovariate(self._job["rate"])) < until:
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            elif not tasks or n_connections >= self._job["most_connections"]:
                await asyncio.sleep(0)
            if not idle and n_connections >= self._job["most_connections"]:
                self._n_dropped += 1  # the load generator's own limit; no server has seen this request
                continue
            n_connections += not idle
            task = asyncio.create_task(self._one(idle.pop() if idle else None, due, idle))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _one(self, talk: Talk | None, due: float, idle: list[Talk]) -> None:
        talk = talk or await self._connect()
        if await self._ask(talk, due) == 0:
            talk = await self._connect()
        idle.append(talk)

    async def _ask(self, talk: Talk, due: float) -> int:
        status = await talk.ask(self._random.choice(self._requests))
        self._statuses[status] += 1
        if status == 200:
            self._latencies_ms.append((time.perf_counter() - due) * 1000)
        return status


def _request(job: dict[str, Any], body: str) -> bytes:
    data = body.encode()
    head = f"POST {job['path']} HTTP/1.1\r\nHost: 127.0.0.1:{job['port']}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Load(json.load(sys.stdin)).run())))
