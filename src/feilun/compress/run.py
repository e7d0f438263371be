"""compress(): from what training left behind to the one graph that ships."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from feilun.compress.draft import OFF, STUDENT, Draft, OnEvent
from feilun.compress.export import read_network
from feilun.compress.parity import Bench, parity_rows
from feilun.config import FeilunSettings
from feilun.models.serving import ADAPTER_NAMES, GRAPH_NAME, LABELS_NAME, TOKENIZER_NAME
from feilun.records import Backbone, Dataset, ParityReport, TrainResult
from feilun.tasks import Task


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

    A large multilingual vocabulary is cut to the project's (`settings.compress.vocabulary`), and the graph is int8 when
    `settings.compress.int8`: by the first method of `quantise` that will do. Each will do when accuracy on the holdout
    stays within `settings.compress.tolerance` of the float model with the whole vocabulary; otherwise the larger form
    ships and the note says so. The same network gives the same bytes.
    Sizes are of the three files together, in megabytes of 10^6 bytes; latency is of one text on one thread.

    Raises:
        NetworkMismatch, UnsupportedModel: the trained tensors do not fit the backbone.
    """
    tell = on_event or (lambda kind, data: None)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LABELS_NAME).write_text(json.dumps(list(result.labels), ensure_ascii=False), "utf-8")
    bench = Bench(
        rows=parity_rows(dataset, outside=settings.task.out_of_scope_label),
        labels=result.labels,
        task=task,
        max_tokens=settings.backbone.max_tokens,
        prefix=backbone.info.prefix,
    )
    with tempfile.TemporaryDirectory(prefix=".compress-", dir=folder.parent) as aside:
        tell("compress.export", {"backbone": backbone.info.alias})
        draft = Draft(read_network(result, backbone), bench, Path(aside), tolerance=settings.compress.tolerance)
        float_mb = draft.size_mb
        if "teacher" in result.meta:
            draft.say(STUDENT, **draft.network.shape, teacher=result.meta["teacher"])
        if settings.compress.vocabulary == "project":
            draft.cut_vocabulary(dataset, language=settings.project.language, tell=tell)
        if settings.compress.int8:
            draft.quantise(tell=tell)
        else:
            draft.say(OFF)
        draft.move_to(folder)
    for name in ADAPTER_NAMES:
        if (result.folder / name).is_file():
            shutil.copyfile(result.folder / name, folder / name)
    labels_mb = (folder / LABELS_NAME).stat().st_size / 1e6
    p50_ms, p99_ms = bench.time_one(bench.open(folder / GRAPH_NAME, tokenizer=folder / TOKENIZER_NAME))
    report = ParityReport(
        n_rows=len(bench.rows),
        **draft.parity._asdict(),
        precision=draft.precision,
        size_mb=draft.size_mb + labels_mb,
        float_size_mb=float_mb + labels_mb,
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        n_pieces=draft.network.config.vocab_size,
        n_pieces_all=draft.n_pieces_all,
        note_en=" ".join(draft.notes_en),
        note_zh="".join(draft.notes_zh),
    )
    tell("compress.parity", report.model_dump(mode="json"))
    return report
