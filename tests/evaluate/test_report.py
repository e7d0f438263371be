import re
import string

import pytest

from feilun.evaluate import ChampionView, describe
from feilun.evaluate.advice import TEXTS, Warnings
from feilun.evaluate.words import EN, ZH
from feilun.records import ClassMetrics, ConfusedPair, OutOfScope, SearchReport, SearchTrial
from tests.evaluate.made import judged, report_of


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_both_languages_have_the_same_sentences_with_the_same_figures():
    assert EN.keys() == ZH.keys()
    assert {key: placeholders(text) for key, text in EN.items()} == {key: placeholders(t) for key, t in ZH.items()}
    assert all(placeholders(en) == placeholders(zh) for en, zh in TEXTS.values())


@pytest.fixture(scope="module")
def report():
    found = judged()
    half = OutOfScope(n_examples=40, auroc=found.metrics["accuracy"], fpr95=0.31, recall=0.62, in_scope_accuracy=0.58)
    thresholds = found.thresholds.model_copy(
        update={"expected_answer_rate": 0.823, "expected_error_rate": 0.041, "out_of_scope": 0.4, "label": 0.37}
    )
    return report_of(found, out_of_scope=half, thresholds=thresholds, warnings_en=("Mind.",), warnings_zh=("注意。",))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_person_finds_every_figure_of_the_report(report, lang):
    text = describe(report, lang)
    space = " " if lang == "en" else ""
    for fraction in (
        report.metrics["accuracy"].value,
        report.metrics["accuracy"].low,
        report.metrics["macro_f1"].high,
        report.thresholds.expected_answer_rate,
        report.thresholds.expected_error_rate,
        report.out_of_scope.recall,
        report.parity.agreement,
    ):
        assert f"{100 * fraction:.1f}{space}%" in text
    for word in ("23.4", "9.8", "probe", "c=10", "d2", "c2", "0.1.0", "tiny", "Apache-2.0", "m2", "0.370", "int8"):
        assert word in text
    assert ("Mind." if lang == "en" else "注意。") in text
    assert ("torch is missing" if lang == "en" else "缺少 torch") in text
    assert "{" not in text
    assert all(pair.gold in text for pair in report.confused[:10])


def test_the_chinese_report_is_chinese_and_the_english_one_is_not(report):
    chinese = re.compile("[\u4e00-\u9fff]")
    assert not chinese.search(describe(report, "en"))
    prose = [line for line in describe(report, "zh").splitlines() if line and not line.startswith("|")]
    assert all(chinese.search(line) for line in prose)


def test_the_weakest_classes_come_first_and_tables_survive_any_label(report):
    text = describe(report, "en")
    weakest = min(report.per_class, key=lambda c: c.f1.value).label
    assert text.index(f"| {weakest} |") == min(text.index(f"| {c.label} | {c.n_examples}") for c in report.per_class)
    odd = ClassMetrics.model_validate(report.per_class[0].model_dump() | {"label": "a|b\nc", "n_examples": 1})
    pair = ConfusedPair(gold="", predicted="a|b\nc", count=1)
    broken = describe(report.model_copy(update={"per_class": (odd,), "confused": (pair,)}), "en")
    assert "| a\\|b c | 1 |" in broken
    assert "| (no label) | a\\|b c | 1 |  |" in broken


def test_the_champion_is_named_with_what_was_fixed_and_broken():
    import numpy as np

    from tests.evaluate.made import LABELS, drawn
    from tests.evaluate.test_judge import OPEN

    logits, _ = drawn(300, rng=np.random.default_rng(0))
    noisy = logits + np.random.default_rng(1).normal(scale=2, size=logits.shape).astype(np.float32)
    report = report_of(judged(champion=ChampionView("m1", LABELS, noisy, 1.0, OPEN)))
    for lang, fixed in (("en", "{} fixed, {} broken"), ("zh", "改对 {} 条，改错 {} 条")):
        text = describe(report, lang)
        assert fixed.format(report.comparison.n_fixed, report.comparison.n_broken) in text
        assert "m1" in text
        assert "p < 0.001" in text


def test_a_report_that_hands_everything_over_says_it_in_words():
    found = judged()
    none = found.thresholds.model_copy(update={"answer": 1.0, "expected_answer_rate": 0.0, "guaranteed": False})
    assert "Hands every message to a person" in describe(report_of(found, thresholds=none), "en")
    assert "所有消息都转人工" in describe(report_of(found, thresholds=none), "zh")


def test_warnings_write_numbers_the_way_people_do():
    warnings = Warnings()
    warnings.add("no_holdout_row", n=7, n_classes=1500, names=list("abcdefg"))
    warnings.add("hand_over_all", limit=0.125)
    assert warnings.en[0] == (
        "7 of 1,500 classes have no message in the holdout, so nothing is known about them: a, b, c, d, e and 2 more."
    )
    assert "a、b、c、d、e 等，另有 2 个" in warnings.zh[0]
    assert "12.5 %" in warnings.en[1]
    assert "12.5%" in warnings.zh[1]


@pytest.mark.parametrize(
    ("lang", "rows", "share"),
    [
        ("en", ["0 (as set)", "done", "given up", "stopped", "failed"], "epochs 75 %, learning_rate 25 %"),
        ("zh", ["0 （现有设置）", "完成", "放弃", "提前停止", "失败"], "epochs 75%, learning_rate 25%"),
    ],
)
def test_a_search_is_told_trial_by_trial_with_the_best_so_far(lang, rows, share):
    states = (("done", 0.5), ("pruned", 0.3), ("done", 0.4), ("stopped", None), ("failed", None))
    trials = tuple(
        SearchTrial(number=n, is_given=n == 0, params={"learning_rate": 1e-4}, status=status, log_loss=loss)
        for n, (status, loss) in enumerate(states)
    )
    found = SearchReport(
        study="0123",
        method="tpe",
        n_asked=9,
        n_done=2,
        n_pruned=1,
        n_failed=1,
        best=2,
        trials=trials,
        importances={"learning_rate": 0.25, "epochs": 0.75},
    )
    text = describe(report_of(judged(), search=found), lang)
    assert all(word in text for word in rows)
    assert share in text
    history = [line.split(" | ") for line in text.splitlines() if "learning_rate=0.0001" in line]
    assert [(cells[2], cells[3]) for cells in history] == [
        ("0.5000", "0.5000"),
        ("0.3000", "0.5000"),  # judged on fewer folds: no best
        ("0.4000", "0.4000"),
        ("–", "0.4000"),
        ("–", "0.4000"),
    ]
    assert describe(report_of(judged()), lang).count("fANOVA") == 0
