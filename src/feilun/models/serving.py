"""model.json: what the engine must know to answer with a bundle's graph; `compress` writes, `serve.engine` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from feilun.config import TaskSettings
from feilun.models.manifest import canonical_json
from feilun.records import Record, Thresholds

GRAPH_NAME = "model.onnx"
TOKENIZER_NAME = "tokenizer.json"
LABELS_NAME = "labels.json"
SPEC_NAME = "model.json"
SETTINGS_NAME = "settings.json"
REPORT_NAME = "report.json"
CARD_NAME = "README.md"
NOTICE_NAME = "NOTICE"
ADAPTER_NAMES = ("adapter_config.json", "adapter_model.safetensors")
"""What peft reads; beside the graph of a model whose layers were adapted."""


class ModelSpec(Record):
    """How texts become answers: what goes in front of a text, how long it may be, how logits are read."""

    task: TaskSettings
    temperature: float
    thresholds: Thresholds
    max_tokens: int
    prefix: str
    precision: Literal["int8", "float32"]


def write_spec(folder: Path, spec: ModelSpec) -> None:
    """Write model.json into `folder`."""
    (folder / SPEC_NAME).write_bytes(canonical_json(spec.model_dump(mode="json")))


def read_spec(folder: Path) -> ModelSpec:
    """model.json of a bundle that `verify_bundle` has found whole."""
    return ModelSpec.model_validate_json((folder / SPEC_NAME).read_bytes())
