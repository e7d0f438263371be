import pytest

from feilun.config import TaskSettings, TrainSettings
from feilun.tasks import get_task
from feilun.tasks.classify.task import UnknownDescribed
from feilun.train.rows import collect_rows
from tests.train.conftest import MESSAGES, dataset_of, examples_of


def rows_of(descriptions):
    task = get_task(TaskSettings(descriptions=descriptions))
    return collect_rows(dataset_of(examples_of(MESSAGES)), TrainSettings(), task=task)


def test_a_description_teaches_its_class_and_is_never_held_out():
    rows = rows_of({"refund": " the customer wants money back "})
    extra = [(rows.texts[row], rows.labels[rows.targets[row].argmax()]) for row in rows.name_rows]
    assert extra == [
        ("card", "card"),
        ("delivery", "delivery"),
        ("refund", "refund"),
        ("the customer wants money back", "refund"),
    ]
    assert rows.n_examples == sum(map(len, MESSAGES.values()))


def test_a_description_of_no_class_names_the_nearest_one():
    with pytest.raises(UnknownDescribed) as caught:
        rows_of({"refnd": "money back", "card": "cards"})
    assert "'refnd'" in caught.value.message("en") and "Did you mean 'refund'?" in caught.value.message("en")
    assert "refnd" in caught.value.message("zh")


def test_an_empty_description_teaches_nothing():
    assert rows_of({"card": ""}).texts == rows_of({}).texts
