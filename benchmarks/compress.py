#!/usr/bin/env python3
"""How small and fast a model gets, and what that costs: a cut vocabulary, eight bits, smaller students.

    python benchmarks/compress.py --data FOLDER
    python benchmarks/compress.py --data FOLDER --parts vocabulary --out compress.json
    python benchmarks/compress.py --data FOLDER --parts students --lessons 2000 --epochs 1

Parts, each but the last judged on every row of a test file, once:
  vocabulary  multilingual-e5-small on MASSIVE zh-CN (8 a class, seed 0 of fewshot.json; tuned; languages zh) and on
              BANKING77 (the published 10 a class; a head on the frozen backbone; language en, and zh to see what a
              Chinese project loses on English): the whole vocabulary against the project's, float and int8. The pieces
              come from the shots and the language alone: no unlabelled text helps.
  layers      all-MiniLM-L6-v2 on BANKING77 (the published 10 a class, teacher trained with default settings): its
              student of 3 layers, which learns from the texts of the rest of train, without their labels.
  students    the same teacher and its students of the forms in --forms, judged on 1,000 rows of the rest of train,
              which no student learns from: to choose by. Not run unless asked for.

Sizes are of the three files that matter (graph, tokenizer, labels) in MB of 10^6 bytes. Speed: texts/s over the test
file on one thread, in batches sorted by length, tokenising included, CPU seconds of the process (so other work on the
machine does not count); p50 of one text at a time. Memory: growth of a fresh process's RSS that loads the graph and its
tokenizer and answers 200 texts.

No setting was chosen on these test files: see docs/notes/006-smaller-models.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SOURCES = """\
FOLDER holds one folder a set, with train.csv and test.csv (columns text,label) and fewshot.json:
{shots: {seed: [row numbers of train.csv, from 0]}}; for BANKING77 also {published: {train_10: [..]}}.
The texts are public:
  banking77      github.com/PolyAI-LDN/task-specific-datasets, banking_data (CC BY 4.0);
                 its published 5- and 10-shot rows: github.com/jianguoz/Few-Shot-Intent-Detection
  massive_zh_cn  MASSIVE by Amazon, github.com/alexa/massive, locale zh-CN, label = intent (CC BY 4.0)
"""
PARTS = ("vocabulary", "layers")  # what runs unasked
FORMS = "layers:3,width:0.5,layers:4,width:0.66"
N_JUDGED = 1000
MAX_TOKENS = 128


def main() -> int:
    """Run the parts, print a table for each, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the public data, see below")
    parser.add_argument(
        "--parts",
        default=",".join(PARTS),
        help="comma-separated (default: %(default)s)",
    )
    parser.add_argument("--precisions", default="float32,int8", help="comma-separated (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=1800, help="wall-clock seconds for a teacher (default: 1800)")
    parser.add_argument("--epochs", type=int, help="passes of a student (default: the setting's)")
    parser.add_argument("--lessons", type=int, help="most texts beside the shots that a student learns from")
    parser.add_argument("--forms", default=FORMS, help="part students: layers:N and width:SHARE (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="folder in which trained teachers are kept between runs")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--memory", nargs=3, metavar=("GRAPH", "TOKENIZER", "TEXTS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(json.dumps(memory_of(*options.memory)))
        return 0
    if options.data is None:
        parser.error("--data is needed; see --help for where the data come from")
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as aside:
        for part in options.parts.split(","):
            made = []
            for line in {"vocabulary": vocabulary, "layers": layers, "students": students}[part](options, Path(aside)):
                sys.stderr.write(f"{line['set']} {line['form']} {line['precision']}: {line['accuracy']:.4f}\n")
                made.append(line)
            print(as_text(made), flush=True)
            lines += made
    if options.out:
        private = {"--data": "FOLDER", "--out": "FILE", "--keep": "FOLDER"}
        command = [private.get(before, word) for before, word in zip(["", *sys.argv], sys.argv, strict=False)]
        options.out.write_text(json.dumps({"command": command, "lines": lines}, indent=1, ensure_ascii=False), "utf-8")
    return 0


# ------------------------------------------------------------------------------------------------------ the parts


def vocabulary(options: argparse.Namespace, aside: Path) -> Iterator[dict[str, Any]]:
    """The whole vocabulary and the project's, on the same trained network."""
    from feilun.compress.export import read_network
    from feilun.compress.vocabulary import choose_pieces
    from feilun.models.encode import Reader

    for name, subset, languages in (("massive_zh_cn", "8", ("zh",)), ("banking77", "published", ("en", "zh"))):
        data = read_set(options.data / name, subset=subset)
        backbone, result = teacher(options, aside, data, name=name, language="multi", is_tuned=name != "banking77")
        whole = read_network(result, backbone)
        (aside / "tokenizer.json").write_bytes(whole.tokenizer)
        reader = Reader(aside / "tokenizer.json", max_tokens=MAX_TOKENS, prefix=backbone.info.prefix)
        used = {piece for text, _ in data["shots"] for piece in reader.tokenise(text)}
        forms, same = {"whole vocabulary": whole}, {}
        for language in languages:
            kept = choose_pieces(whole.tokenizer, language=language, used=used)
            assert kept is not None
            known = set(kept.tolist())
            same[language] = float(np.mean([known.issuperset(reader.tokenise(text)) for text, _ in data["test"]]))
            forms[f"own pieces, {language}"] = whole.with_pieces(kept)
        about = {"set": name, "read_as_before": same}
        yield from measure(forms, data, backbone, result, aside, precisions=options.precisions, about=about)


def layers(options: argparse.Namespace, aside: Path) -> Iterator[dict[str, Any]]:
    """A teacher of six layers and its student of three."""
    yield from taught(options, aside, read_set(options.data / "banking77", subset="published"), forms="layers:3")


def students(options: argparse.Namespace, aside: Path) -> Iterator[dict[str, Any]]:
    """A teacher and students of several forms, on rows of train that are nobody's lessons."""
    data = read_set(options.data / "banking77", subset="published")
    order = np.random.default_rng(5).permutation(len(data["rest"]))
    judged = [data["rest"][place] for place in order[:N_JUDGED]]
    free = [data["rest"][place][0] for place in order[N_JUDGED:]]
    yield from taught(options, aside, data | {"test": judged, "pool": free}, forms=options.forms)


def taught(options: argparse.Namespace, aside: Path, data: dict[str, Any], *, forms: str) -> Iterator[dict[str, Any]]:
    """The teacher, then each student, taught on the shots and the pool and measured on the test rows."""
    from feilun.compress.distil import cut_layers, distil
    from feilun.compress.export import read_network
    from feilun.compress.prune import cut_width, weigh
    from feilun.compress.students import narrowed
    from feilun.config import DistilSettings, TaskSettings
    from feilun.tasks import get_task

    backbone, result = teacher(options, aside, data, name="banking77-en", language="en", is_tuned=True)
    whole = read_network(result, backbone)
    texts = [*(text for text, _ in data["shots"]), *data["pool"][: options.lessons]]
    (token_ids, aims), aims_s = timed(lambda: read_by(whole, backbone, texts))
    settings = DistilSettings() if options.epochs is None else DistilSettings(epochs=options.epochs)
    importance = None

    def told(kind: str, event: dict[str, Any]) -> None:
        if kind == "compress.epoch":
            sys.stderr.write(f"epoch {event['epoch']}/{event['epochs']} loss {event['loss']}\n")

    def teach(untaught: Any) -> Any:
        return distil(
            untaught,
            token_ids,
            aims,
            settings.model_copy(update={"budget_s": 1e9}),
            task=get_task(TaskSettings()),
            seed=0,
            on_event=told,
        )

    about: dict[str, Any] = {"set": "banking77", "n_lessons": len(texts), "epochs": settings.epochs}
    made = {f"teacher, {whole.config.n_layers} layers": whole}
    costs = {}
    for form in forms.split(","):
        kind, _, share = form.partition(":")
        started = time.process_time()
        if kind == "layers":
            untaught = cut_layers(whole, n_layers=int(share))
        else:
            if importance is None:
                importance = weigh(whole, token_ids[:: max(1, len(token_ids) // 500)], seed=0)
            slim = narrowed(whole.config, width=float(share))
            untaught = cut_width(whole, importance, n_heads=slim.n_heads, n_ffn=slim.n_ffn)
        name = f"student, {share} layers" if kind == "layers" else f"student, width {share}"
        made[name] = teach(untaught)
        costs[name] = round(time.process_time() - started + aims_s, 1)
    for line in measure(made, data, backbone, result, aside, precisions=options.precisions, about=about):
        yield line | ({"cpu_s": costs[line["form"]]} if line["form"] in costs else {})


# ------------------------------------------------------------------------------------------------- what they share


def read_set(folder: Path, *, subset: str) -> dict[str, Any]:
    """The shots, the test rows and the rest of train that is neither (text, label); the texts of the rest as pool."""

    def rows(name: str) -> list[tuple[str, str]]:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            return [(row["text"], row["label"]) for row in csv.DictReader(file)]

    draws = json.loads((folder / "fewshot.json").read_text("utf-8"))
    picked = draws["published"]["train_10"] if subset == "published" else draws[subset]["0"]
    train, test, chosen = rows("train.csv"), rows("test.csv"), set(picked)
    taken = {train[row][0] for row in picked} | {text for text, _ in test}
    rest = dict(train[row] for row in range(len(train)) if row not in chosen and train[row][0] not in taken)
    return {"shots": [train[row] for row in picked], "test": test, "rest": list(rest.items()), "pool": list(rest)}


def teacher(
    options: argparse.Namespace, aside: Path, data: dict[str, Any], *, name: str, language: str, is_tuned: bool
) -> tuple[Any, Any]:
    """The backbone, and what training on the shots left behind: with default settings, or a head alone."""
    from feilun.config import FeilunSettings
    from feilun.models import pull, resolve
    from feilun.models.errors import ModelMissing
    from feilun.records import Dataset, Example
    from feilun.tasks import get_task
    from feilun.train import load_result, train

    try:
        backbone = resolve("", language=language)
    except ModelMissing:
        backbone = pull("", language=language)
    folder = (options.keep or aside) / f"teacher-{name}"
    if (folder / "train.json").exists():
        return backbone, load_result(folder)
    examples = tuple(
        Example(str(i), {"text": text}, (label,), "train.csv", row=i) for i, (text, label) in enumerate(data["shots"])
    )
    dataset = Dataset("compress", examples, (), (), tuple(sorted({label for _, label in data["shots"]})))
    settings = FeilunSettings.model_validate(
        {"project": {"name": "compress", "language": language}, "train": {"tune": {"enabled": is_tuned}}}
    )
    made = train(
        dataset,
        backbone,
        settings,
        task=get_task(settings.task),
        workdir=folder,
        budget_s=options.budget,
        seed=0,
    )
    return backbone, made


def measure(
    forms: dict[str, Any],
    data: dict[str, Any],
    backbone: Any,
    result: Any,
    aside: Path,
    *,
    precisions: str,
    about: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """Every form in every precision: accuracy on the test file, size, speed, memory."""
    from feilun.compress.export import export_float, write_graph
    from feilun.compress.quantise import quantise
    from feilun.models import Encoder

    labels = {label: column for column, label in enumerate(result.labels)}
    targets = np.array([labels.get(label, -1) for _, label in data["test"]])
    texts = [text for text, _ in data["test"]]
    (aside / "texts.json").write_text(json.dumps(texts[:200], ensure_ascii=False), "utf-8")
    graph, tokenizer = aside / "model.onnx", aside / "tokenizer.json"
    exact: np.ndarray | None = None
    for name, network in forms.items():
        tokenizer.write_bytes(network.tokenizer)
        for precision in precisions.split(","):
            model = export_float(network)
            if precision == "int8":
                quantise(model, method="token")
            write_graph(model, graph)
            del model
            encoder = Encoder(graph, tokenizer, max_tokens=MAX_TOKENS, prefix=backbone.info.prefix)
            logits, bulk_s = timed(lambda run=encoder.run: run(texts)[1])
            one_s = [timed(lambda run=encoder.run_one, text=text: run(text))[1] for text in texts[:200]]
            del encoder
            exact = logits if exact is None else exact
            line = about | {
                "form": name,
                "precision": precision,
                "accuracy": float((logits.argmax(axis=1) == targets).mean()),
                "same_answer": float((logits.argmax(axis=1) == exact.argmax(axis=1)).mean()),
                "n_test": len(texts),
                "n_pieces": network.config.vocab_size,
                **network.shape,
                "size_mb": (graph.stat().st_size + tokenizer.stat().st_size + len(json.dumps(result.labels))) / 1e6,
                "texts_per_cpu_s": len(texts) / bulk_s,
                "one_text_ms": 1000 * float(np.median(one_s)),
            }
            command = [sys.executable, __file__, "--memory", str(graph), str(tokenizer), str(aside / "texts.json")]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            yield line | json.loads(done.stdout)


def read_by(network: Any, backbone: Any, texts: list[str]) -> tuple[list[list[int]], tuple[np.ndarray, np.ndarray]]:
    """The token ids of texts, and what a network says of them: embeddings and logits."""
    from feilun.compress.export import export_float
    from feilun.models import Encoder

    graph, tokenizer = export_float(network).SerializeToString(), backbone.folder / "tokenizer.json"
    encoder = Encoder(graph, tokenizer, max_tokens=MAX_TOKENS, prefix=backbone.info.prefix)
    embeddings, logits = encoder.run(texts)
    assert logits is not None
    return [encoder.tokenise(text) for text in texts], (embeddings, logits)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` gives, and the CPU seconds it took."""
    started = time.process_time()
    value = work()
    return value, time.process_time() - started


def memory_of(graph: str, tokenizer: str, texts: str) -> dict[str, float]:
    """RSS in MB that a graph and its tokenizer add to a process with all libraries loaded."""
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import tokenizers  # noqa: F401

    from feilun.models import Encoder

    def rss_mb() -> float:
        pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
        return pages * 4096 / 1e6

    before = rss_mb()
    encoder = Encoder(Path(graph), Path(tokenizer), max_tokens=MAX_TOKENS)
    encoder.run(json.loads(Path(texts).read_text("utf-8")))
    return {"rss_mb": round(rss_mb() - before, 1), "process_mb": round(rss_mb(), 1)}


def as_text(lines: list[dict[str, Any]]) -> str:
    """The table of one part; ratios are against its first line of the same precision."""
    out = [
        f"{'set':14s} {'form':26s} {'bits':8s} {'accuracy':>8s} {'lost':>6s} {'MB':>7s} {'size':>6s} {'texts/s':>8s} "
        f"{'speed':>6s} {'one ms':>7s} {'RSS MB':>7s}"
    ]
    for line in lines:
        base = next(o for o in lines if (o["set"], o["precision"]) == (line["set"], line["precision"]))
        out.append(
            f"{line['set']:14s} {line['form']:26s} {line['precision']:8s} {100 * line['accuracy']:8.2f} "
            f"{100 * (base['accuracy'] - line['accuracy']):+6.2f} {line['size_mb']:7.1f} "
            f"{line['size_mb'] / base['size_mb']:6.2f} {line['texts_per_cpu_s']:8.0f} "
            f"{line['texts_per_cpu_s'] / base['texts_per_cpu_s']:6.2f} {line['one_text_ms']:7.2f} {line['rss_mb']:7.0f}"
        )
    return "\n".join(out)


if __name__ == "__main__":
    sys.exit(main())
