#!/usr/bin/env python3
"""Which engine answers, at what CPU time a message, and how much of the core's int8 peak that is.

    python benchmarks/engines.py --data FOLDER [--backbone NAME] [--openvino-path FOLDER] [--out FILE]

The network is the default English backbone, or another one, with a random head of 77 classes (a head's values do not
change its cost), in float32 and in the eight bits that ship; texts are `banking77/test.csv` in FOLDER, in an order that
is drawn once.
`alone` runs one message at a time, `round N` what the server does with N messages that wait: sorted by length, cut into
runs of at most RUN_TOKENS padded tokens; `bulk` the same with all messages. CPU ms a message, tokenising included, one
thread, the best of several goes, the engines by turns; the peak memory is that of a process that ran one engine alone.

OpenVINO is measured when it can be imported; --openvino-path names a folder to import it from
(`pip install --target FOLDER openvino`).

Roofline: the peak is the best rate of onnxruntime's int8 matrix product over the shapes of this network; operations a
message are those of its dense layers and of attention, without padding. Last, where the time of `bulk` goes, by kind of
operator, as onnxruntime's own profile has it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from common import in_own_process, public
from feilun.compress.quantise import quantise
from feilun.models import Encoder, build_graph, read_config, read_tensors, resolve
from feilun.models.encode import Reader, _batches
from feilun.models.serving import TOKENIZER_NAME
from feilun.records import Backbone
from feilun.serve.engine.line import RUN_TOKENS

N_TEXTS, N_GOES, N_CLASSES, MAX_TOKENS = 320, 3, 77, 128
ROUNDS = (1, 8, 32)
N_TOP = 12
Run = Callable[[Sequence[str]], None]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds banking77/")
    parser.add_argument("--backbone", default="", help="spec of an English backbone (default: the catalogue's)")
    parser.add_argument("--openvino-path", type=Path, help="folder to import openvino from")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(alone_in_memory(json.loads(options.job))))
        return 0
    if options.data is None:
        parser.error("--data is needed")
    if options.openvino_path:
        sys.path.append(str(options.openvino_path))
    texts, backbone = read(options.data / "banking77" / "test.csv"), resolve(options.backbone, language="en")
    with tempfile.TemporaryDirectory() as scratch:
        graphs = write_graphs(Path(scratch), backbone)
        engines = {f"onnxruntime {name}": on_onnxruntime(path) for name, path in graphs.items()}
        if has_openvino():
            engines |= {f"openvino {name}": on_openvino(path) for name, path in graphs.items()}
        speeds = compare(engines, texts)
        for name, line in speeds.items():
            job = {"engine": name, "graph": str(graphs[name.split()[1]]), "data": str(options.data)}
            job["path"] = str(options.openvino_path or "")
            line["peak_mb"] = in_own_process(__file__, job)["peak_mb"]
        tell(speeds)
        roof = roofline(texts, backbone, speeds["onnxruntime int8"]["bulk"])
        print(json.dumps(roof))
        shares = profile(graphs["int8"], texts)
        for op, share in list(shares.items())[:N_TOP]:
            print(f"{op:24s} {100 * share:5.1f} %")
    if options.out:
        found = {"command": public(sys.argv), "cpu_ms": speeds, "roofline": roof, "bulk_time_by_operator": shares}
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


# engines


def write_graphs(folder: Path, backbone: Backbone) -> dict[str, Path]:
    """The graphs by name, with the tokenizer beside them."""
    shutil.copy(backbone.folder / TOKENIZER_NAME, folder / TOKENIZER_NAME)
    config, tensors = read_config(backbone.folder), read_tensors(backbone.folder)
    head = np.random.default_rng(0).standard_normal((N_CLASSES, config.n_hidden)).astype(np.float32)
    model = build_graph(config, tensors, pooling=backbone.info.pooling, head=(head, head[:, 0]))
    paths = {name: folder / f"{name}.onnx" for name in ("float32", "int8")}
    onnx.save(model, paths["float32"])
    quantise(model, method="token")
    onnx.save(model, paths["int8"])
    return paths


def on_onnxruntime(graph: Path) -> Run:
    encoder = _encoder(graph)
    return lambda texts: _use(encoder.run_rows([encoder.tokenise(text) for text in texts], batch_tokens=RUN_TOKENS))


def on_openvino(graph: Path) -> Run:
    import openvino

    encoder = _encoder(graph)  # for its tokenizer and padding
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(graph, "CPU", options).create_infer_request()

    def run(texts: Sequence[str]) -> None:
        rows = [encoder.tokenise(text) for text in texts]
        for picked in _batches([len(row) for row in rows], batch_tokens=RUN_TOKENS):
            request.infer(encoder._pad([rows[i] for i in picked]))

    return run


def has_openvino() -> bool:
    try:
        import openvino  # noqa: F401
    except ImportError:
        return False
    return True


def _encoder(graph: Path) -> Encoder:
    return Encoder(graph, graph.with_name(TOKENIZER_NAME), max_tokens=MAX_TOKENS)


def _use(_result: object) -> None:
    return None


# measurements


def compare(engines: dict[str, Run], texts: list[str]) -> dict[str, dict[str, float]]:
    """CPU ms a message of every engine in every way, the best of N_GOES."""
    ways = {("alone" if n == 1 else f"round {n}"): n for n in ROUNDS} | {"bulk": len(texts)}
    found: dict[str, dict[str, float]] = {name: {} for name in engines}
    for run in engines.values():
        run(texts[:32])
    for way, n in ways.items():
        for _ in range(N_GOES):
            for name, run in engines.items():
                started = time.process_time()
                for start in range(0, len(texts), n):
                    run(texts[start : start + n])
                took = (time.process_time() - started) * 1000 / len(texts)
                found[name][way] = min(took, found[name].get(way, took))
    return found


def alone_in_memory(job: dict[str, Any]) -> dict[str, Any]:
    """Peak memory of a process that opens one engine and runs it."""
    if job["path"]:
        sys.path.append(job["path"])
    run = (on_openvino if job["engine"].startswith("openvino") else on_onnxruntime)(Path(job["graph"]))
    texts = read(Path(job["data"]) / "banking77" / "test.csv")
    for start in range(0, len(texts), 32):
        run(texts[start : start + 32])
    high = next(line for line in Path("/proc/self/status").read_text("utf-8").splitlines() if line.startswith("VmHWM"))
    return {"peak_mb": int(high.split()[1]) / 1000}


def roofline(texts: list[str], backbone: Backbone, bulk_ms: float) -> dict[str, float]:
    """Operations a message, the peak of a core, and the share of it that `bulk` reached."""
    config = read_config(backbone.folder)
    reader = Reader(backbone.folder / TOKENIZER_NAME, max_tokens=MAX_TOKENS)
    per_token = config.n_layers * (8 * config.n_hidden**2 + 4 * config.n_hidden * config.n_ffn)
    lengths = [len(reader.tokenise(text)) for text in texts]
    attention = [4 * config.n_layers * config.n_hidden * n * n for n in lengths]
    operations = float(np.mean([n * per_token + more for n, more in zip(lengths, attention, strict=True)]))
    shapes = [(config.n_hidden, config.n_hidden), (config.n_hidden, config.n_ffn)]
    peak = max(int8_peak(*shape) for shape in [*shapes, shapes[1][::-1]])
    return {
        "tokens_a_message": float(np.mean(lengths)),
        "operations_a_message": operations,
        "int8_peak_per_cpu_s": peak,
        "bulk_per_cpu_s": operations / bulk_ms * 1000,
        "share": operations / bulk_ms * 1000 / peak,
    }


def int8_peak(n_in: int, n_out: int, *, n_rows: int = RUN_TOKENS) -> float:
    """Operations a CPU second of onnxruntime's product of unsigned and signed bytes."""
    rng = np.random.default_rng(0)
    weight = rng.integers(-63, 64, (n_in, n_out)).astype(np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["rows", "weight", "zero"], ["out"])],
        "peak",
        [helper.make_tensor_value_info("rows", TensorProto.UINT8, ["n", n_in])],
        [helper.make_tensor_value_info("out", TensorProto.INT32, ["n", n_out])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.array(128, np.uint8), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options)
    rows, best = rng.integers(0, 256, (n_rows, n_in)).astype(np.uint8), float("inf")
    for _ in range(60):
        started = time.process_time()
        for _ in range(10):
            session.run(None, {"rows": rows})
        best = min(best, (time.process_time() - started) / 10)
    return 2 * n_rows * n_in * n_out / best


def profile(graph: Path, texts: list[str]) -> dict[str, float]:
    """Share of the time of `bulk` by kind of operator."""
    encoder, options = _encoder(graph), ort.SessionOptions()
    options.intra_op_num_threads, options.enable_profiling = 1, True
    options.profile_file_prefix = str(graph.with_suffix(""))
    session = ort.InferenceSession(str(graph), options)
    rows = [encoder.tokenise(text) for text in texts]
    for picked in _batches([len(row) for row in rows], batch_tokens=RUN_TOKENS):
        session.run(None, encoder._pad([rows[i] for i in picked]))
    events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    spent: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    return {op: us / spent.total() for op, us in spent.most_common()}


def tell(speeds: dict[str, dict[str, float]]) -> None:
    ways = list(next(iter(speeds.values())))
    print(f"{'CPU ms a message':22s}" + "".join(f"{way:>10s}" for way in ways))
    for name, line in speeds.items():
        print(f"{name:22s}" + "".join(f"{line[way]:10.2f}" for way in ways))


def read(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:N_TEXTS]]


if __name__ == "__main__":
    raise SystemExit(main())
