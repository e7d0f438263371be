"""A model in the making: made smaller step by step, each step kept only while it says what the whole one said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from feilun.compress.export import FloatNetwork, export_float, write_graph
from feilun.compress.parity import Bench, Parity
from feilun.compress.quantise import METHODS, quantise
from feilun.compress.vocabulary import choose_pieces
from feilun.models.serving import GRAPH_NAME, TOKENIZER_NAME
from feilun.records import Dataset

OnEvent = Callable[[str, dict[str, Any]], None]
Note = tuple[str, str]  # in English and in Chinese

OFF: Note = (
    "8 bits are switched off in the settings; the float graph ships.",
    "设置中关闭了 8 位量化，因此发布的是浮点模型。",
)
STUDENT: Note = (
    "A student of {n_layers} layers with {n_heads} heads and {n_ffn} feed-forward units each, taught by model "
    "{teacher}; it is compared with its own float form below.",
    "这是由模型 {teacher} 教出的学生模型，共 {n_layers} 层，每层 {n_heads} 个注意力头、{n_ffn} 个前馈单元；"
    "下列比较以它自己的浮点形式为准。",
)
LOSSY: Note = (
    "8 bits were tried and refused: accuracy on {n_rows} rows fell from {before:.2%} to {after:.2%}, "
    "more than the {tolerance:.2%} that [compress] tolerance allows; the float graph ships.",
    "已尝试 8 位量化但未采用：在 {n_rows} 行上准确率从 {before:.2%} 降到 {after:.2%}，"
    "超过 [compress] tolerance 允许的 {tolerance:.2%}；因此发布的是浮点模型。",
)
CUT: Note = (
    "The vocabulary is cut from {n_all:,} pieces to the {n_kept:,} of the project's language and texts; "
    "{n_changed} of {n_rows} rows are read in other pieces than before.",
    "词表由 {n_all:,} 个词元缩减为项目语言和项目文本所用的 {n_kept:,} 个；"
    "{n_rows} 行中有 {n_changed} 行的切分与之前不同。",
)
CUT_LOSSY: Note = (
    "A smaller vocabulary was tried and refused: accuracy on {n_rows} rows fell from {before:.2%} to {after:.2%}, "
    "more than the {tolerance:.2%} that [compress] tolerance allows; the whole vocabulary ships.",
    "已尝试缩减词表但未采用：在 {n_rows} 行上准确率从 {before:.2%} 降到 {after:.2%}，"
    "超过 [compress] tolerance 允许的 {tolerance:.2%}；因此发布完整词表。",
)


class Draft:
    """What would ship so far: a network, its graph and tokenizer in `aside`, and how they compare with the whole.

    One graph at a time is in memory: each is exported anew rather than kept.
    """

    precision: Literal["int8", "float32"] = "float32"

    def __init__(self, network: FloatNetwork, bench: Bench, aside: Path, *, tolerance: float) -> None:
        self.network, self.bench, self.tolerance = network, bench, tolerance
        self.graph, self.tokenizer = aside / GRAPH_NAME, aside / TOKENIZER_NAME
        self._other_graph, self._other_tokenizer = aside / "other.onnx", aside / "other.json"
        self.n_pieces_all = network.config.vocab_size
        self.notes_en: list[str] = []
        self.notes_zh: list[str] = []
        write_graph(export_float(network), self.graph)
        self.tokenizer.write_bytes(network.tokenizer)
        self.exact = bench.score(bench.open(self.graph, tokenizer=self.tokenizer))
        self.parity = bench.compare(self.exact, self.exact)

    @property
    def size_mb(self) -> float:
        """Graph and tokenizer together."""
        return sum(path.stat().st_size for path in (self.graph, self.tokenizer)) / 1e6

    def cut_vocabulary(self, dataset: Dataset, *, language: str, tell: OnEvent) -> None:
        """Keep only the pieces of the project, where there is something to cut and accuracy stays."""
        bench = self.bench
        kept = own_pieces(self.network.tokenizer, dataset, bench, language=language, file=self.tokenizer)
        if kept is None:
            return
        tell("compress.vocabulary", {"n_kept": len(kept), "n_all": self.n_pieces_all})
        known = set(kept.tolist())
        reader = bench.reader(self.tokenizer)
        changed = [row for row, text in enumerate(bench.texts) if not known.issuperset(reader.tokenise(text))]
        smaller = self.network.with_pieces(kept)
        write_graph(export_float(smaller), self._other_graph)
        self._other_tokenizer.write_bytes(smaller.tokenizer)
        logits = self.exact.copy()  # rows that are read as before get the same answer
        if changed:
            encoder = bench.open(self._other_graph, tokenizer=self._other_tokenizer)
            logits[changed] = bench.score(encoder, texts=[bench.texts[row] for row in changed])
        tried = bench.compare(self.exact, logits)
        if not self._will_do(tried):
            self.say(CUT_LOSSY, tried=tried)
            return
        self.network, self.parity = smaller, tried
        self._other_graph.replace(self.graph)
        self._other_tokenizer.replace(self.tokenizer)
        self.say(CUT, n_all=self.n_pieces_all, n_kept=len(kept), n_changed=len(changed))

    def quantise(self, *, tell: OnEvent) -> None:
        """The first method of eight bits with which accuracy stays."""
        for method in METHODS:
            tell("compress.quantise", {"method": method, "n_rows": len(self.bench.rows)})
            model = export_float(self.network)
            quantise(model, method=method)
            write_graph(model, self._other_graph)
            del model
            encoder = self.bench.open(self._other_graph, tokenizer=self.tokenizer)
            tried = self.bench.compare(self.exact, self.bench.score(encoder))
            if self._will_do(tried):
                self.parity, self.precision = tried, "int8"
                self._other_graph.replace(self.graph)
                return
        self.say(LOSSY, tried=tried)

    def say(self, words: Note, *, tried: Parity | None = None, **fields: Any) -> None:
        """Say something in the report, in both languages."""
        if tried is not None:
            fields |= {"before": tried.float_accuracy, "after": tried.shipped_accuracy, "tolerance": self.tolerance}
        fields["n_rows"] = len(self.bench.rows)
        self.notes_en.append(words[0].format(**fields))
        self.notes_zh.append(words[1].format(**fields))

    def move_to(self, folder: Path) -> None:
        """Put graph and tokenizer into the bundle."""
        for path in (self.graph, self.tokenizer):
            path.replace(folder / path.name)
        self.graph, self.tokenizer = folder / GRAPH_NAME, folder / TOKENIZER_NAME

    def _will_do(self, tried: Parity) -> bool:
        return tried.float_accuracy - tried.shipped_accuracy <= self.tolerance


def own_pieces(tokenizer: bytes, dataset: Dataset, bench: Bench, *, language: str, file: Path) -> np.ndarray | None:
    """The pieces (n,) int64 that a project keeps, see `choose_pieces`; its texts are those that training may see.

    Args:
        file: `tokenizer` on disk.
    """
    reader = bench.reader(file)
    texts = (bench.task.text_of(example.inputs) for example in (*dataset.train, *dataset.unlabelled))
    return choose_pieces(tokenizer, language=language, used=(i for text in texts for i in reader.tokenise(text)))
