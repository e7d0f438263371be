"""The public data sets that the benchmarks learn from, and which of their rows teach and which judge.

Nothing is chosen on the rows that judge: they are read once, after the fit.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common import seeds

SOURCES = """\
FOLDER holds one folder a set. Files are CSV with columns text,label; fewshot.json holds
{shots: {seed: [row numbers of train.csv, from 0]}}; for BANKING77 also {published: {train_5: [..], train_10: [..]}}.
The texts are public:
  banking77      github.com/PolyAI-LDN/task-specific-datasets, banking_data (CC BY 4.0): train.csv, test.csv;
                 its published 5- and 10-shot rows: github.com/jianguoz/Few-Shot-Intent-Detection
  massive_zh_cn  MASSIVE by Amazon, github.com/alexa/massive, locale zh-CN, label = intent (CC BY 4.0)
  clinc150       github.com/clinc/oos-eval, data_full (CC BY 3.0): train.csv and test.csv, in scope only
  snips          github.com/sonos/nlu-benchmark, 2017-06-custom-intent-engines (CC0): train.csv, test.csv
  sib200         github.com/dadelani/sib-200: {eng_Latn,zho_Hans}_{train,test}.csv
  xsid           github.com/mainlp/xsid, 0.7 (CC BY-SA 4.0): {en,zh}_{valid,test}.csv; the 300 valid rows teach
  movie_review_sentences, subjectivity   Pang & Lee, as packaged by NLTK (CC BY 4.0): data.csv with a column fold,
                 SHA-256 of the text modulo 10; fold 0 judges, the shots are drawn from the others
  sms_spam       UCI SMS Spam Collection (CC BY 4.0): data.csv with a column split, every fifth row is `test`
"""


@dataclass(frozen=True)
class DataSet:
    """One set. shots: of each class, 0 meaning every training row; subsets: how the shots are picked.

    `published`: the fixed rows that papers share; `drawn`: by seed, from fewshot.json or, where a set has folds, by
    this module; `all`: every training row (0 shots), the seed is then the model's.
    """

    language: str
    shots: tuple[int, ...]
    subsets: tuple[str, ...]
    folder: str = ""
    train_file: str = "train.csv"
    test_file: str = "test.csv"
    column: str = ""
    judges: str = ""


def _folds(language: str) -> DataSet:
    one = "data.csv"
    return DataSet(language, (8, 16, 64), ("drawn", "all"), train_file=one, test_file=one, column="fold", judges="0")


def _whole(language: str, folder: str, train_file: str, test_file: str) -> DataSet:
    return DataSet(language, (0,), ("all",), folder=folder, train_file=train_file, test_file=test_file)


SETS = {
    "banking77": DataSet("en", (5, 10), ("published", "drawn", "all")),
    "massive_zh_cn": DataSet("zh", (8,), ("drawn", "all")),
    "clinc150": DataSet("en", (5, 10), ("drawn", "all")),
    "snips": DataSet("en", (5, 10), ("drawn", "all")),
    "sib200_zh": _whole("zh", "sib200", "zho_Hans_train.csv", "zho_Hans_test.csv"),
    "sib200_en": _whole("en", "sib200", "eng_Latn_train.csv", "eng_Latn_test.csv"),
    "xsid_zh": _whole("zh", "xsid", "zh_valid.csv", "zh_test.csv"),
    "xsid_en": _whole("en", "xsid", "en_valid.csv", "en_test.csv"),
    "movie_review_sentences": _folds("en"),
    "subjectivity": _folds("en"),
    "sms_spam": DataSet(
        "en", (0,), ("all",), train_file="data.csv", test_file="data.csv", column="split", judges="test"
    ),
}
TASK_KEYS = ("set", "shots", "subset", "seed", "language", "data")


class Rows(NamedTuple):
    """Texts and their labels, in the order of the file."""

    texts: list[str]
    labels: list[str]


def add_options(parser: argparse.ArgumentParser, *, names: str, some_seeds: str) -> None:
    """The options that say what to learn from, and for how long."""
    parser.add_argument("--data", type=Path, help="folder with the public data, see below")
    parser.add_argument("--sets", default=names, help=f"of {', '.join(SETS)} (default: %(default)s)")
    parser.add_argument("--shots", default="", help="comma-separated shots a class, 0: every row (default: the usual)")
    parser.add_argument("--subsets", default="", help="published,drawn,all (default: all that a set has)")
    parser.add_argument("--seeds", default=some_seeds, help="a range or a comma-separated list (default: %(default)s)")
    parser.add_argument("--backbone-en", default="", help="spec of the English backbone (default: the catalogue's)")
    parser.add_argument("--backbone-zh", default="", help="spec of the Chinese backbone (default: the catalogue's)")
    parser.add_argument(
        "--budget", type=float, default=600, help="wall-clock seconds for our fit (default: %(default)s)"
    )


def fits(options: argparse.Namespace, methods: list[str]) -> list[dict[str, Any]]:
    """Every fit that `add_options`' options ask for, method by method on the same rows."""
    names = options.sets.split(",")
    for name in names:
        if name not in SETS:
            raise SystemExit(f"unknown set {name!r}; there are {', '.join(SETS)}")
        folder = options.data / (SETS[name].folder or name)
        if not folder.is_dir():
            raise SystemExit(f"no folder {folder}; --help says where {name} comes from and what belongs in it")
    wanted = tasks(
        options.data,
        names=names,
        shots=[int(s) for s in options.shots.split(",")] if options.shots else [],
        subsets=options.subsets.split(",") if options.subsets else [],
        seeds=seeds(options.seeds),
    )
    backbones = {"en": options.backbone_en, "zh": options.backbone_zh}
    return [
        {**task, "backbone": backbones[task["language"]], "method": method, "budget_s": options.budget}
        for task in wanted
        for method in methods
    ]


def tasks(
    data: Path, *, names: list[str], shots: list[int], subsets: list[str], seeds: list[int]
) -> list[dict[str, Any]]:
    """Every (set, shots, subset, seed) asked for, as plain values that a child process can be told.

    Empty `shots` and `subsets` mean all that a set has. What a set does not have is left out.
    """
    found: list[dict[str, Any]] = []
    for name in names:
        about = SETS[name]
        for n_shots in shots or about.shots:
            for subset in [s for s in subsets or about.subsets if s in about.subsets and (s == "all") == (not n_shots)]:
                found += [
                    {
                        "set": name,
                        "shots": n_shots,
                        "subset": subset,
                        "seed": seed,
                        "language": about.language,
                        "data": str(data),
                    }
                    for seed in seeds
                ]
    return found


def teaching_rows(task: dict[str, Any]) -> Rows:
    """What a fit may learn from."""
    about = SETS[task["set"]]
    rows = _read(task, about.train_file)
    if about.column:
        rows = [row for row in rows if row[about.column] != about.judges]
    if task["shots"]:
        rows = [rows[place] for place in _picked(task, rows)]
    return Rows([row["text"] for row in rows], [row["label"] for row in rows])


def other_texts(task: dict[str, Any]) -> list[str]:
    """The texts of the training rows that do not teach: what a fit may read without their labels."""
    about = SETS[task["set"]]
    if not task["shots"] or about.column:
        return []
    rows = _read(task, about.train_file)
    picked = set(_picked(task, rows))
    return [row["text"] for place, row in enumerate(rows) if place not in picked]


def training_labels(task: dict[str, Any], texts: list[str]) -> list[str]:
    """The labels that the training file gives these texts of it."""
    known = dict(zip(*read_rows(task, SETS[task["set"]].train_file), strict=True))
    return [known[text] for text in texts]


def judging_rows(task: dict[str, Any]) -> Rows:
    """What the finished fit is judged on, once."""
    about = SETS[task["set"]]
    rows = _read(task, about.test_file)
    if about.column:
        rows = [row for row in rows if row[about.column] == about.judges]
    return Rows([row["text"] for row in rows], [row["label"] for row in rows])


def read_rows(task: dict[str, Any], name: str) -> Rows:
    """Every row of a file in the folder of the task's set."""
    rows = _read(task, name)
    return Rows([row["text"] for row in rows], [row["label"] for row in rows])


def _read(task: dict[str, Any], name: str) -> list[dict[str, str]]:
    with _file(task, name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _file(task: dict[str, Any], name: str) -> Path:
    return Path(task["data"]) / (SETS[task["set"]].folder or task["set"]) / name


def _picked(task: dict[str, Any], rows: list[dict[str, str]]) -> list[int]:
    """Row numbers of the shots: `shots` of every class, or all that a class has."""
    if SETS[task["set"]].column:
        rng = np.random.default_rng(task["seed"])
        labels = np.array([row["label"] for row in rows])
        parts = [rng.permutation(np.flatnonzero(labels == label))[: task["shots"]] for label in np.unique(labels)]
        return [int(place) for place in np.concatenate(parts)]
    draws = json.loads(_file(task, "fewshot.json").read_text("utf-8"))
    if task["subset"] == "published":
        return list(draws["published"][f"train_{task['shots']}"])
    return list(draws[str(task["shots"])][str(task["seed"])])
