#!/usr/bin/env python3
"""What does each ingredient of Feilun's training add, and which ideas add nothing?

    python benchmarks/ingredients.py --data FOLDER
    python benchmarks/ingredients.py --data FOLDER --sets massive_zh_cn --shots 8 --seeds 5 --what masked,contrastive

Protocol. The shots of fewshot.json for seeds that no published figure uses; judged on 2,000 left-over training rows,
the other left-over rows being the messages without labels. No test file is read. Each line is a fit in a process of its
own; CPU seconds as in fewshot.py.

What ships, one ingredient after the other:
  plain        logistic regression on frozen embeddings, C = 1, as most people do it
  c            C chosen by cross-validation           names        and the class names as texts
  tune         and the upper half of the layers       token_drop   and a tenth of the tokens left out at random
  pool         and the messages without labels

What does not ship:
  masked       before all that, the upper half of the layers goes on guessing masked words of all messages (Gururangan
               et al. 2020, arXiv 2004.10964): 15 % of the tokens, two passes, 5e-5
  contrastive  before all that, two views of a message with other tokens left out must be nearer to each other than to
               the other messages of the batch (Gao et al. 2021, arXiv 2104.08821): one pass, 3e-5
  thinned      three copies of each message, a fifth of the tokens left out, as further rows of the probe
  mixed        the probe also learns from points between two messages of a class (Zhang et al. 2017, arXiv 1710.09412)
  shifted      the probe also learns from a message moved by the difference of two messages of another class (Kumar et
               al. 2019, arXiv 1910.04176)
The last three are compared with `names`, the first two with `token_drop`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from common import KEYS, as_text, cost_since, in_own_process, judged, summarise, tell, write_results
from methods import RUNGS, find_backbone, train_ours
from sets import SOURCES, add_options, fits, other_texts, teaching_rows, training_labels

N_JUDGED = 2000
NO_TUNE = RUNGS["probe"]
SHIPPED: dict[str, dict[str, Any]] = {
    "plain": {"probe": {"c": [1.0], "label_names": False}, **NO_TUNE},
    "c": {"probe": {"label_names": False}, **NO_TUNE},
    "names": NO_TUNE,
    "tune": {"tune": {"token_drop": 0.0}},
    "token_drop": {},
    "pool": {},
}
PRETRAINED = ("masked", "contrastive")
AUGMENTED = ("thinned", "mixed", "shifted")
EVERYTHING = (*SHIPPED, *PRETRAINED, *AUGMENTED)
MASKED_SHARE, MASKED_PASSES, MASKED_RATE = 0.15, 2, 5e-5
VIEW_DROP, VIEW_PASSES, VIEW_RATE, VIEW_SHARPNESS = 0.2, 1, 3e-5, 20.0
N_COPIES, COPY_DROP = 3, 0.2
BATCH = 32


def main() -> int:
    """Run every combination, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=SOURCES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, names="banking77", some_seeds="5,6")
    parser.add_argument("--what", default=",".join(EVERYTHING), help="default: %(default)s")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(run(json.loads(options.job))))
        return 0
    if options.data is None:
        parser.error("--data is needed; see --help for where the data come from")
    options.subsets = "drawn"
    records = []
    for job in fits(options, options.what.split(",")):
        records.append({**{key: job[key] for key in KEYS}, **in_own_process(__file__, job)})
        tell(records[-1])
        if options.out:
            write_results(options.out, records, against="plain")
    print(as_text(summarise(records, against="plain")))
    return 0


def run(job: dict[str, Any]) -> dict[str, Any]:
    """One fit, judged on left-over rows."""
    started = time.monotonic()
    backbone, (texts, labels), others = find_backbone(job), teaching_rows(job), other_texts(job)
    order = np.random.default_rng(0).permutation(len(others))
    judges = [others[place] for place in order[:N_JUDGED]]
    pool = [others[place] for place in order[N_JUDGED:]]
    gold = training_labels(job, judges)
    what = job["method"]
    with tempfile.TemporaryDirectory() as folder:
        if what in AUGMENTED:
            answer, names = augmented(what, job, backbone, texts, labels)
        else:
            if what in PRETRAINED:
                backbone = pretrained(what, backbone, texts + pool, seed=job["seed"], folder=Path(folder))
            result, answer = train_ours(
                job,
                backbone,
                (texts, labels),
                settings=SHIPPED.get(what, {}),
                unlabelled=pool if what == "pool" else [],
            )
            names = list(result.labels)
        cost = {**cost_since(started), "n_rows": len(texts), "detail": ""}
        return {**judged(gold, [names[i] for i in answer(judges).argmax(axis=1)]), **cost}


def augmented(
    what: str, job: dict[str, Any], backbone: Any, texts: list[str], labels: list[str]
) -> tuple[Callable[[list[str]], np.ndarray], list[str]]:
    """The probe with class names, C = 30, on more rows than there are: how it answers, and its classes."""
    from feilun.config import TaskSettings
    from feilun.models import embedder
    from feilun.tasks import get_task

    task, encoder = get_task(TaskSettings()), embedder(backbone, max_tokens=128)
    names = sorted(set(labels))
    rows, y = list(texts) + task.label_texts(names), np.array([names.index(label) for label in labels])
    y = np.concatenate([y, np.arange(len(names))])
    e = encoder.run(rows)[0]
    rng = np.random.default_rng(job["seed"])
    if what == "thinned":
        copies = [thin(text, rng=rng) for text in texts for _ in range(N_COPIES)]
        more, more_y = encoder.run(copies)[0], np.repeat(y[: len(texts)], N_COPIES)
    else:
        more, more_y = between(e, y, rng=rng) if what == "mixed" else shifted(e, y, rng=rng)
    more /= np.linalg.norm(more, axis=1, keepdims=True)
    every, every_y = np.concatenate([e, more]), np.concatenate([y, more_y])
    weight, bias = task.fit_head(
        every, np.eye(len(names), dtype=np.float32)[every_y], c=30.0, sample_weight=None, seed=job["seed"]
    )
    return (lambda some: encoder.run(some)[0] @ weight.T + bias), names


def thin(text: str, *, rng: np.random.Generator) -> str:
    """The text without a fifth of its words (or, without spaces, of its characters)."""
    parts = text.split(" ") if " " in text else list(text)
    kept = [part for part in parts if rng.random() >= COPY_DROP] or parts
    return (" " if " " in text else "").join(kept)


def between(e: np.ndarray, y: np.ndarray, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points between each row and another of its class."""
    mates = np.array([rng.choice(np.flatnonzero(y == y[i])) for i in np.repeat(np.arange(len(y)), N_COPIES)])
    own = np.repeat(np.arange(len(y)), N_COPIES)
    share = rng.uniform(0.2, 0.8, len(own))[:, None].astype(np.float32)
    return share * e[own] + (1 - share) * e[mates], y[own]


def shifted(e: np.ndarray, y: np.ndarray, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Each row moved by half the difference of two rows of another class."""
    own = np.repeat(np.arange(len(y)), N_COPIES)
    moves = []
    for i in own:
        other = rng.choice(np.flatnonzero(y != y[i]))
        moves.append(e[other] - e[rng.choice(np.flatnonzero(y == y[other]))])
    return e[own] + 0.5 * np.array(moves, dtype=np.float32), y[own]


def pretrained(what: str, backbone: Any, texts: list[str], *, seed: int, folder: Path) -> Any:
    """The backbone with its upper half trained on `texts` without labels, in `folder`."""
    import torch
    from safetensors.numpy import save_file
    from torch import nn

    from feilun.models import embedder, read_config, read_tensors
    from feilun.network.batches import Corpus
    from feilun.network.encoder import LayerStack
    from feilun.network.loop import LoopSettings, optimise
    from feilun.network.optimiser import make_optimiser

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    config, tensors = read_config(backbone.folder), read_tensors(backbone.folder)
    reader = embedder(backbone, max_tokens=128)
    corpus = Corpus([reader.tokenise(text) for text in dict.fromkeys(texts)])
    n_frozen = config.n_layers // 2
    layers = LayerStack(config, first=n_frozen, last=config.n_layers).load(tensors)
    rng = np.random.default_rng(seed)
    shape = {"config": config, "tensors": tensors, "n_frozen": n_frozen, "scratch": folder}
    if what == "masked":
        head: nn.Module = nn.Sequential(
            nn.Linear(config.n_hidden, config.n_hidden), nn.GELU(), nn.LayerNorm(config.n_hidden)
        )
        loss_of, batches = _masked(corpus, layers, head, rng=rng, mask=_mask_id(backbone), **shape)
        passes, rate = MASKED_PASSES, MASKED_RATE
    else:
        head = nn.Linear(1, 1)  # the optimiser wants one; it learns nothing
        loss_of, batches = _views(corpus, layers, pooling=backbone.info.pooling, rng=rng, **shape)
        passes, rate = VIEW_PASSES, VIEW_RATE
    optimiser = make_optimiser(
        layers, head, learning_rate=rate, head_learning_rate=20 * rate, layer_decay=1.0, weight_decay=0.01
    )
    optimise(
        loss_of,
        batches,
        optimiser,
        LoopSettings(epochs=passes),
        n_batches=corpus.n_batches(np.arange(len(corpus)), batch_size=BATCH),
        time_limit_s=1e9,
    )
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(backbone.folder / name, folder / name)
    save_file({**tensors, **layers.tensors()}, folder / "model.safetensors")
    info = backbone.info.model_copy(update={"fingerprint": f"{what}-{seed}"})
    return replace(backbone, folder=folder, info=info)


def _mask_id(backbone: Any) -> int:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(backbone.folder / "tokenizer.json"))
    found = next(i for name in ("[MASK]", "<mask>") if (i := tokenizer.token_to_id(name)) is not None)
    return int(found)


def _frozen(corpus: Any, *, config: Any, tensors: Any, n_frozen: int, scratch: Path) -> Any:
    import torch

    from feilun.network.activations import Activations

    kind = {"precision": torch.float32, "device": torch.device("cpu"), "scratch": scratch}
    return Activations(corpus, tensors, config, n_frozen=n_frozen, **kind)


def _masked(
    corpus: Any, layers: Any, head: Any, *, rng: np.random.Generator, mask: int, **shape: Any
) -> tuple[Any, Callable[[], Iterator[Any]]]:
    """The loss on masked tokens, against the table of pieces itself, and batches masked anew in each pass."""
    import torch

    table = torch.from_numpy(shape["tensors"]["embeddings.word_embeddings.weight"].astype(np.float32))
    original = corpus.ids.copy()
    inner = np.ones(len(original), dtype=bool)
    inner[corpus.starts[:-1]] = inner[corpus.starts[1:] - 1] = False
    frozen = _frozen(corpus, **shape)

    def batches() -> Iterator[Any]:
        chosen = inner & (rng.random(len(original)) < MASKED_SHARE)
        corpus.ids = np.where(chosen, mask, original).astype(np.int32)
        return iter(corpus.shuffled(np.arange(len(corpus)), batch_size=BATCH, rng=rng))

    def loss_of(batch: Any) -> Any:
        hidden = layers(frozen.take(batch), batch.groups, precision=torch.float32)
        places = np.flatnonzero(corpus.ids[batch.token_index] != original[batch.token_index])
        if not len(places):
            return hidden.sum() * 0
        wanted = torch.from_numpy(original[batch.token_index][places].astype(np.int64))
        return torch.nn.functional.cross_entropy(head(hidden[places]) @ table.T, wanted)

    return loss_of, batches


def _views(
    corpus: Any, layers: Any, *, pooling: str, rng: np.random.Generator, **shape: Any
) -> tuple[Any, Callable[[], Iterator[Any]]]:
    """The contrastive loss between two thinned views of each message of a batch."""
    import torch

    from feilun.network.encoder import pool

    frozen = _frozen(corpus, **shape).build()

    def view(batch: Any, thin_corpus: Any) -> Any:
        packed = thin_corpus.pack(np.sort(batch.rows))
        hidden = layers(frozen.take(packed), packed.groups, precision=torch.float32)
        pooled = pool(hidden, packed.groups, pooling=pooling)
        return pooled[torch.from_numpy(np.argsort(packed.rows))]

    def batches() -> Iterator[Any]:
        return iter(corpus.shuffled(np.arange(len(corpus)), batch_size=BATCH, rng=rng))

    def loss_of(batch: Any) -> Any:
        one, two = (view(batch, corpus.thinned(VIEW_DROP, rng=rng)) for _ in range(2))
        return torch.nn.functional.cross_entropy(VIEW_SHARPNESS * one @ two.T, torch.arange(len(one)))

    return loss_of, batches


if __name__ == "__main__":
    sys.exit(main())
