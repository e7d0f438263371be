from __future__ import annotations

import csv
import json

import pytest
from openpyxl import load_workbook

from feilun.data import predict_rows, read_labelled, write_rows
from feilun.data.errors import BadRows, NoLabels, NoSuchColumn, UnknownOutput
from feilun.data.writing import safe_cell
from feilun.records import Answer
from tests.data.conftest import as_csv


def answer(texts):
    """A model that says how long a message is; unsure about short ones."""
    return [
        Answer(
            label=f"n{len(t)}", labels=(f"n{len(t)}",), confidence=0.5, decision="answer" if len(t) > 2 else "hand_over"
        )
        for t in texts
    ]


def put(folder, content, name="in.csv"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


ROWS = "id,text,note\n1,我要退款,=1+1\n2,hi,-5\n3,,\n4,a,b,c\n"
COUNTS = {"n_rows": 4, "n_answered": 1, "n_handed_over": 1, "n_set_aside": 2}


def run(path, out, **options):
    return predict_rows(path, out=out, text_column="text", answer=answer, **options)


def test_every_row_comes_out_in_order_with_its_columns_and_its_answer(tmp_path):
    assert run(put(tmp_path, ROWS), tmp_path / "out.csv", chunk=2) == COUNTS
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["id", "text", "note", "prediction", "confidence", "decision"],
            ["1", "我要退款", "'=1+1", "n4", "0.5", "answer"],
            ["2", "hi", "-5", "n2", "0.5", "hand_over"],
            ["3", "", "", "", "", "set_aside:empty"],
            ["4", "a", "b", "", "", "set_aside:ragged"],
        ]


def test_excel_output_holds_text_not_formulas_and_confidence_as_a_number(tmp_path):
    assert run(put(tmp_path, ROWS.replace("hi", "h\x07i")), tmp_path / "out.xlsx")["n_rows"] == 4
    book = load_workbook(tmp_path / "out.xlsx")
    rows = list(book.active.values)
    assert rows[1] == ("1", "我要退款", "'=1+1", "n4", 0.5, "answer")
    assert rows[2][1] == "h i"


def test_jsonl_output_is_unchanged_text(tmp_path):
    run(put(tmp_path, ROWS), tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text("utf-8").splitlines()[0])
    assert first == {
        "id": "1", "text": "我要退款", "note": "=1+1", "prediction": "n4", "confidence": 0.5, "decision": "answer"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "bom"), [("utf-8", False), ("utf-8-sig", True), ("gb18030", True), ("utf-16", True)]
)
def test_a_byte_order_mark_is_written_unless_the_input_was_utf8_without_one(tmp_path, encoding, bom):
    run(put(tmp_path, ROWS.encode(encoding)), tmp_path / "out.tsv")
    written = (tmp_path / "out.tsv").read_bytes()
    assert written.startswith(b"\xef\xbb\xbf") == bom
    assert "我要退款\t" in written.decode("utf-8-sig")


def test_answering_an_answered_file_replaces_the_answers(tmp_path):
    run(put(tmp_path, ROWS), tmp_path / "once.csv")
    run(tmp_path / "once.csv", tmp_path / "twice.csv")
    assert (tmp_path / "twice.csv").read_text("utf-8").splitlines()[0] == "id,text,note,prediction,confidence,decision"


def test_a_file_with_one_column_needs_no_column_name(tmp_path):
    assert run(put(tmp_path, "问题\nhello, you\n"), tmp_path / "out.csv")["n_answered"] == 1
    with pytest.raises(NoSuchColumn):
        run(put(tmp_path, "问题,x\nhello,1\n"), tmp_path / "out.csv")


def test_a_run_that_fails_leaves_the_old_output_and_nothing_else(tmp_path):
    path, out = put(tmp_path, ROWS), put(tmp_path, "old", "out.csv")

    def fails(texts):
        raise RuntimeError("model gone")

    with pytest.raises(RuntimeError):
        predict_rows(path, out=out, text_column="text", answer=fails)
    with pytest.raises(UnknownOutput, match=r"out\.pdf"):
        run(path, tmp_path / "out.pdf")
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "out.csv"]


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+cmd", "'+1+cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-", "'-"),
        ("-1.5e3", "-1.5e3"),
        ("+86", "+86"),
        ("a=b", "a=b"),
        (-3.5, -3.5),
    ],
)
def test_cells_that_a_spreadsheet_would_run_are_defused(cell, safe):
    assert safe_cell(cell) == safe


def test_headers_are_defused_too(tmp_path):
    write_rows(tmp_path / "out.csv", [(("x",), ("p",))], columns=["=evil"], added=["prediction"])
    assert (tmp_path / "out.csv").read_text("utf-8-sig") == "'=evil,prediction\nx,p\n"


def test_a_file_of_corrections_is_read_whole_or_not_at_all(tmp_path):
    good = put(tmp_path, as_csv([(" hi ", "a"), ("skip", ""), ("ho", "b")]))
    assert read_labelled(good, text="text", label="label") == [("hi", "a"), ("ho", "b")]
    bad = put(tmp_path, as_csv([("hi", "a"), ("", "b")]) + "x,y,z\n")
    with pytest.raises(BadRows) as caught:
        read_labelled(bad, text="text", label="label")
    assert "2 rows" in caught.value.message("en")
    assert "row 3: The text cell is empty." in caught.value.message("en")
    assert "第 4 行" in caught.value.message("zh")
    with pytest.raises(NoLabels):
        read_labelled(put(tmp_path, as_csv([("hi", "")])), text="text", label="label")
