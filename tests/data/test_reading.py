from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from feilun.data import open_table
from feilun.data.errors import (
    EmptyFile,
    FileBroken,
    FileMissing,
    NoSuchColumn,
    NoSuchSheet,
    TooBig,
    UnknownEncoding,
    UnknownFormat,
    WrongEncoding,
)
from feilun.data.table import Table
from feilun.errors import FeilunError
from tests.data.conftest import EN, ZH, as_csv

ZH_TW = [("我的包裹還沒有到，請問什麼時候送達？", "物流"), ("請問退款需要幾天？謝謝", "退款")]
LATIN = [("I don’t want it – it cost £50", "refund"), ("Wo bleibt mein Päckchen? Größe fehlt", "delivery")]


def put(folder: Path, content: str | bytes, name: str = "file.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def cells(table: Table) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows()]


@pytest.mark.parametrize(
    ("rows", "encoding", "recognised"),
    [
        (ZH, "utf-8", "utf-8"),
        (ZH, "utf-8-sig", "utf-8-sig"),
        (ZH, "utf-16", "utf-16"),
        (ZH, "utf-16-le", "utf-16-le"),
        (EN, "utf-16-be", "utf-16-be"),
        (ZH, "gb18030", "gb18030"),
        (ZH[4:5], "gb18030", "gb18030"),
        (ZH * 500, "gb18030", "gb18030"),
        (ZH_TW, "big5", "big5"),
        (ZH_TW[1:], "big5", "big5"),
        (ZH_TW * 2000, "big5", "big5"),
        (LATIN, "cp1252", "cp1252"),
        (EN + ZH, "gb18030", "gb18030"),
    ],
)
def test_the_encoding_of_a_file_is_recognised_and_its_text_read(tmp_path, rows, encoding, recognised):
    table = open_table(put(tmp_path, as_csv(rows), encoding=encoding))
    assert (table.encoding, table.columns) == (recognised, ("text", "label"))
    assert cells(table) == rows


def test_chinese_that_begins_late_in_a_long_file_is_still_recognised(tmp_path):
    rows = EN * 5000 + ZH
    table = open_table(put(tmp_path, as_csv(rows), encoding="gb18030"))
    assert table.encoding == "gb18030"
    assert cells(table)[-1] == ZH[-1]


def test_one_damaged_line_does_not_change_the_encoding_of_a_file(tmp_path):
    content = as_csv(ZH).encode() + "坏,物流\r\n".encode("gb18030")
    table = open_table(put(tmp_path, content))
    assert table.encoding == "utf-8"
    assert cells(table)[:-1] == ZH


@pytest.mark.parametrize(
    ("written", "declared"), [("utf-8", "gb18030"), ("utf-8", "utf-16"), ("gb18030", "utf-8"), ("utf-16", "utf-8")]
)
def test_a_wrong_encoding_is_refused_and_the_right_one_named(tmp_path, written, declared):
    path = put(tmp_path, as_csv(ZH), encoding=written)
    with pytest.raises(WrongEncoding) as caught:
        open_table(path, encoding=declared)
    assert caught.value.fields["recognised"] == written


def test_a_declared_encoding_wins_over_recognition(tmp_path):
    path = put(tmp_path, as_csv([("배송이 늦어요", "delivery")]), encoding="euc_kr")
    assert cells(open_table(path, encoding="euc_kr")) == [("배송이 늦어요", "delivery")]


def test_an_encoding_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UnknownEncoding, match="utf-9"):
        open_table(put(tmp_path, as_csv(EN)), encoding="utf-9")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_recognised_whatever_stands_in_the_cells(tmp_path, delimiter):
    rows = [("one, two; three", "a/b"), ("tab\tand | bar", "c"), ("plain", "")]
    table = open_table(put(tmp_path, as_csv(rows, delimiter=delimiter)))
    assert (table.delimiter, table.format) == (delimiter, "tsv" if delimiter == "\t" else "csv")
    assert cells(table) == rows


def test_excels_own_first_line_names_the_delimiter_and_is_no_header(tmp_path):
    table = open_table(put(tmp_path, "sep=;\r\ntext;label\r\nhello;a\r\n"))
    assert (table.delimiter, table.columns) == (";", ("text", "label"))
    assert [(row.number, row.cells) for row in table.rows()] == [(3, ("hello", "a"))]


def test_a_file_with_one_column_keeps_the_commas_of_its_messages(tmp_path):
    assert cells(open_table(put(tmp_path, "text\nhello, world\nbye\n"))) == [("hello, world",), ("bye",)]


def test_rows_are_numbered_by_the_physical_line_they_start_on(tmp_path):
    content = 'text,label\n"two\nlines",a\n\n"say ""hi""",b\n'
    rows = list(open_table(put(tmp_path, content)).rows())
    assert [(row.number, row.cells) for row in rows] == [(2, ("two\nlines", "a")), (5, ('say "hi"', "b"))]


def test_one_unclosed_quotation_mark_costs_one_line(tmp_path):
    content = 'text,label\nfine,a\n"broken,a\n' + "".join(f"message {i},a\n" for i in range(3000)) + '"also fine",b\n'
    rows = list(open_table(put(tmp_path, content)).rows())
    assert [(row.number, row.problem) for row in rows if row.problem] == [(3, "quotes")]
    assert len(rows) == 3003
    assert (rows[-1].number, rows[-1].cells) == (3004, ("also fine", "b"))


def test_a_file_that_ends_inside_quotes_keeps_the_rows_before(tmp_path):
    rows = list(open_table(put(tmp_path, 'text,label\nfine,a\n"never closed,b')).rows())
    assert [(row.number, row.cells, row.problem) for row in rows] == [(2, ("fine", "a"), ""), (3, (), "quotes")]


def test_tab_separated_cells_may_hold_bare_quotation_marks(tmp_path):
    rows = list(open_table(put(tmp_path, 'text\tlabel\n"hi" she said\ta\n"5 inch\tb\n"x\ty"\tc\n')).rows())
    assert [(row.number, row.cells) for row in rows] == [
        (2, ('"hi" she said', "a")),
        (3, ('"5 inch', "b")),
        (4, ("x\ty", "c")),
    ]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_lines_may_end_as_on_any_system(tmp_path, end):
    content = as_csv(ZH).replace("\r\n", end)
    rows = list(open_table(put(tmp_path, content)).rows())
    assert [(row.number, row.cells) for row in rows] == [(i, row) for i, row in enumerate(ZH, start=2)]


def test_ragged_rows_are_told_with_their_width_and_trailing_delimiters_are_forgiven(tmp_path):
    rows = list(open_table(put(tmp_path, "text,label\na,b,c\nshort\nfine,x,,\nok,y\n")).rows())
    assert [(row.number, row.problem, row.fields) for row in rows] == [
        (2, "ragged", {"found": 3, "expected": 2}),
        (3, "ragged", {"found": 1, "expected": 2}),
        (4, "", {}),
        (5, "", {}),
    ]


def test_jsonl_rows_are_numbered_by_line_and_lists_become_cells(tmp_path):
    lines = '{"text": "退款 \\u2014 now", "label": ["a", "b"]}\n\nnot json\n[1]\n{"label": 3.0, "text": null}\n'
    table = open_table(put(tmp_path, lines, "file.jsonl"), separator=";")
    assert table.columns == ("text", "label")
    assert [(row.number, row.cells, row.problem) for row in table.rows()] == [
        (1, ("退款 — now", "a;b"), ""),
        (3, (), "json"),
        (4, (), "json"),
        (5, ("", "3"), ""),
    ]


def workbook(path: Path, rows: list[list[object]], *, sheet: str = "Sheet") -> Path:
    book = Workbook()
    assert book.active is not None
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.create_sheet("other").append(["text", "label"])
    book["other"].append(["second sheet", "b"])
    book.save(path)
    return path


@pytest.mark.parametrize("name", ["file.xlsx", "really_excel.csv"])
def test_excel_files_are_known_by_their_content(tmp_path, name):
    path = workbook(
        tmp_path / name, [["text", "label", None], ["我要退款", 1.0], [None, None], ["hi", "b"], [5, None, "x"]]
    )
    table = open_table(path)
    assert (table.format, table.columns) == ("xlsx", ("text", "label"))
    assert [(row.number, row.problem) for row in table.rows()] == [(2, ""), (4, ""), (5, "ragged")]
    assert cells(table)[:2] == [("我要退款", "1"), ("hi", "b")]


def test_another_sheet_is_read_by_name_and_a_missing_one_refused(tmp_path):
    path = workbook(tmp_path / "file.xlsx", [["text", "label"]], sheet="first")
    assert cells(open_table(path, sheet="other")) == [("second sheet", "b")]
    with pytest.raises(NoSuchSheet, match="first, other"):
        open_table(path, sheet="third")


def test_parquet_is_read(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"text": ["我要退款", None], "label": [["a", "b"], None], "n": [1.5, 2.0]})
    pq.write_table(table, tmp_path / "file.parquet")
    opened = open_table(tmp_path / "file.parquet")
    assert [(row.number, row.cells) for row in opened.rows()] == [(1, ("我要退款", "a|b", "1.5")), (2, ("", "", "2"))]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", bytes(32 << 20))
    with pytest.raises(TooBig):
        open_table(tmp_path / "bomb.xlsx")


def zip_of(member: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(member, "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("empty.csv", b"", EmptyFile),
        ("blank.csv", b"\n \r\n", EmptyFile),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), UnknownFormat),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), UnknownFormat),
        ("random.csv", bytes(range(256)) * 40, UnknownFormat),
        ("page.xls", b"<html><table><tr><td>text</td></tr></table>", UnknownFormat),
        ("array.json", b'[{"text": "a"}]', UnknownFormat),
        ("letter.docx", zip_of("word/document.xml"), UnknownFormat),
        ("torn.xlsx", zip_of("xl/workbook.xml")[:40], FileBroken),
        ("hollow.xlsx", zip_of("xl/workbook.xml"), FileBroken),
    ],
    ids=lambda given: given if isinstance(given, str) else "",  # bytes of an archive tell the time it was made at
)
def test_what_is_no_table_is_refused_with_its_name(tmp_path, name, content, error):
    with pytest.raises(error, match=name):
        open_table(put(tmp_path, content, name), name=name)


@cache
def sound_files() -> list[tuple[str, bytes]]:
    book = io.BytesIO()
    sheet = Workbook()
    assert sheet.active is not None
    for row in EN:
        sheet.active.append(row)
    sheet.save(book)
    lines = "".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in ZH)
    texts = [("a.csv", as_csv(ZH).encode(encoding)) for encoding in ("utf-8", "utf-16", "utf-16-le", "gb18030")]
    return [*texts, ("b.jsonl", lines.encode()), ("c.xlsx", book.getvalue())]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_damaged_gives_rows_or_an_error_that_says_what_to_do(tmp_path, data):
    name, content = sound_files()[data.draw(st.integers(0, 5))]
    at = data.draw(st.integers(0, 1 << 16)) % len(content)  # the size of a workbook changes with its date
    cut = data.draw(st.integers(0, 40))
    path = put(tmp_path, content[:at] + data.draw(st.binary(max_size=8)) + content[at + cut :], name)
    try:
        for row in open_table(path).rows():
            assert row.number >= 1
    except FeilunError as error:
        assert name in error.message("en")
        assert name in error.message("zh")


def test_a_missing_file_is_told_with_the_folder_that_was_searched(tmp_path):
    with pytest.raises(FileMissing, match=r"nowhere\.csv"):
        open_table(tmp_path / "nowhere.csv")


def test_a_missing_column_is_told_with_those_found_and_the_nearest(tmp_path):
    table = open_table(put(tmp_path, "Text,label\na,b\n"))
    with pytest.raises(NoSuchColumn) as caught:
        table.position("text")
    assert "Did you mean 'Text'?" in caught.value.message("en")
    assert "'Text', 'label'" in caught.value.message("zh")
