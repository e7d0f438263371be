"""compress(): from what training left behind to the one graph that ships."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feilun.compress.export import export_float, write_graph
from feilun.compress.parity import Bench, Parity, parity_rows
from feilun.compress.quantise import METHODS, Method, quantise
from feilun.config import FeilunSettings
from feilun.models.serving import ADAPTER_NAMES, GRAPH_NAME, LABELS_NAME, TOKENIZER_NAME
from feilun.records import Backbone, Dataset, ParityReport, TrainResult
from feilun.tasks import Task

OnEvent = Callable[[str, dict[str, Any]], None]

OFF_EN = "8 bits are switched off in the settings; the float graph ships."
OFF_ZH = "设置中关闭了 8 位量化，因此发布的是浮点模型。"
LOSSY_EN = (
    "8 bits were tried and refused: accuracy on {n_rows} rows fell from {before:.2%} to {after:.2%}, "
    "more than the {tolerance:.2%} that [compress] tolerance allows; the float graph ships."
)
LOSSY_ZH = (
    "已尝试 8 位量化但未采用：在 {n_rows} 行上准确率从 {before:.2%} 降到 {after:.2%}，"
    "超过 [compress] tolerance 允许的 {tolerance:.2%}；因此发布的是浮点模型。"
)


def compress(
    result: TrainResult,
    backbone: Backbone,
    dataset: Dataset,
    settings: FeilunSettings,
    *,
    task: Task,
    folder: Path,
    on_event: OnEvent | None = None,
) -> ParityReport:
    """Write model.onnx, tokenizer.json and labels.json into `folder`, and say how they compare with the float model.

    The graph is int8 when `settings.compress.int8`: by the first method of `quantise` that loses at most
    `settings.compress.tolerance` of the accuracy on the holdout. When each loses more, the float graph ships and the
    note says so. The same network gives the same bytes.
    Sizes are of the three files together, in megabytes of 10^6 bytes; latency is of one text on one thread.

    Raises:
        NetworkMismatch, UnsupportedModel: the trained tensors do not fit the backbone.
    """
    tell = on_event or (lambda kind, data: None)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    bench = _set_up(result, backbone, dataset, settings, task=task, folder=folder)
    with tempfile.TemporaryDirectory(prefix=".compress-", dir=folder.parent) as aside:
        float_graph, small_graph = Path(aside) / "float.onnx", Path(aside) / "int8.onnx"
        tell("compress.export", {"backbone": backbone.info.alias})
        write_graph(export_float(result, backbone), float_graph)
        exact = bench.score(float_graph)
        float_size = float_graph.stat().st_size
        graph, parity, notes = float_graph, bench.compare(exact, exact), (OFF_EN, OFF_ZH)
        for method in METHODS if settings.compress.int8 else ():
            tell("compress.quantise", {"method": method, "n_rows": len(bench.rows)})
            _write_small(result, backbone, small_graph, method=method)
            tried = bench.compare(exact, bench.score(small_graph))
            if tried.float_accuracy - tried.shipped_accuracy <= settings.compress.tolerance:
                graph, parity, notes = small_graph, tried, ("", "")
                break
            notes = _lossy(tried, n_rows=len(bench.rows), tolerance=settings.compress.tolerance)
        is_small = graph == small_graph
        graph.replace(folder / GRAPH_NAME)
    beside = sum((folder / name).stat().st_size for name in (TOKENIZER_NAME, LABELS_NAME))
    p50_ms, p99_ms = bench.time_one(folder / GRAPH_NAME)
    report = ParityReport(
        n_rows=len(bench.rows),
        **parity._asdict(),
        precision="int8" if is_small else "float32",
        size_mb=((folder / GRAPH_NAME).stat().st_size + beside) / 1e6,
        float_size_mb=(float_size + beside) / 1e6,
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        note_en=notes[0],
        note_zh=notes[1],
    )
    tell("compress.parity", report.model_dump(mode="json"))
    return report


def _set_up(
    result: TrainResult, backbone: Backbone, dataset: Dataset, settings: FeilunSettings, *, task: Task, folder: Path
) -> Bench:
    """Write the files beside the graph (an adapter too, where there is one), and gather what graphs are compared on."""
    shutil.copyfile(backbone.folder / TOKENIZER_NAME, folder / TOKENIZER_NAME)
    for name in ADAPTER_NAMES:
        if (result.folder / name).is_file():
            shutil.copyfile(result.folder / name, folder / name)
    (folder / LABELS_NAME).write_text(json.dumps(list(result.labels), ensure_ascii=False), "utf-8")
    return Bench(
        rows=parity_rows(dataset, outside=settings.task.out_of_scope_label),
        labels=result.labels,
        task=task,
        tokenizer=folder / TOKENIZER_NAME,
        max_tokens=settings.backbone.max_tokens,
        prefix=backbone.info.prefix,
    )


def _write_small(result: TrainResult, backbone: Backbone, path: Path, *, method: Method) -> None:
    """The int8 graph; exported again rather than kept, so that one graph at a time is in memory."""
    model = export_float(result, backbone)
    quantise(model, method=method)
    write_graph(model, path)


def _lossy(tried: Parity, *, n_rows: int, tolerance: float) -> tuple[str, str]:
    figures = {
        "n_rows": n_rows,
        "before": tried.float_accuracy,
        "after": tried.shipped_accuracy,
        "tolerance": tolerance,
    }
    return LOSSY_EN.format(**figures), LOSSY_ZH.format(**figures)
