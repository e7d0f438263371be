"""When an alert that did not arrive is tried again."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

FIRST = timedelta(seconds=30)
LONGEST = timedelta(hours=2)
FOR = timedelta(days=1)  # somebody who mends a robot the same day still hears what happened


def when_again(n_tries: int, *, created_at: datetime, now: datetime, rng: random.Random) -> datetime | None:
    """The time of the next try after `n_tries` failed ones; None when it is given up.

    The pauses double. Each is drawn from the upper half of its length, so that servers that failed together do not
    come back together.
    """
    pause = min(FIRST * 2 ** min(n_tries - 1, 16), LONGEST)
    at = now + pause * rng.uniform(0.5, 1.0)
    return at if at < created_at + FOR else None
