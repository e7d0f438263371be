"""Messages to embeddings (and logits): a tokenizer and an onnxruntime session, without torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feilun.models.errors import UnsafeModel, UnsupportedModel
from feilun.models.layout import load_tokenizer

if TYPE_CHECKING:
    import onnx

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # what onnxruntime itself implements
CHUNK = 2048  # texts tokenised and sorted at a time: enough to sort well, little to hold
BATCH_TOKENS = 512  # padding included: what a layer keeps of them stays in a core's second cache
KEPT_TOKENS = 1024  # of a batch: the memory of a larger one goes back to the system afterwards
MAX_CHARS_PER_TOKEN = 256  # longer texts are cut before tokenising, so that one message costs bounded time


class Reader:
    """A tokenizer as a network reads with it: the prefix in front, the end cut off.

    Raises:
        UnsupportedModel: the tokenizer is missing or not readable.
    """

    def __init__(self, tokenizer: Path, *, max_tokens: int, prefix: str = "") -> None:
        self.max_tokens, self.prefix = max_tokens, prefix
        self._tokenizer = load_tokenizer(tokenizer, max_tokens=max_tokens)
        self.pad_id = self._find_pad_id()

    def tokenise(self, text: str) -> list[int]:
        """The token ids that the network reads for `text`, special ones and the prefix included, after cutting."""
        # One at a time: encode_batch would start threads on every core, whatever `threads` says.
        whole = self.prefix + text[: self.max_tokens * MAX_CHARS_PER_TOKEN]
        if not whole.isascii():
            whole = whole.encode("utf-8", "replace").decode("utf-8")  # half of an emoji would be an error below
        ids: list[int] = self._tokenizer.encode(whole).ids
        return ids

    def _find_pad_id(self) -> int:
        """Any token does, its weight being zero; the customary one keeps dumps readable."""
        for token in ("[PAD]", "<pad>"):
            found = self._tokenizer.token_to_id(token)
            if found is not None:
                return int(found)
        return 0


class Encoder(Reader):
    """A graph of `feilun.models.graph` (or one compressed from it) with its tokenizer.

    `run` and `run_one` may be called from any thread; nothing is changed by them. Texts longer than
    `max_tokens` are cut. `weights` are the tensors of a graph that was built without them (`build_frozen`).

    Raises:
        UnsafeModel: the graph reads other files, or uses operators that onnxruntime does not ship.
        UnsupportedModel: the graph is not readable or has other inputs or outputs; the tokenizer is missing.
    """

    def __init__(
        self,
        graph: Path | bytes,
        tokenizer: Path,
        *,
        max_tokens: int,
        prefix: str = "",
        threads: int = 1,
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__(tokenizer, max_tokens=max_tokens, prefix=prefix)
        self._session = _open_session(graph, threads=threads, weights=weights or {})
        found = [output.name for output in self._session.get_outputs()]
        inputs = sorted(node.name for node in self._session.get_inputs())
        if "embedding" not in found or inputs != ["attention_mask", "input_ids"]:
            raise UnsupportedModel(
                where=_name(graph), found=f"inputs {inputs} and outputs {found}", expected="an encoder graph of Feilun"
            )
        self.has_head = "logits" in found
        self._outputs = ["embedding", "logits"] if self.has_head else ["embedding"]
        shapes = {output.name: output.shape for output in self._session.get_outputs()}
        self.n_hidden = int(shapes["embedding"][1])
        self.n_classes = int(shapes["logits"][1]) if self.has_head else 0
        self._shrink = _shrinking_run()

    def run(self, texts: Sequence[str], *, batch_tokens: int = BATCH_TOKENS) -> tuple[np.ndarray, np.ndarray | None]:
        """Embeddings (n, n_hidden) float32 of unit length, and logits (n, n_classes) float32 or None.

        Texts of like length share a batch of at most `batch_tokens` padded tokens (or one text, if longer);
        rows come back in the order of `texts`. Besides the result, memory does not grow with n.
        """
        embeddings, logits = self._empty(len(texts))
        for start in range(0, len(texts), CHUNK):
            rows = [self.tokenise(text) for text in texts[start : start + CHUNK]]
            part = slice(start, start + len(rows))
            self._run_into(embeddings[part], None if logits is None else logits[part], rows, batch_tokens)
        return embeddings, logits

    def run_rows(self, rows: Sequence[list[int]], *, batch_tokens: int) -> tuple[np.ndarray, np.ndarray | None]:
        """As `run`, for what `tokenise` gave."""
        embeddings, logits = self._empty(len(rows))
        self._run_into(embeddings, logits, rows, batch_tokens)
        return embeddings, logits

    def _empty(self, n: int) -> tuple[np.ndarray, np.ndarray | None]:
        embeddings = np.empty((n, self.n_hidden), dtype=np.float32)
        return embeddings, np.empty((n, self.n_classes), dtype=np.float32) if self.has_head else None

    def _run_into(
        self, embeddings: np.ndarray, logits: np.ndarray | None, rows: Sequence[list[int]], batch_tokens: int
    ) -> None:
        for picked in _batches([len(row) for row in rows], batch_tokens=batch_tokens):
            padded = self._pad([rows[i] for i in picked])
            options = self._shrink if padded["input_ids"].size > KEPT_TOKENS else None
            results = self._session.run(self._outputs, padded, options)
            embeddings[picked] = results[0]
            if logits is not None:
                logits[picked] = results[1]

    def run_one(self, text: str) -> tuple[np.ndarray, np.ndarray | None]:
        """The embedding (n_hidden,) and the logits (n_classes,) or None of one text, with no batching around it."""
        row = self.tokenise(text)
        ids = np.array([row or [self.pad_id]], dtype=np.int64)
        mask = np.full(ids.shape, 1 if row else 0, dtype=np.int64)
        results = self._session.run(self._outputs, {"input_ids": ids, "attention_mask": mask})
        return results[0][0], results[1][0] if self.has_head else None

    def count_tokens(self, text: str) -> int:
        """Tokens that `text` takes, special ones and the prefix included, after cutting."""
        return len(self.tokenise(text))

    def _pad(self, rows: Sequence[list[int]]) -> dict[str, np.ndarray]:
        shape = (len(rows), max(1, *map(len, rows)))
        ids = np.full(shape, self.pad_id, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return {"input_ids": ids, "attention_mask": mask}


def _batches(lengths: Sequence[int], *, batch_tokens: int) -> Iterator[list[int]]:
    """Indices of texts that share a batch, the longest texts first so that memory peaks early."""
    batch: list[int] = []
    width = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and width * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        if not batch:
            width = max(1, lengths[i])
        batch.append(i)
    if batch:
        yield batch


def check_graph(model: onnx.ModelProto, *, where: str, given: Collection[str] = ()) -> None:
    """Refuse a graph that would read other files or call operators from outside onnxruntime.

    `given` names the tensors that are handed over in memory and so need no file.

    Raises:
        UnsafeModel: external data, or an operator domain that is not one of onnxruntime's own.
    """
    from onnx import TensorProto

    for graph in [model.graph, *model.functions]:
        for nodes, tensors in _walk(graph):
            foreign = sorted({node.domain for node in nodes} - set(DOMAINS))
            if foreign:
                raise UnsafeModel(where=where, found=f"operators of {', '.join(foreign)}", expected="operators of ONNX")
            elsewhere = [t.name for t in tensors if t.data_location == TensorProto.EXTERNAL or t.external_data]
            if not set(elsewhere) <= set(given):
                raise UnsafeModel(where=where, found="weights in another file", expected="all weights inside")


def _walk(graph: Any) -> Iterator[tuple[list[Any], list[Any]]]:
    """Nodes and tensors of a graph or function, then of every graph nested in its attributes."""
    tensors = list(getattr(graph, "initializer", ()))
    for sparse in getattr(graph, "sparse_initializer", ()):
        tensors += [sparse.values, sparse.indices]
    nested = []
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                tensors += [sparse.values, sparse.indices]
            nested += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
    yield list(graph.node), tensors
    for inner in nested:
        yield from _walk(inner)


def _open_session(graph: Path | bytes, *, threads: int, weights: Mapping[str, np.ndarray]) -> Any:
    import onnx
    import onnxruntime as ort
    from google.protobuf.message import DecodeError

    try:
        if isinstance(graph, bytes):
            model = onnx.load_model_from_string(graph)
        else:
            model = onnx.load(graph, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise UnsupportedModel(where=_name(graph), found=str(error), expected="an ONNX file") from error
    check_graph(model, where=_name(graph), given=weights)
    del model  # the session reads the file again; holding both would double the peak

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False  # every length would leave its own pattern behind
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
    if weights:  # onnxruntime copies them while it opens the session
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
    try:
        return ort.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions share no base but Exception
        raise UnsupportedModel(where=_name(graph), found=str(error), expected="a graph onnxruntime can run") from error


def _shrinking_run() -> Any:
    """Run options of batches: memory of the largest batch goes back to the system after each."""
    import onnxruntime as ort

    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _name(graph: Path | bytes) -> str:
    return "graph" if isinstance(graph, bytes) else str(graph)
