"""The desk: hands trials out, hears how they go, and minds the clock. Executors stand in front of it."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, Protocol

from feilun.train.search.study import Study
from feilun.train.search.trial import Heard, Work
from feilun.train.session import Session


class Executor(Protocol):
    """Something that runs trials: takes them from the desk until there are no more, and tells it all it hears."""

    def __call__(self, desk: Desk) -> None: ...


class Desk:
    """One search within one turn. Not for several threads at once.

    Attributes:
        cpu_s: what the trials of this turn have cost.
        stopped: why no more trials are handed out, "" when there were enough.
    """

    def __init__(
        self,
        study: Study,
        session: Session,
        *,
        n_folds: int,
        expected_s: float,
        reserve_s: float,
    ) -> None:
        self._study, self._session, self._n_folds = study, session, n_folds
        self._expected_s, self._reserve_s = expected_s, reserve_s
        self._params: dict[int, dict[str, Any]] = {}
        self._heard: dict[int, Heard] = {}
        self._took_s: list[float] = []
        self.cpu_s, self.stopped = 0.0, ""

    @property
    def left_s(self) -> float:
        """Seconds for trials; the final fit has its share already."""
        return self._session.budget.left_s - self._reserve_s

    def next(self) -> Work | None:
        """The next trial, or None: there were enough, or no time is left for another."""
        if self.stopped:
            return None
        if self.left_s < (median(self._took_s) if self._took_s else self._expected_s):
            self.stopped = "out_of_time"
            return None
        asked = self._study.ask()
        if asked is None:
            return None
        number, params = asked
        self._params[number] = params
        return Work(number, params, time_limit_s=self.left_s)

    def hear(self, number: int, heard: Heard) -> bool:
        """Take in what a trial says; False when it need not go on."""
        self._heard[number] = heard
        judged = heard.judged
        if judged is None:
            self._study.fail(number, heard.reason or "failed", told=heard.told, **_cost(heard))
            if heard.reason == "out_of_time":
                self.stopped = "out_of_time"
            return self._over(number, "stopped" if heard.reason == "out_of_time" else "failed", heard)
        log_loss = judged.metrics["log_loss"]
        goes_on = self._study.go_on(number, n_folds=judged.n_folds, log_loss=log_loss)
        if judged.n_folds == self._n_folds:
            self._took_s.append(heard.wall_s)
            self._study.finish(number, judged, **_cost(heard))
            return self._over(number, "done", heard)
        if not goes_on:
            self._study.prune(number, judged.metrics, n_folds=judged.n_folds, **_cost(heard))
            return self._over(number, "pruned", heard)
        return True

    def lost(self, number: int) -> None:
        """The process that ran the trial is gone; nothing happens when the trial was over by then."""
        if number not in self._params:
            return
        last = self._heard.get(number) or Heard(None, 0.0, 0.0)
        self.hear(number, Heard(None, last.cpu_s, last.wall_s, "killed"))

    def stop(self, why: str) -> None:
        """Hand out no more trials."""
        self.stopped = self.stopped or why

    def _over(self, number: int, status: str, heard: Heard) -> bool:
        self.cpu_s += heard.cpu_s
        params, _ = self._params.pop(number), self._heard.pop(number)
        metrics = heard.judged.metrics if heard.judged else {}
        best = self._study.best()
        self._session.emit(
            "train.trial",
            {
                "number": number,
                "n_tried": self._study.n_tried,
                "n_asked": self._session.settings.train.search.n_trials,
                "status": status,
                "params": params,
                "validation": metrics,
                "best_log_loss": best.value if best else None,
                "reason": heard.reason or "",
            },
        )
        return False


def _cost(heard: Heard) -> dict[str, float]:
    return {"cpu_s": heard.cpu_s, "wall_s": heard.wall_s}


def in_this_process(listen: Callable[[Work], Any]) -> Executor:
    """One trial after another, here."""

    def run(desk: Desk) -> None:
        while (work := desk.next()) is not None:
            for heard in listen(work):
                if not desk.hear(work.number, heard):
                    break

    return run
