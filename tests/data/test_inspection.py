from __future__ import annotations

import pytest

from feilun.config import dump_settings, load_settings
from feilun.data import build_dataset, inspect_file, make_settings
from feilun.data.errors import CannotTellColumns, EmptyFile, NoHeader, NoSuchColumn
from feilun.tasks import get_task
from tests.data.conftest import EN, ZH, as_csv, many


def put(folder, content, name="file.csv", encoding="utf-8"):
    (folder / name).write_bytes(content.encode(encoding))
    return folder / name


def test_a_chinese_excel_export_is_told_without_help(tmp_path):
    path = put(tmp_path, as_csv(ZH, header=("客户留言", "所属类别"), delimiter=";"), encoding="gb18030")
    guess = inspect_file(path)
    assert (guess.encoding, guess.delimiter, guess.text, guess.label) == ("gb18030", ";", "客户留言", "所属类别")
    assert (guess.language, guess.n_rows, guess.label_counts) == ("zh", 8, {"物流": 4, "退款": 4})
    assert guess.samples[0] == ZH[0]


@pytest.mark.parametrize(
    ("rows", "language"),
    [
        (EN, "en"),
        (ZH, "zh"),
        (EN + ZH, "multi"),
        (EN * 10 + ZH[:1], "en"),
        ([("我的 iPhone 15 Pro Max 坏了", "a"), ("WiFi 连不上", "b")] * 2, "zh"),
        ([("こんにちは、荷物が届きません", "a"), ("返金してください", "b")] * 2, "multi"),
    ],
)
def test_the_language_is_told_by_the_messages(tmp_path, rows, language):
    assert inspect_file(put(tmp_path, as_csv(rows))).language == language


def test_well_known_names_win_over_longer_columns(tmp_path):
    rows = [(str(i), text, label, "a much longer annotation " + text) for i, (text, label) in enumerate(EN)]
    guess = inspect_file(put(tmp_path, as_csv(rows, header=("id", "text", "intent", "annotated"))))
    assert (guess.text, guess.label) == ("text", "intent")


def test_columns_with_odd_names_are_told_by_their_cells(tmp_path):
    rows = [(str(i), label, text) for i, (text, label) in enumerate(EN * 2)]
    guess = inspect_file(put(tmp_path, as_csv(rows, header=("nr", "x", "y"))))
    assert (guess.text, guess.label) == ("y", "x")


def test_two_columns_that_could_be_the_label_are_asked_about(tmp_path):
    rows = [(text, label, "web" if i % 2 else "phone") for i, (text, label) in enumerate(EN)]
    path = put(tmp_path, as_csv(rows, header=("text", "x", "y")))
    with pytest.raises(CannotTellColumns) as caught:
        inspect_file(path)
    assert "'text', 'x', 'y'" in caught.value.message("en")
    assert "--label" in caught.value.message("zh")
    assert inspect_file(path, label="y").label_counts == {"phone": 4, "web": 4}


def test_numbers_are_no_messages(tmp_path):
    with pytest.raises(CannotTellColumns, match="--text"):
        inspect_file(put(tmp_path, as_csv([(str(i), str(i % 2)) for i in range(10)], header=("a", "b"))))


def test_a_file_without_header_is_told(tmp_path):
    with pytest.raises(NoHeader, match=r"file\.csv"):
        inspect_file(put(tmp_path, as_csv(EN[1:], header=EN[0])))


def test_names_that_are_given_must_exist(tmp_path):
    with pytest.raises(NoSuchColumn, match="Did you mean 'text'"):
        inspect_file(put(tmp_path, as_csv(EN)), text="txt")


def test_a_header_without_rows_is_an_empty_file(tmp_path):
    with pytest.raises(EmptyFile):
        inspect_file(put(tmp_path, "text,label\n"))


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["a|b", "a", "b", "b|c", "c"], "|"),
        (["a;b", "b; c", "a", "c", "a;c"], ";"),
        (["物流、退款", "物流", "退款", "退款、客服", "客服"], "、"),
        (["cash/withdrawal", "cash/deposit", "card/lost", "card/new", "fees"], ""),
        (["refund, please", "delivery", "refund, please", "delivery"], ""),
    ],
)
def test_several_labels_in_a_cell_are_told_from_labels_with_odd_characters(tmp_path, cells, separator):
    rows = [(f"message number {i} {cell}", cell) for i, cell in enumerate(cells * 4)]
    guess = inspect_file(put(tmp_path, as_csv(rows)))
    assert (guess.multi_label, guess.separator) == (bool(separator), separator)


@pytest.mark.parametrize(("label", "outside"), [("oos", "oos"), ("Out_of_Scope", "Out_of_Scope"), ("other", "")])
def test_only_well_known_names_count_as_out_of_scope(tmp_path, label, outside):
    guess = inspect_file(put(tmp_path, as_csv([*EN, *many(5, label)])))
    assert guess.out_of_scope_label == outside


def test_bad_and_unlabelled_rows_are_counted_in_the_notes(tmp_path):
    guess = inspect_file(put(tmp_path, as_csv([*EN, ("what", "")]) + "a,b,c\n"))
    assert (guess.n_rows, guess.n_bad, guess.n_unlabelled) == (10, 1, 1)
    assert "1 rows have no label." in guess.notes_en
    assert len(guess.notes_en) == len(guess.notes_zh)


def test_the_settings_it_writes_work_as_they_are(tmp_path):
    data = put(tmp_path, as_csv([*ZH, *many(5, "oos")], header=("内容", "类别")), encoding="gb18030")
    judged = put(tmp_path, as_csv([("退款多久到账", "退款")], header=("问题", "标签")), name="judged.csv")
    folder = tmp_path / "project"
    folder.mkdir()
    settings = make_settings(inspect_file(data), name="kefu", folder=folder, data_path=data, holdout_path=judged)
    (folder / "feilun.toml").write_text(dump_settings(settings), "utf-8")
    loaded = load_settings(folder)
    assert loaded == settings
    assert (loaded.data.sources[0].path, loaded.data.holdout.text) == ("../file.csv", "问题")
    dataset, _ = build_dataset(folder, loaded, task=get_task(loaded.task))
    assert (dataset.labels, len(dataset.train), len(dataset.holdout)) == (("物流", "退款"), 13, 1)
