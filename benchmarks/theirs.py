"""The peers, each as its makers recommend it. Run by `peers.py` with a Python of their own; imports nothing of Feilun.

    python benchmarks/theirs.py JOB.json

JOB holds the rows (train_texts, train_labels as numbers, test_texts), the backbone's folder and the settings; what is
answered is written beside it, to the path in JOB["out"]. CPU seconds and peak memory are those of this process and its
children from its start to the finished fit; answering the test rows comes after that and is not counted.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Answer = Callable[[Sequence[str]], list[int]]


def main() -> int:
    """Fit the peer that the job names, say what it cost and what it answers."""
    started = time.monotonic()
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = _as_hugging_face_folder(job, Path(scratch) / "backbone")
        answer, detail = {"setfit": _fit_setfit, "trainer": _fit_trainer}[job["method"]](job, folder, scratch)
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        done: dict[str, Any] = {
            "cpu_s": round(sum(u.ru_utime + u.ru_stime for u in usage), 2),
            "wall_s": round(time.monotonic() - started, 2),
            "peak_mb": round(max(u.ru_maxrss for u in usage) / 1024, 1),
            "detail": detail,
        }
        done["answers"] = answer(_prefixed(job, "test_texts"))
    Path(job["out"]).write_text(json.dumps(done), "utf-8")
    return 0


def _prefixed(job: dict[str, Any], key: str) -> list[str]:
    """The texts as the backbone's card asks for them: e5 wants `query: ` in front, for everybody."""
    return [job["prefix"] + text for text in job[key]]


def _as_hugging_face_folder(job: dict[str, Any], folder: Path) -> Path:
    """The same weights and tokenizer in a folder that `from_pretrained` reads as it is.

    Feilun's cache keeps tokenizer.json alone; without tokenizer_config.json the loader would guess from the network's
    kind, and guess wrong for a BERT with a SentencePiece vocabulary.
    """
    from transformers import PreTrainedTokenizerFast

    folder.mkdir(parents=True)
    source = Path(job["folder"])
    for name in ("config.json", "model.safetensors"):
        (folder / name).symlink_to(source / name)
    known = json.loads((source / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    names = {token["content"] for token in known if token["special"]}
    bert = "[CLS]" in names
    PreTrainedTokenizerFast(
        tokenizer_file=str(source / "tokenizer.json"),
        model_max_length=job["max_tokens"],
        pad_token="[PAD]" if bert else "<pad>",
        unk_token="[UNK]" if bert else "<unk>",
        cls_token="[CLS]" if bert else "<s>",
        sep_token="[SEP]" if bert else "</s>",
    ).save_pretrained(folder)
    return folder


def _fit_setfit(job: dict[str, Any], folder: Path, scratch: str) -> tuple[Answer, str]:
    """SetFit: contrastive fine-tuning on pairs, then scikit-learn's logistic regression as it comes.

    Source:
        Tunstall et al. 2022, "Efficient Few-Shot Learning Without Prompts", arXiv 2209.11055.
    """
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, models
    from setfit import SetFitModel, Trainer, TrainingArguments
    from sklearn.linear_model import LogisticRegression

    body = models.Transformer(str(folder), max_seq_length=job["max_tokens"])
    pooling = models.Pooling(body.get_embedding_dimension(), pooling_mode=job["pooling"])
    model = SetFitModel(
        model_body=SentenceTransformer(modules=[body, pooling, models.Normalize()], device="cpu"),
        model_head=LogisticRegression(),
    )
    settings = job["settings"]
    arguments = TrainingArguments(
        output_dir=scratch,
        batch_size=settings["batch_size"],
        num_iterations=settings["num_iterations"],
        num_epochs=1,
        body_learning_rate=settings["learning_rate"],
        seed=job["seed"],
        report_to="none",
        save_strategy="no",
        show_progress_bar=False,
    )
    rows = Dataset.from_dict({"text": _prefixed(job, "train_texts"), "label": job["train_labels"]})
    Trainer(model=model, args=arguments, train_dataset=rows).train()
    return lambda texts: [int(y) for y in model.predict(list(texts), show_progress_bar=False)], json.dumps(settings)


def _fit_trainer(job: dict[str, Any], folder: Path, scratch: str) -> tuple[Answer, str]:
    """transformers' Trainer: every layer learns, a new linear classifier on the pooled first token."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    set_seed(job["seed"])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    n_classes = max(job["train_labels"]) + 1
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=n_classes, dtype=torch.float32)
    encoded = dict(tokenizer(_prefixed(job, "train_texts"), truncation=True, max_length=job["max_tokens"]))
    settings = job["settings"]
    arguments = TrainingArguments(
        output_dir=scratch,
        num_train_epochs=settings["epochs"],
        per_device_train_batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        warmup_steps=settings["warm_up"],
        weight_decay=settings["weight_decay"],
        seed=job["seed"],
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict({**encoded, "labels": job["train_labels"]}),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.train()

    def answer(texts: Sequence[str]) -> list[int]:
        rows = Dataset.from_dict(dict(tokenizer(list(texts), truncation=True, max_length=job["max_tokens"])))
        return [int(y) for y in trainer.predict(rows).predictions.argmax(axis=1)]

    return answer, json.dumps(settings)


if __name__ == "__main__":
    sys.exit(main())
