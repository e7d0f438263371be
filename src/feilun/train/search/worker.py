"""`python -m feilun.train.search.worker JOB PARENT`: runs the trials that come in on stdin, until it is closed."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from feilun.process import die_with_parent


def main(job: str, parent: str) -> None:
    """Each line in is a trial, or whether the one that runs goes on; each line out is what is heard of it."""
    die_with_parent(int(parent))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log, not between our lines
    from feilun.train.search.job import read_job
    from feilun.train.search.processes import message_of
    from feilun.train.search.trial import Work, listen

    session, fixed = read_job(Path(job))
    charged_s = 0.0  # the first trial pays for the imports
    while line := sys.stdin.readline():
        work = Work(**json.loads(line))
        for heard in listen(session, fixed, work, cpu_began_s=charged_s):
            is_last = heard.judged is not None and heard.judged.n_folds == len(fixed.plan.folds)
            out.write(json.dumps(message_of(heard, Path(job), work.number, is_last=is_last)) + "\n")
            out.flush()
            if not json.loads(sys.stdin.readline() or "{}").get("go_on"):
                break
        charged_s = time.process_time()


if __name__ == "__main__":
    main(*sys.argv[1:])
