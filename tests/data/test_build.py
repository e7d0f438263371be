"""From files to a dataset: what is kept, what is set aside, what is refused."""

from __future__ import annotations

import random
from pathlib import Path
from string import Formatter

import pytest

from feilun.config import FeilunSettings, ProjectSettings
from feilun.data import build_dataset, errors
from feilun.data.errors import (
    AllInHoldout,
    AllRowsBad,
    EmptyFile,
    NoLabels,
    NoSources,
    NoSuchColumn,
    NothingToHoldOut,
    OneClassOnly,
)
from feilun.errors import FeilunError
from feilun.records import Example
from feilun.tasks import example_id, get_task
from tests.data.conftest import EN, ZH, as_csv, example, many


def texts(examples):
    return sorted(e.inputs["text"] for e in examples)


def test_a_chinese_file_from_excel_becomes_a_dataset(build):
    dataset, report = build(
        {"客服.csv": as_csv(ZH, header=("内容", "类别")).encode("gb18030")}, text="内容", label="类别"
    )
    assert texts(dataset.train + dataset.holdout) == sorted(text for text, _ in ZH)
    assert dataset.labels == ("物流", "退款")
    assert (report.n_rows, report.n_train, report.n_holdout) == (8, 6, 2)
    assert report.encodings == {"客服.csv": "gb18030"}
    assert report.holdout_counts == {"物流": 1, "退款": 1}


def test_two_languages_and_emoji_in_one_file_are_kept_as_they_are(build):
    dataset, report = build({"data.csv": [*EN, *ZH]})
    assert texts(dataset.train + dataset.holdout) == sorted(text for text, _ in EN + ZH)
    assert report.n_set_aside == 0


def test_every_bad_row_is_set_aside_with_its_number_and_its_reason(build):
    content = as_csv(EN).encode() + (
        b",refund\r\n" + "\u200b \u3000,refund\r\n".encode() + b"x" * 101 + b",refund\r\n"
        b"a,b,c\r\n"
        + b"nul\x00byte,refund\r\n"
        + b"bad\xff\xfebytes,refund\r\n"
        + b'"open,refund\r\n'
        + b"no label,\r\n"
    )
    dataset, report = build({"data.csv": content}, max_chars=100)
    assert [(row.source, row.row, row.reason_code) for row in report.set_aside] == [
        ("data.csv", 10, "empty"),
        ("data.csv", 11, "empty"),
        ("data.csv", 12, "too_long"),
        ("data.csv", 13, "ragged"),
        ("data.csv", 14, "nul"),
        ("data.csv", 15, "undecodable"),
        ("data.csv", 16, "quotes"),
    ]
    assert "101" in report.set_aside[2].en
    assert "101" in report.set_aside[2].zh
    assert report.n_set_aside == 7
    assert texts(dataset.unlabelled) == ["no label"]
    assert report.n_rows == 16
    assert any("7 rows were set aside, first: data.csv:10." in advice for advice in report.advice_en)


def test_half_a_character_in_json_is_set_aside(build):
    lines = "".join(f'{{"text": "{t}", "label": "{label}"}}\n' for t, label in EN)
    _, report = build({"data.jsonl": lines + '{"text": "smile \\ud83d", "label": "refund"}\n'})
    assert [(row.row, row.reason_code) for row in report.set_aside] == [(9, "undecodable")]


def test_the_list_of_bad_rows_is_cut_but_the_count_is_whole(build):
    _, report = build({"data.csv": [*EN, *[("", "refund")] * 1500]})
    assert (report.n_set_aside, len(report.set_aside)) == (1500, 1000)


def test_the_same_text_in_other_case_width_or_spacing_is_kept_once(build):
    dataset, report = build({"data.csv": [*EN, ("WHERE  is my　parcel？", "delivery"), ("where is my parcel?", "")]})
    assert len(dataset.train + dataset.holdout + dataset.unlabelled) == len(EN)
    assert report.n_exact_duplicates == 2
    assert {row for pair in report.exact_duplicates for row in pair} == {"data.csv:2", "data.csv:10", "data.csv:11"}


def test_of_two_labels_the_majority_wins_and_a_tie_is_left_out(build):
    rows = [*EN, ("broken box", "delivery"), ("broken box", "refund"), ("Broken box", "refund")]
    dataset, report = build({"data.csv": [*rows, ("hm", "refund"), ("hm", "delivery")]})
    kept = {e.inputs["text"].lower(): e.target for e in dataset.train + dataset.holdout}
    assert kept["broken box"] == ("refund",)
    assert "hm" not in kept
    assert (report.n_conflicts, report.conflicts) == (
        2,
        (("data.csv:10", "data.csv:11"), ("data.csv:13", "data.csv:14")),
    )
    assert [(row.row, row.reason_code) for row in report.set_aside] == [
        (10, "outvoted"),
        (13, "conflict"),
        (14, "conflict"),
    ]
    assert any("2 messages stand under two or more labels, first: data.csv:10" in a for a in report.advice_en)


def test_a_correction_wins_over_the_files_and_always_trains(build):
    corrections = [
        example("where is my parcel?", "refund"),
        example("Where is my parcel?", "lost"),
        example("new", "lost"),
    ]
    dataset, report = build({"data.csv": [*EN, ("Where is my parcel?", "lost")]}, corrections=corrections)
    trained = {e.example_id: (e.target, e.source) for e in dataset.train}
    assert trained[corrections[0].example_id] == (("lost",), "feedback")
    assert trained[corrections[2].example_id] == (("lost",), "feedback")
    assert report.n_corrections == 2
    assert [(row.row, row.reason_code) for row in report.set_aside] == [(2, "corrected")]
    assert report.n_conflicts == 0


def test_a_correction_of_a_holdout_row_is_left_out_and_counted(build):
    held = [("Where is my parcel?", "delivery"), ("money back please", "refund")]
    dataset, report = build(
        {"data.csv": EN[1:], "test.csv": held},
        holdout="test.csv",
        corrections=[example("where is my PARCEL?", "refund")],
    )
    assert {e.inputs["text"]: e.target for e in dataset.holdout}["Where is my parcel?"] == ("delivery",)
    assert report.n_corrections == 0
    assert report.leaks == (("feedback", "test.csv:2"),)


def test_rows_of_the_holdout_file_never_train(build):
    dataset, report = build({"data.csv": EN, "test.csv": [EN[0], EN[5], ("brand new", "refund")]}, holdout="test.csv")
    assert texts(dataset.holdout) == ["Please refund the order", "Where is my parcel?", "brand new"]
    assert not {e.example_id for e in dataset.train} & {e.example_id for e in dataset.holdout}
    assert (report.n_leaks, report.leaks) == (2, (("data.csv:2", "test.csv:2"), ("data.csv:7", "test.csv:3")))


def test_near_leaks_are_reported_and_kept(build):
    long = "I ordered a blue bicycle on the third of May and it has still not been delivered to my door"
    dataset, report = build(
        {
            "data.csv": [*EN, (long + "!", "delivery"), (long + " now", "delivery")],
            "test.csv": [(long + "s", "delivery")],
        },
        holdout="test.csv",
    )
    assert report.n_near_leaks == 2
    assert {pair[0] for pair in report.near_leaks} == {"data.csv:10", "data.csv:11"}
    assert report.n_leaks == 0
    assert report.near_duplicates == (("data.csv:10", "data.csv:11"),)
    assert len(dataset.train) == 10


def test_an_unlabelled_row_of_the_holdout_file_is_set_aside(build):
    _, report = build({"data.csv": EN, "test.csv": [("fine", "refund"), ("what?", "")]}, holdout="test.csv")
    assert [(row.source, row.row, row.reason_code) for row in report.set_aside] == [
        ("test.csv", 3, "holdout_unlabelled")
    ]


def test_a_label_with_one_row_is_trained_on_and_named_in_the_advice(build):
    dataset, report = build({"data.csv": [*EN, ("speak to a person", "agent")]})
    assert dataset.labels == ("agent", "delivery", "refund")
    assert "agent" not in report.holdout_counts
    assert "Class 'agent' has 1 training row; add at least 4 more." in report.advice_en
    assert "1 个类别只有 1 行训练数据：“agent”；请为每个类别至少再加 4 行。" in report.advice_zh


def test_a_label_of_the_holdout_alone_is_named_in_the_advice(build):
    dataset, report = build({"data.csv": EN, "test.csv": [("hi", "greeting"), ("x y z", "refund")]}, holdout="test.csv")
    assert dataset.labels == ("delivery", "refund")
    assert report.advice_en[0].startswith("Class 'greeting' appears only in the holdout")


def test_two_spellings_of_one_label_are_named_in_the_advice(build):
    _, report = build({"data.csv": [*EN, ("give it back", "Refund")]})
    assert any("'Refund' and 'refund' look like one label" in advice for advice in report.advice_en)


def test_out_of_scope_rows_are_kept_without_becoming_a_class(build):
    rows = [*EN, *many(5, "oos")]
    dataset, _ = build({"data.csv": rows}, task={"out_of_scope_label": "oos"})
    assert dataset.labels == ("delivery", "refund")
    assert sum(e.target == ("oos",) for e in dataset.train) == 4
    assert sum(e.target == ("oos",) for e in dataset.holdout) == 1


def test_several_labels_in_a_cell_are_several_labels(build):
    rows = [*EN, ("late and I want money", "delivery|refund"), ("money for the late box", "refund | delivery")]
    dataset, report = build({"data.csv": rows}, task={"multi_label": True})
    assert dataset.labels == ("delivery", "refund")
    everything = dataset.train + dataset.holdout
    assert sum(e.target == ("delivery", "refund") for e in everything) == 2
    assert report.class_counts["refund"] + report.holdout_counts["refund"] == 6


def test_several_files_of_several_formats_make_one_dataset(build):
    lines = "".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in ZH)
    dataset, report = build(
        {"a.csv": EN, "b.jsonl": lines, "c.tsv": as_csv([("x y", "refund")], delimiter="\t")},
        sources=["a.csv", "b.jsonl", "c.tsv"],
    )
    assert (report.n_rows, len(dataset.train) + len(dataset.holdout)) == (17, 17)
    assert {e.source for e in dataset.train + dataset.holdout} == {"a.csv", "b.jsonl", "c.tsv"}


ONE = [(f"message {word}", "refund") for word in ("one", "two", "three", "four", "five")]


@pytest.mark.parametrize(
    ("files", "options", "error", "named"),
    [
        ({"d.csv": "text,label\n"}, {}, EmptyFile, ["d.csv"]),
        ({"d.csv": as_csv([("hi", ""), ("ho", " ")])}, {}, NoLabels, ["d.csv", "'label'"]),
        ({"d.csv": as_csv(ONE)}, {}, OneClassOnly, ["d.csv", "'label'", "'refund'", "5"]),
        ({"d.csv": as_csv([("", "a"), (" ", "b")])}, {}, AllRowsBad, ["d.csv", "'text'", "2"]),
        ({"d.csv": as_csv(EN[2:6])}, {}, NothingToHoldOut, ["4"]),
        ({"d.csv": as_csv(EN), "t.csv": as_csv([("hi", "")])}, {"holdout": "t.csv"}, NothingToHoldOut, ["t.csv"]),
        ({"d.csv": as_csv(EN), "t.csv": as_csv(EN)}, {"holdout": "t.csv"}, AllInHoldout, ["d.csv"]),
        ({"d.csv": as_csv(EN)}, {"text": "txt"}, NoSuchColumn, ["d.csv", "'text'", "'label'"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_cannot_be_trained_is_refused_with_what_to_do(build, files, options, error, named):
    with pytest.raises(error) as caught:
        build(files, **options)
    for language in ("en", "zh"):
        message = caught.value.message(language)
        assert all(part in message for part in named)


def test_no_data_source_is_refused():
    settings = FeilunSettings(project=ProjectSettings(name="x"))
    with pytest.raises(NoSources):
        build_dataset(Path(), settings, task=get_task(settings.task))


def test_every_row_is_accounted_for(build):
    rng = random.Random(5)
    words = ["我要", "退款", "where", "is", "my", "order", "快递", "box"]
    rows = [(" ".join(rng.choices(words, k=rng.randint(0, 3))), rng.choice(["a", "b", ""])) for _ in range(400)]
    dataset, report = build({"data.csv": rows, "test.csv": rows[:40]}, holdout="test.csv")
    kept = report.n_train + report.n_holdout + report.n_unlabelled
    assert report.n_rows == 440
    assert kept + report.n_exact_duplicates + report.n_set_aside + report.n_leaks == report.n_rows
    assert kept == len(dataset.train) + len(dataset.holdout) + len(dataset.unlabelled)


def test_every_error_of_the_room_says_the_same_in_both_languages():
    def fields(template: str) -> set[str]:
        return {name.removesuffix("_en").removesuffix("_zh") for _, name, _, _ in Formatter().parse(template) if name}

    found = [error for error in vars(errors).values() if isinstance(error, type) and error is not FeilunError]
    assert len({e.code for e in found}) == len(found)
    for error in found:
        assert fields(error.en) == fields(error.zh), error.code


def test_messages_that_users_sent_join_the_unlabelled_ones_and_no_other_split(tmp_path: Path):
    lines = [f"refund {i},a\nparcel {i},b\n" for i in range(20)]
    (tmp_path / "m.csv").write_text("text,label\n" + "".join(lines), "utf-8")
    settings = FeilunSettings.model_validate({"project": {"name": "p"}, "data": {"sources": [{"path": "m.csv"}]}})
    task = get_task(settings.task)
    plain, report = build_dataset(tmp_path, settings, task=task)
    sent = [
        Example(example_id(text), {"text": text}, None, "traffic")
        for text in ("something new", plain.holdout[0].inputs["text"], plain.train[0].inputs["text"])
    ]
    joined, same = build_dataset(tmp_path, settings, task=task, asked=sent)
    assert [example.inputs["text"] for example in joined.unlabelled] == ["something new"]
    assert (joined.train, joined.holdout) == (plain.train, plain.holdout)
    assert joined.dataset_id != plain.dataset_id
    assert same == report
