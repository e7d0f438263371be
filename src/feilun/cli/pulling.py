"""A backbone on its way to this machine, on stderr: bars on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from feilun.cli.shared import say

MB = 1_000_000
PLAIN_SHARE = 0.25  # a plain line each time another quarter has come


class Pulling:
    """Give it to `on_event` of a pull; use it in a `with`, so that the terminal is left tidy."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Pulling:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "model.progress":
            self._progress(str(data["file"]), int(data["done"]), int(data["total"] or 0))
        elif kind == "model.source":
            say("pull.source", model=data["model"], source=data["source"], size_mb=round(data["bytes"] / MB))
        elif kind == "model.source_failed":
            say("pull.source_failed", source=data["source"], reason=data["reason"])
        elif kind == "model.build":
            say("pull.build", step=data["step"])
        elif kind == "model.ready":
            say("pull.ready", model=data["model"], folder=data["folder"])

    def _progress(self, file: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self._bar(file, done, total)
        elif total:
            share = done / total
            if share - self._told.get(file, 0) >= PLAIN_SHARE or (done >= total and self._told.get(file) != 1):
                self._told[file] = share
                say("pull.share", file=file, share=share, total_mb=total / MB)

    def _bar(self, file: str, done: int, total: int) -> None:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
            self._bars = Progress(*columns, console=Console(stderr=True))
            self._bars.start()
        if file not in self._tasks:
            self._tasks[file] = self._bars.add_task(file, total=total or None)
        self._bars.update(self._tasks[file], completed=done)
