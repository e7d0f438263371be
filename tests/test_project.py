"""Doubtful labels from the last turn's report to the person who settles them; and advice on labels without a turn."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feilun.data import build_dataset, write_snapshot
from feilun.feedback import prediction_row
from feilun.models import pull
from feilun.project import NoSuchDoubt, Project, TooFewRows
from feilun.records import Answer, Backbone, LabelDoubt, LabelDoubts, Report, Why
from feilun.tasks import example_id
from tests.bundles import make_bundle
from tests.cli.conftest import Run, run  # noqa: F401
from tests.evaluate.made import judged, report_of

ROWS = [
    ("where is my parcel", "refund"),
    ("i want a refund", "refund"),
    ("我的快递呢", "delivery"),
    ("退款", "delivery"),
]
MORE = [(f"{word} {n}", label) for n in range(12) for word, label in (("parcel", "delivery"), ("refund", "refund"))]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Backbone) -> Path:
    folder = tmp_path_factory.mktemp("sealed") / "m2"
    folder.mkdir()
    make_bundle(folder, tiny_backbone)
    return folder


def write(folder: Path, rows: list[tuple[str, str]]) -> None:
    with (folder / "data.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


@pytest.fixture
def folder(tmp_path: Path, tiny_backbone: Backbone, bundle: Path) -> Path:
    """A project whose last turn doubted the labels of its first and fourth row, and of one that is gone."""
    pull(f"dir:{tiny_backbone.folder}")
    made = tmp_path / "support"
    (made / ".feilun").mkdir(parents=True)
    (made / "feilun.toml").write_text(
        '[project]\nname = "support"\n[[data.sources]]\npath = "data.csv"\n[data]\nholdout_fraction = 0.1\n'
        f'[backbone]\nmodel = "dir:{tiny_backbone.folder}"\n',
        "utf-8",
    )
    write(made, ROWS + MORE)
    doubts = tuple(
        LabelDoubt(example_id=example_id(text), source="data.csv", given=(given,), suggested=(other,), score=score)
        for text, given, other, score in (
            ("where is my parcel", "refund", "delivery", 0.02),
            ("退款", "delivery", "refund", 0.1),
            ("gone", "delivery", "refund", 0.2),
        )
    )
    report = report_of(judged(), label_doubts=LabelDoubts(n_judged=28, n_doubtful=3, doubts=doubts))
    with Project(made) as project:
        add_model(project, report)
        shutil.copytree(bundle, project.store.model_path("m2"))
    return made


def add_model(project: Project, report: Report) -> None:
    turn = project.store.add_turn("support", settings={}, seed=0, budget_s=1, requested_by="test")
    project.store.add_model(
        "support",
        model_id="m2",
        turn_id=turn["turn_id"],
        dataset_id="d2",
        report=report.model_dump(mode="json"),
        size_mb=1.0,
    )
    dataset, _ = build_dataset(project.folder, project.settings, task=project.task)
    write_snapshot(dataset, project.store.dataset_path(dataset.dataset_id))
    project.store.update_turn(project.name, turn["turn_id"], model_id="m2", dataset_id=dataset.dataset_id)
    project.store.finish_turn(
        project.name, turn["turn_id"], status="done", result={"at": datetime.now(UTC).isoformat()}
    )


def trained(folder: Path) -> set[str]:
    """The texts that a turn would learn from: only of those can a label be in doubt."""
    with Project(folder) as project:
        return {example.inputs["text"] for example in project._build()[0].train}


def test_doubts_are_listed_with_message_and_row_the_most_doubtful_first(folder: Path):
    assert {"where is my parcel", "退款"} <= trained(folder)
    with Project(folder) as project:
        rows = project.doubtful_labels()
        assert rows[0] == {
            "example_id": example_id("where is my parcel"),
            "inputs": {"text": "where is my parcel"},
            "source": "data.csv",
            "row": 2,
            "labels": ["refund"],
            "suggested": ["delivery"],
            "score": 0.02,
        }
        assert [row["row"] for row in rows] == [2, 5]
        assert [row["row"] for row in project.doubtful_labels(limit=1)] == [2]


def test_a_row_is_found_where_it_stands_now_and_one_that_was_changed_is_no_longer_doubted(folder: Path):
    write(folder, [("one more", "refund"), *ROWS[:3], ("退款", "refund"), *MORE])
    with Project(folder) as project:
        assert [row["row"] for row in project.doubtful_labels()] == [3]
        assert project.check_data().label_doubts == (("data.csv:3", "refund", "delivery"),)


def test_a_settled_label_wins_over_the_file_and_is_not_asked_again(folder: Path):
    with Project(folder) as project:
        corrected = project.settle_label(example_id("where is my parcel"), label="delivery", actor="ann")
        confirmed = project.settle_label(example_id("退款"), actor="ann")
        assert (corrected["labels"], confirmed["labels"], confirmed["actor"]) == (["delivery"], ["delivery"], "ann")
        assert project.doubtful_labels() == []
        assert project.check_data().n_label_doubts == 0
        now = {example.inputs["text"]: example for example in project._build()[0].train}
        assert now["where is my parcel"].target == ("delivery",)
        assert now["退款"].source == "feedback"


def test_the_queue_asks_about_doubts_until_they_are_settled(folder: Path):
    with Project(folder) as project:
        parcel, refund = project.queue()
        assert parcel | {"created_at": None} == {
            "prediction_id": None,
            "example_id": example_id("where is my parcel"),
            "inputs": {"text": "where is my parcel"},
            "labels": ["delivery"],
            "given": ["refund"],
            "confidence": None,
            "reason": "label_doubt",
            "alternatives": [],
            "teach": 0.98,
            "model_id": "m2",
            "similar": [],
            "twins": [],
            "why": (
                Why(
                    code="label_doubt",
                    en="data.csv:2 is labelled 'refund'; by cross-validation it is rather 'delivery'.",
                    zh="data.csv:2 的标签是“refund”，交叉验证认为更可能是“delivery”。",
                ),
            ),
            "created_at": None,
        }
        assert refund["inputs"] == {"text": "退款"}
        assert [row["inputs"] for row in project.queue(limit=1)] == [parcel["inputs"]]
        project.give_feedback(inputs=parcel["inputs"], label="delivery")
        assert [row["inputs"] for row in project.queue()] == [refund["inputs"]]
        project.settle_label(refund["example_id"])
        assert project.queue() == []


def wait_for_a_person(project: Project, *texts: str) -> None:
    answer = Answer(
        label="refund", labels=("refund",), confidence=0.4, decision="hand_over", reason="unsure", alternatives=()
    )
    project.store.add_predictions(
        [
            prediction_row(
                project="support",
                prediction_id=f"p_{number}",
                inputs={"text": text},
                example_id=example_id(text),
                answer=answer,
                model_id="m2",
                latency_ms=1,
            )
            for number, text in enumerate(texts)
        ]
    ).result()


def test_in_the_queue_people_who_wait_come_before_doubts_and_a_message_comes_once(folder: Path):
    with Project(folder) as project:
        wait_for_a_person(project, "my order is broken", "退款")
        asked = [(row["inputs"]["text"], row["reason"]) for row in project.queue()]
        assert sorted(asked[:2]) == [("my order is broken", "unsure"), ("退款", "unsure")]
        assert asked[2:] == [("where is my parcel", "label_doubt")]
        assert {row["reason"] for row in project.queue(limit=2)} == {"unsure"}


def test_the_queue_sees_that_a_row_was_changed_and_does_without_files_that_cannot_be_read(folder: Path):
    with Project(folder) as project:
        assert len(project.queue()) == 2
        write(folder, [("one more", "refund"), *ROWS[:3], ("退款", "refund"), *MORE])
        assert [row["why"][0].en[:10] for row in project.queue()] == ["data.csv:3"]
        (folder / "data.csv").unlink()
        wait_for_a_person(project, "my order is broken")
        assert [row["prediction_id"] for row in project.queue()] == ["p_0"]


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "rather 'delivery'|feilun data settle EXAMPLE"), ("zh", "更可能是“delivery”|feilun data settle 样本")],
)
def test_the_command_lines_queue_shows_doubts_and_how_to_settle_them(
    folder: Path,
    run: Run,  # noqa: F811
    lang: str,
    words: str,
):
    shown = run("--lang", lang, "feedback", "queue", folder)
    why, advice = words.split("|")
    assert example_id("where is my parcel") in shown.out and why in shown.out
    assert f"{advice} {folder}" in shown.err


def test_settling_what_nobody_doubts_is_refused_and_nothing_is_kept(folder: Path):
    with Project(folder) as project:
        with pytest.raises(NoSuchDoubt, match="feilun data doubts"):
            project.settle_label(example_id("i want a refund"), label="delivery")
        assert project.list_feedback() == []


def test_the_command_line_lists_settles_and_counts_doubts(folder: Path, run: Run):  # noqa: F811
    checked = run("data", "check", folder)
    assert "2 labels look wrong" in checked.out and "data.csv:2  refund, rather delivery" in checked.out
    listed = run("data", "doubts", folder)
    assert "where is my parcel" in listed.out and "退款" in listed.out
    settled = run("data", "settle", example_id("退款"), folder, "--label", "refund", "--json")
    assert settled.json["labels"] == ["refund"] and settled.json["inputs"] == {"text": "退款"}
    assert len(run("data", "doubts", folder, "--json").json) == 1
    again = run("data", "settle", example_id("退款"), folder, "--json")
    assert (again.exit_code, again.json["error"]["code"]) == (2, "project.no_such_doubt")


def test_before_the_first_turn_nothing_is_in_doubt(folder: Path, tmp_path: Path, run: Run):  # noqa: F811
    fresh = tmp_path / "fresh"
    (fresh / ".feilun").mkdir(parents=True)
    (fresh / "feilun.toml").write_text((folder / "feilun.toml").read_text("utf-8"), "utf-8")
    write(fresh, ROWS + MORE)
    assert run("data", "doubts", fresh, "--json").json == []
    assert "No label is in doubt" in run("data", "doubts", fresh).out


def test_advice_needs_no_turn_and_says_what_labels_bring(folder: Path, run: Run):  # noqa: F811
    with Project(folder) as project:
        curve = project.learning_curve()
        assert curve == project.learning_curve()
        assert curve.n_labels == len(trained(folder))
        assert [ahead.n_more for ahead in curve.forecasts] == sorted({curve.n_labels, 3 * curve.n_labels})
        assert {one.label for one in curve.classes} == {"refund", "delivery"}
    assert "What more labels would bring" in run("data", "advise", folder).out
    assert "再标注会带来什么" in run("--lang", "zh", "data", "advise", folder).out


def test_advice_from_a_handful_of_rows_is_refused_with_what_to_do(folder: Path, run: Run):  # noqa: F811
    write(folder, ROWS + MORE[:8])
    with Project(folder) as project, pytest.raises(TooFewRows):
        project.learning_curve()
    said = run("data", "advise", folder)
    assert said.exit_code == 2 and "Label a few more of each class" in said.err
