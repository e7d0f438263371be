"""Files as users have them, made by the tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from feilun.config import DataSettings, FeilunSettings, ProjectSettings, SourceSettings, TaskSettings
from feilun.data import build_dataset
from feilun.records import DataReport, Dataset, Example
from feilun.tasks import example_id, get_task

Rows = Sequence[tuple[str, str]]

EN = [
    ("Where is my parcel?", "delivery"),
    ("My parcel has not arrived", "delivery"),
    ("The courier lost my box", "delivery"),
    ("When will you ship it?", "delivery"),
    ("I want my money back", "refund"),
    ("Please refund the order", "refund"),
    ("Cancel and return my payment", "refund"),
    ("How long does a refund take?", "refund"),
]
ZH = [
    ("我的快递到哪里了？", "物流"),
    ("三天了还没发货", "物流"),
    ("包裹显示签收,但我没收到😀", "物流"),
    ("快递员电话是多少", "物流"),
    ("我要退款", "退款"),
    ("钱什么时候退回来", "退款"),
    ("申请退货退款怎么操作", "退款"),
    ("退款金额不对", "退款"),
]


def as_csv(rows: Rows, *, header: Sequence[str] = ("text", "label"), delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def many(n: int, label: str, *, start: int = 0) -> list[tuple[str, str]]:
    """`n` messages of one class that are no near duplicates of each other."""
    return [(f"{label} {i * 7919:06d} {'abcdefghij'[i % 10] * 3} {i * i}", label) for i in range(start, start + n)]


def example(text: str, *labels: str, source: str = "feedback", row: int | None = None) -> Example:
    return Example(example_id=example_id(text), inputs={"text": text}, target=labels, source=source, row=row)


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., tuple[Dataset, DataReport]]:
    """Write `files` (name -> rows, text or bytes) and build the dataset of the first, or of `sources`."""

    def run(
        files: dict[str, Rows | str | bytes],
        *,
        sources: Sequence[str] = (),
        holdout: str = "",
        text: str = "text",
        label: str = "label",
        encoding: str = "",
        corrections: Sequence[Example] = (),
        previous: Dataset | None = None,
        task: dict[str, Any] | None = None,
        **data: Any,
    ) -> tuple[Dataset, DataReport]:
        for name, content in files.items():
            written = content if isinstance(content, str | bytes) else as_csv(content)
            (tmp_path / name).write_bytes(written if isinstance(written, bytes) else written.encode())

        def source(path: str) -> SourceSettings:
            return SourceSettings(path=path, text=text, label=label, encoding=encoding)

        settings = FeilunSettings(
            project=ProjectSettings(name="support"),
            task=TaskSettings(**(task or {})),
            data=DataSettings(
                sources=tuple(source(path) for path in sources or [next(iter(files))]),
                holdout=source(holdout) if holdout else None,
                **data,
            ),
        )
        return build_dataset(
            tmp_path, settings, task=get_task(settings.task), corrections=corrections, previous=previous
        )

    return run
