"""Files that real users have: each gives a model, or an error that says what to do."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import tomlkit

from feilun.errors import FeilunError
from feilun.project import Project
from feilun.wheel import TurnFailed

pytestmark = pytest.mark.journey

ZH = {
    "退款": [
        "我要退款",
        "怎么申请退款",
        "钱什么时候退给我",
        "请把货款退回来",
        "退款还没到账",
        "能不能退钱",
        "申请退款被拒了",
        "退款要几天",
    ],
    "物流": [
        "我的包裹到哪了",
        "快递怎么还没到",
        "请查一下物流",
        "什么时候发货",
        "包裹一直不动",
        "能改收货地址吗",
        "快递丢了",
        "今天能送到吗",
    ],
}
EN = {
    "refund": [
        "I want my money back",
        "refund please",
        "when is the refund",
        "give me a refund",
        "no refund yet",
        "money back?",
    ],
    "delivery": [
        "where is my parcel",
        "parcel is late",
        "has it shipped",
        "track my order",
        "wrong address",
        "late again",
    ],
}


def table(rows: dict[str, list[str]], *, extra: str = "") -> str:
    """CSV text with the columns text, label and, when asked for, an empty one."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "label", *([extra] if extra else [])])
    for label, texts in rows.items():
        writer.writerows([text, label, *([""] if extra else [])] for text in texts)
    return out.getvalue()


def many(rows: dict[str, list[str]], *, change: Callable[[str], str] = lambda text: text) -> dict[str, list[str]]:
    return {label: [change(text) for text in texts] for label, texts in rows.items()}


GOOD = {
    "gb18030 from Excel": table(ZH).encode("gb18030"),
    "utf-8 with a byte-order mark": table(ZH).encode("utf-8-sig"),
    "utf-16": table(ZH).encode("utf-16"),
    "quoted newlines": table(many(EN, change=lambda text: f"Hello,\n{text}\nThanks")).encode(),
    "an empty column": table(EN, extra="notes").encode(),
    "a label with one row": table(EN | {"fraud": ["somebody stole my card"]}).encode(),
    "emoji": table(many(EN, change=lambda text: f"{text} 😡👩‍👩‍👧")).encode(),
    "two languages mixed": table(
        {"refund": EN["refund"] + ZH["退款"], "delivery": EN["delivery"] + ZH["物流"]}
    ).encode(),
}

BAD = {
    "one class only": (table({"refund": EN["refund"]}).encode(), "data.one_class_only"),
    "no rows": (b"text,label\n", "data."),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "data."),
}


def start(folder: Path, content: bytes, backbone: str) -> Project:
    folder.mkdir()
    (folder / ".feilun").mkdir()
    (folder / "messages.csv").write_bytes(content)
    Project.init(folder, data=folder / "messages.csv", pull=False).close()
    path = folder / "feilun.toml"
    document = tomlkit.parse(path.read_text("utf-8"))
    document["backbone"]["model"] = backbone  # type: ignore[index]
    document["train"]["tune"]["enabled"] = False  # type: ignore[index]
    path.write_text(tomlkit.dumps(document), "utf-8")
    return Project(folder)


@pytest.mark.parametrize("kind", GOOD)
def test_a_usable_file_gives_a_model_that_answers(kind: str, tmp_path: Path, tiny_spec: str) -> None:
    with start(tmp_path / "desk", GOOD[kind], tiny_spec) as project:
        report = project.check_data()
        assert report.n_train + report.n_holdout + report.n_set_aside + report.n_exact_duplicates == report.n_rows
        result = project.turn(budget_s=30)
        assert result.released, result.reason
        assert project.predict(["我要退款", "where is my parcel?"])[0].label in project.labels()


@pytest.mark.parametrize("kind", BAD)
def test_an_unusable_file_is_refused_with_words_that_help(kind: str, tmp_path: Path, tiny_spec: str) -> None:
    content, code = BAD[kind]
    with (
        pytest.raises((FeilunError, TurnFailed)) as refused,
        start(tmp_path / "desk", content, tiny_spec) as project,
    ):
        project.turn(budget_s=30)
    assert refused.value.code.startswith(code)
    assert "messages.csv" in refused.value.message("en") and "messages.csv" in refused.value.message("zh")
