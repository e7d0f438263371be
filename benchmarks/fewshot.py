#!/usr/bin/env python3
"""How much Feilun's training learns from a handful of labels, beside what most people do.

    python benchmarks/fewshot.py --data FOLDER
    python benchmarks/fewshot.py --data FOLDER --sets banking77 --shots 10 --seeds 0-4 --out fewshot.json

Protocol. Two sets: BANKING77 (English, 77 intents; all-MiniLM-L6-v2) and MASSIVE zh-CN (Chinese, 60 intents;
multilingual-e5-small); more with --sets. Each run learns from the shots alone, without a validation file; `pool` also
reads the texts of the other training rows, without their labels. It is judged on every row of the test file, once.
Subsets: `published`, the fixed rows that papers on BANKING77 share (the seed is then the model's), and `drawn`, the
rows of fewshot.json for that seed.

Methods, each in a process of its own:
  baseline   embeddings of the same frozen backbone, scikit-learn LogisticRegression as it comes (C = 1)
  chosen     feilun.train with its default settings: every rung, cross-validated, the chosen one fitted on all rows
  pool       the same, with the rest of the training file as unlabelled messages
  probe      as chosen, with only the probe rung          tune   the same, with only the tune rung
  probe+pool as pool, with only the probe rung: nothing of the backbone is trained

CPU seconds are those of the whole process and its children, from its start to the finished fit: imports, reading the
backbone, embedding, cross-validation and the final fit. Peak memory is the process's.

How the defaults were set, without ever looking at a test file: docs/notes/005-training-loop.md
and 010-messages-without-labels.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from common import KEYS, as_text, in_own_process, summarise, tell, write_results
from methods import run_job
from sets import SOURCES, add_options, fits

METHODS = ("baseline", "probe", "tune", "chosen", "pool")
"""The usual ones; `probe+pool` when it is asked for."""


def main() -> int:
    """Run every combination, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, names="banking77,massive_zh_cn", some_seeds="0-4")
    parser.add_argument("--methods", default=",".join(METHODS), help="default: %(default)s")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(run_job(json.loads(options.job))))
        return 0
    if options.data is None:
        parser.error("--data is needed; see --help for where the data come from")
    records = [_measure(job) for job in fits(options, options.methods.split(","))]
    print(as_text(summarise(records, against="baseline")))
    if options.out:
        write_results(options.out, records, against="baseline")
    return 0


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a fresh process and say how it went."""
    record = {**{key: job[key] for key in KEYS}, **in_own_process(__file__, job)}
    tell(record)
    return record


if __name__ == "__main__":
    sys.exit(main())
