#!/usr/bin/env python3
"""Feilun beside its peers: the same rows, the same backbone, one run, one table.

    python benchmarks/peers.py --data FOLDER --out peers.json
    python benchmarks/peers.py --data FOLDER --sets banking77 --shots 10 --subsets published --seeds 0
    python benchmarks/peers.py --data FOLDER --peers tfidf,baseline --sets sib200_zh,snips       # needs no venv

Protocol. Every method gets the same training rows and nothing else, answers every judging row once, and runs in a
process of its own. CPU seconds are those of the process and its children from its start to the finished fit: imports,
reading the backbone, and for Feilun also its cross-validation, for a peer no search at all. `gain` and `x CPU` compare
with Feilun. For sentences that a backbone's card wants behind `query: `, everybody puts it there.

Methods
  chosen     feilun.train with its default settings under --budget; probe, tune: that rung alone
  baseline   frozen embeddings, scikit-learn LogisticRegression as it comes (C = 1)
  tfidf      TF-IDF of words, pairs and parts of words (Chinese: characters and pairs), LogisticRegression, C = 10
  setfit     SetFit {setfit}: batches of 16, 5 iterations at 1e-4. Its paper's 20 iterations at 2e-5 cost four times
             as much (--setfit-iterations 20 --setfit-rate 2e-5); its library's default, every pair, many times more
  trainer    transformers' Trainer {transformers}, all layers, float32, 20 epochs in batches of 16, AdamW 1e-4,
             warm-up over 10 %, linear decay, weight decay 0.01, a new classifier on the pooled first token

The peers' packages are many and pinned, so they live in an environment of their own: --peer-python names one, else
--peer-venv is made with pip (once; --pip-flags for a mirror or PyTorch's CPU index).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from common import KEYS, Record, as_text, in_own_process, judged, summarise, tell, write_results
from methods import find_backbone, run_job
from sets import SOURCES, add_options, fits, judging_rows, teaching_rows

OURS = "chosen"
THEIRS = ("setfit", "trainer")
METHODS = (OURS, "probe", "tune", "baseline", "tfidf", *THEIRS)
PINNED = {"torch": "2.13.0", "transformers": "5.24.0", "accelerate": "1.15.0", "setfit": "1.2.0"}
MAX_TOKENS = 128


def main() -> int:
    """Run every combination, print the table, write the JSON after every fit."""
    options = arguments().parse_args()
    if options.job:
        print(json.dumps(run_job(json.loads(options.job))))
        return 0
    if options.data is None:
        arguments().error("--data is needed; see --help for where the data come from")
    wanted = jobs(options)
    records: list[Record] = []
    if options.resume and options.out and options.out.exists():
        records = json.loads(options.out.read_text("utf-8"))["runs"]
    done = {tuple(record[key] for key in KEYS) for record in records}
    python = peer_python(options) if any(job["method"] in THEIRS for job in wanted) else None
    for job in wanted:
        if tuple(job[key] for key in KEYS) in done:
            continue
        outcome = run_theirs(job, python) if python and job["method"] in THEIRS else in_own_process(__file__, job)
        records.append({**{key: job[key] for key in KEYS}, **outcome})
        tell(records[-1])
        if options.out:
            write_results(options.out, records, against=OURS, peers=PINNED)
    print(as_text(summarise(records, against=OURS)))
    return 0


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=str(__doc__).format(**PINNED),
        epilog=SOURCES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser, names="banking77", some_seeds="0")
    parser.add_argument(
        "--peers", default="baseline,tfidf,setfit,trainer", help=f"of {', '.join(METHODS)} (default: %(default)s)"
    )
    parser.add_argument("--without-ours", action="store_true", help="leave Feilun's own fit out, or for later")
    parser.add_argument("--setfit-iterations", type=int, default=5, help="pairs drawn a row, both kinds (default: 5)")
    parser.add_argument("--setfit-rate", type=float, default=1e-4, help="step size of SetFit's body (default: 1e-4)")
    parser.add_argument("--trainer-epochs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--trainer-rate", type=float, default=1e-4, help="step size of the Trainer (default: 1e-4)")
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peers' packages")
    parser.add_argument("--peer-venv", type=Path, default=Path(tempfile.gettempdir()) / "feilun-peers")
    parser.add_argument("--pip-flags", default="", help="for making --peer-venv, e.g. --pip-flags='--index-url URL'")
    parser.add_argument("--out", type=Path, help="write everything as JSON here, after every fit")
    parser.add_argument("--resume", action="store_true", help="keep the fits that --out already holds")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser


def jobs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every fit to make, as plain values."""
    methods = [*([] if options.without_ours else [OURS]), *options.peers.split(",")]
    unknown = sorted({*methods} - {*METHODS})
    if unknown:
        arguments().error(f"unknown peers: {', '.join(unknown)}; there are {', '.join(METHODS)}")
    return [
        {**fit, "settings": settings_of(fit["method"], options)} for fit in fits(options, list(dict.fromkeys(methods)))
    ]


def settings_of(method: str, options: argparse.Namespace) -> dict[str, Any]:
    """A peer's hyper-parameters; ours and the baselines have none to set here."""
    if method == "setfit":
        return {
            "batch_size": 16,
            "num_iterations": options.setfit_iterations,
            "learning_rate": options.setfit_rate,
        }
    if method == "trainer":
        return {
            "batch_size": 16,
            "epochs": options.trainer_epochs,
            "learning_rate": options.trainer_rate,
            "warm_up": 0.1,
            "weight_decay": 0.01,
        }
    return {}


def peer_python(options: argparse.Namespace) -> Path:
    """The Python that runs the peers, its packages installed if it is ours to install them."""
    if options.peer_python:
        return Path(options.peer_python)
    python: Path = options.peer_venv / "bin" / "python"
    if not (options.peer_venv / "ready").exists():
        sys.stderr.write(f"Installing the peers into {options.peer_venv}; this takes some minutes.\n")
        venv.create(options.peer_venv, with_pip=True)
        pinned = [f"{name}=={version}" for name, version in PINNED.items()]
        subprocess.run([python, "-m", "pip", "install", "-q", *options.pip_flags.split(), *pinned], check=True)
        (options.peer_venv / "ready").touch()
    return python


def run_theirs(job: dict[str, Any], python: Path) -> Record:
    """Fit a peer in its own Python and judge what it answers."""
    backbone = find_backbone(job)
    rows, judges = teaching_rows(job), judging_rows(job)
    labels = sorted(set(rows.labels))
    with tempfile.TemporaryDirectory() as scratch:
        told = {
            "method": job["method"],
            "settings": job["settings"],
            "seed": job["seed"],
            "folder": str(backbone.folder),
            "prefix": backbone.info.prefix,
            "pooling": backbone.info.pooling,
            "max_tokens": MAX_TOKENS,
            "train_texts": rows.texts,
            "train_labels": [labels.index(label) for label in rows.labels],
            "test_texts": judges.texts,
            "out": str(Path(scratch) / "done.json"),
        }
        (Path(scratch) / "job.json").write_text(json.dumps(told), "utf-8")
        script = Path(__file__).with_name("theirs.py").resolve()
        subprocess.run([python, script, Path(scratch) / "job.json"], check=True, stdout=sys.stderr)
        done = json.loads(Path(told["out"]).read_text("utf-8"))
    given = [labels[place] for place in done.pop("answers")]
    return {**judged(judges.labels, given), **done, "n_rows": len(rows.texts)}


if __name__ == "__main__":
    sys.exit(main())
