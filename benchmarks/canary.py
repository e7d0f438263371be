#!/usr/bin/env python3
"""How soon does the guard end a canary that is worse, and how often one that is not?

    python benchmarks/canary.py --out canary.json

Protocol. Messages come one by one, each from somebody else, and fall to the canary with the given share. Each goes
wrong with the rate of its model. The guard (one of them, no tolerance, 100 messages of each before it speaks) looks
after every 50 messages, up to 4,000. `ended`: the share of the runs in which it ended the canary; `after`: the messages
after which half of those were. Where both rates are equal, ending is a mistake, and `ended` must stay below the level.
Last, few users who write unequally much and whose messages are alike (intraclass correlation 0.2).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from feilun.release import Outcomes, evidence
from feilun.release.guard import has_enough

LEVEL, MIN_MESSAGES, EVERY, MOST = 0.05, 100, 50, 4000
N_USERS, ALIKE = 300, 0.2
CASES = [
    *((share, 0.2, rate, 0) for share in (0.1, 0.5) for rate in (0.2, 0.25, 0.3, 0.4)),
    *((share, 0.03, 0.03, 0) for share in (0.1, 0.5)),
    *((share, 0.2, 0.2, N_USERS) for share in (0.1, 0.5)),
]


def main() -> int:
    """Run every case, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300, help="canaries a line (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    options = parser.parse_args()
    lines = [run(case, n_runs=options.runs, seed=options.seed) for case in CASES]
    print("share  champion  canary  users  ended    after")
    for line in lines:
        after = "-" if line["after"] is None else f"{line['after']:,}"
        print(
            f"{line['share']:5.0%}  {line['champion']:8.0%}  {line['canary']:6.0%}  "
            f"{line['n_users'] or 'many':>5}  {line['ended']:5.1%}  {after:>7}"
        )
    if options.out:
        said = {"argv": sys.argv[1:], "level": LEVEL, "runs": options.runs, "seed": options.seed, "lines": lines}
        options.out.write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    return 0


def run(case: tuple[float, float, float, int], *, n_runs: int, seed: int) -> dict[str, Any]:
    """One line of the table."""
    share, champion, canary, n_users = case
    rng = np.random.default_rng(seed)
    ended = [when for _ in range(n_runs) if (when := end_of_one(rng, *case)) is not None]
    return {
        "share": share,
        "champion": champion,
        "canary": canary,
        "n_users": n_users,
        "ended": len(ended) / n_runs,
        "after": int(np.median(ended)) if ended else None,
    }


def end_of_one(rng: np.random.Generator, share: float, champion: float, canary: float, n_users: int) -> int | None:
    """The messages after which the guard ended this canary; None when it never did."""
    is_challenged = rng.random(n_users or MOST) < share
    rate = np.where(is_challenged, canary, champion)
    if n_users:
        rate = rng.beta(rate * (1 / ALIKE - 1), (1 - rate) * (1 / ALIKE - 1))
    weight = 1 / np.arange(1, len(rate) + 1) ** 0.5
    who = rng.choice(n_users, MOST, p=weight / weight.sum()) if n_users else np.arange(MOST)
    bad = rng.random(MOST) < rate[who]
    for seen in range(EVERY, MOST + 1, EVERY):
        n = np.bincount(who[:seen], minlength=len(rate))
        went_wrong = np.bincount(who[:seen], weights=bad[:seen], minlength=len(rate))
        parts = (is_challenged & (n > 0), ~is_challenged & (n > 0))
        ours, theirs = (Outcomes(n[part].astype(float), went_wrong[part]) for part in parts)
        is_enough = all(has_enough(one, min_messages=MIN_MESSAGES) for one in (ours, theirs))
        if is_enough and evidence(ours, theirs, tolerance=0.0) >= 1 / LEVEL:
            return seen
    return None


if __name__ == "__main__":
    raise SystemExit(main())
