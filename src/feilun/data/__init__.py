"""Step 1 of the loop: files of messages become a dataset, and a report of what was found in them."""

from feilun.data.build import build_dataset, check
from feilun.data.changes import KINDS, ChangeKind, DatasetChanges, compare
from feilun.data.describe import describe
from feilun.data.inspection import FileGuess, inspect_file, make_settings
from feilun.data.look import FileLook, look_at
from feilun.data.messages import FoundMessages, inspect_messages
from feilun.data.predicting import predict_rows, read_labelled
from feilun.data.reading import open_table
from feilun.data.snapshot import read_snapshot, write_snapshot
from feilun.data.table import Row, Table
from feilun.data.writing import ANSWER_COLUMNS, csv_text, plain_cell, write_rows, writer_of

__all__ = [
    "ANSWER_COLUMNS",
    "KINDS",
    "ChangeKind",
    "DatasetChanges",
    "FileGuess",
    "FileLook",
    "FoundMessages",
    "Row",
    "Table",
    "build_dataset",
    "check",
    "compare",
    "csv_text",
    "describe",
    "inspect_file",
    "inspect_messages",
    "look_at",
    "make_settings",
    "open_table",
    "plain_cell",
    "predict_rows",
    "read_labelled",
    "read_snapshot",
    "write_rows",
    "write_snapshot",
    "writer_of",
]
