"""The stage: loads a sealed bundle, answers, swaps the champion without dropping a request, remembers corrections.

Runs on numpy, onnxruntime and tokenizers: neither torch nor scikit-learn is imported on this path.
"""

from feilun.serve.engine.guests import Guests
from feilun.serve.engine.line import Line, LineFull, WaitedTooLong
from feilun.serve.engine.load import LoadedModel, load_bundle
from feilun.serve.engine.memory import Correction, Memory
from feilun.serve.engine.stage import Embedded, NoChampion, Scored, Served, ServedInFull, Stage

__all__ = [
    "Correction",
    "Embedded",
    "Guests",
    "Line",
    "LineFull",
    "LoadedModel",
    "Memory",
    "NoChampion",
    "Scored",
    "Served",
    "ServedInFull",
    "Stage",
    "WaitedTooLong",
    "load_bundle",
]
