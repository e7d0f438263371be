"""feilun.toml: written with every meaning, read back the same, refused with every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from feilun.config import (
    CONFIG_NAME,
    ConfigInvalid,
    ConfigMissing,
    FeilunSettings,
    dump_settings,
    load_settings,
    with_search,
)

SETTINGS = FeilunSettings.model_validate(
    {
        "project": {"name": "support", "language": "zh"},
        "task": {"multi_label": True, "label_separator": ";"},
        "data": {"sources": [{"path": "a.csv"}, {"path": "b.xlsx", "text": "内容"}], "holdout": {"path": "h.csv"}},
        "goal": {"at_least": 0.8, "max_size_mb": 150},
    }
)


def test_what_is_written_is_read_back_the_same(tmp_path: Path):
    (tmp_path / CONFIG_NAME).write_text(dump_settings(SETTINGS, header="hello\n你好"), "utf-8")
    assert load_settings(tmp_path) == SETTINGS


def test_every_key_stands_there_with_its_meaning():
    text = dump_settings(SETTINGS)
    for section in FeilunSettings.model_fields:
        for key, field in type(getattr(SETTINGS, section)).model_fields.items():
            if field.description:
                assert f"# {field.description}" in text, f"{section}.{key}"


def test_a_byte_order_mark_from_an_editor_does_no_harm(tmp_path: Path):
    (tmp_path / CONFIG_NAME).write_text(dump_settings(SETTINGS), "utf-8-sig")
    assert load_settings(tmp_path) == SETTINGS


def test_all_mistakes_come_at_once_with_their_lines(tmp_path: Path):
    lines = [
        "[project]",
        'name = "has a space"',
        "[[data.sources]]",
        'path = "a.csv"',
        "[[data.sources]]",
        'path = "b.csv"',
        'txt = "content"',
        "[train]",
        "budget = 10",
        "[serve]",
        "port = 99999",
    ]
    (tmp_path / CONFIG_NAME).write_text("\n".join(lines), "utf-8")
    with pytest.raises(ConfigInvalid) as refused:
        load_settings(tmp_path)
    assert refused.value.fields["n_mistakes"] == 4
    said = refused.value.fields["mistakes"].splitlines()
    assert [line.split(":")[0].strip() for line in said] == ["line 2", "line 7", "line 9", "line 11"]
    assert "did you mean 'text'" in said[1]
    assert "did you mean 'budget_s'" in said[2]


@pytest.mark.parametrize(
    ("text", "error"),
    [("[project\n", ConfigInvalid), ("", ConfigInvalid), (None, ConfigMissing)],
    ids=["not TOML", "empty", "not there"],
)
def test_a_file_that_cannot_be_read_names_the_file(tmp_path: Path, text: str | None, error: type[Exception]):
    if text is not None:
        (tmp_path / CONFIG_NAME).write_text(text, "utf-8")
    with pytest.raises(error, match=CONFIG_NAME):
        load_settings(tmp_path)


def test_settings_do_not_change_under_anyones_hands():
    with pytest.raises(ValueError, match="frozen"):
        SETTINGS.train.budget_s = 1  # type: ignore[misc]


def test_a_search_space_is_ranges_and_lists_and_comes_back_the_same(tmp_path: Path):
    lines = [
        "[project]",
        'name = "support"',
        "[train.search.space]",
        "learning_rate = {low = 1e-4, high = 1e-3, log = true}",
        "epochs = {low = 2, high = 8, step = 2}",
        "batch_size = [8, 16]",
        "token_drop = []",
    ]
    (tmp_path / CONFIG_NAME).write_text("\n".join(lines), "utf-8")
    settings = load_settings(tmp_path)
    assert str(settings.train.search.space.learning_rate) == "{low = 0.0001, high = 0.001, log = true}"
    assert settings.train.search.space.batch_size == (8, 16)
    (tmp_path / CONFIG_NAME).write_text(dump_settings(settings), "utf-8")
    assert load_settings(tmp_path).train.search.space.epochs == settings.train.search.space.epochs
    assert FeilunSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("learning_rate = {low = 1e-3, high = 1e-4}", "low = 0.001 must be below high = 0.0001"),
        ("learning_rate = [0.0]", "learning_rate = 0.0: Input should be greater than 0"),
        ("learning_rate = {low = 0, high = 1e-3, log = true}", "log = true needs low > 0"),
        ("epochs = {low = 2, hi = 8}", "a range is {low = …, high = …, log = true or false, step = …}. high:"),
        ("epochs = 3", "must be a list of values or a range"),
        ("head_c = [-1]", "head_c = -1 must be a number above 0"),
        ("epoch = [3]", "did you mean 'epochs'?"),
    ],
    ids=["upside down", "impossible", "no logarithm", "half a range", "one value", "head", "no such setting"],
)
def test_a_search_space_that_cannot_be_is_refused_with_what_could(tmp_path: Path, line: str, told: str):
    (tmp_path / CONFIG_NAME).write_text(f'[project]\nname = "x"\n[train.search.space]\n{line}', "utf-8")
    with pytest.raises(ConfigInvalid) as refused:
        load_settings(tmp_path)
    assert refused.value.fields["n_mistakes"] == 1
    assert "line 4" in refused.value.fields["mistakes"]
    assert told in refused.value.fields["mistakes"]


@pytest.mark.parametrize("method", ["gp", "cma-es"])
def test_samplers_that_are_not_offered_are_explained_and_another_is_named(tmp_path: Path, method: str):
    (tmp_path / CONFIG_NAME).write_text(f'[project]\nname = "x"\n[train.search]\nmethod = "{method}"', "utf-8")
    with pytest.raises(ConfigInvalid, match="Use 'tpe'"):
        load_settings(tmp_path)


def test_a_search_can_be_asked_for_or_left_out_for_one_turn():
    asked = with_search(SETTINGS, n_trials=7)
    assert (asked.train.search.enabled, asked.train.search.n_trials) == (True, 7)
    assert with_search(asked, n_trials=0).train.search.enabled is False
