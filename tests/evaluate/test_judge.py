import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from feilun.config import EvaluateSettings
from feilun.evaluate import ChampionView, ValidationArrays
from feilun.evaluate.advice import TEXTS
from feilun.evaluate.errors import HoldoutEmpty, NotFinite, ShapeMismatch
from feilun.records import Thresholds
from tests.evaluate.made import LABELS, SETTINGS, classify, drawn, examples, judged, validation

OPEN = Thresholds(answer=0.0, max_error_rate=0.05, expected_answer_rate=1.0, expected_error_rate=0.2)


def champion(logits, labels=LABELS, **changes):
    fields = {"model_id": "m1", "labels": labels, "holdout_logits": logits, "temperature": 1.0, "thresholds": OPEN}
    return ChampionView(**(fields | changes))


def warned(judgement, key):
    """Whether the warning `key` was given, in both languages at the same place."""
    assert len(judgement.warnings_en) == len(judgement.warnings_zh)
    starts = [text.split("{")[0] for text in TEXTS[key]]
    middles = [max(text.replace("}", "{").split("{")[::2], key=len) for text in TEXTS[key]]
    hits = [
        [i for i, said in enumerate(warnings) if said.startswith(start) and middle in said]
        for warnings, start, middle in zip((judgement.warnings_en, judgement.warnings_zh), starts, middles, strict=True)
    ]
    assert hits[0] == hits[1]
    return bool(hits[0])


def test_every_metric_is_the_reference_s_with_an_error_bar_around_it():
    rng = np.random.default_rng(0)
    logits, gold = drawn(300, rng=rng)
    found = judged()
    assert list(found.metrics) == ["accuracy", "macro_f1", "micro_f1", "roc_auc"]
    assert found.metrics["accuracy"].value == pytest.approx((logits.argmax(axis=1) == gold).mean())
    assert found.metrics["macro_f1"].value == pytest.approx(f1_score(gold, logits.argmax(axis=1), average="macro"))
    calibrated = classify().probs(logits, temperature=found.calibration.temperature)
    one_vs_rest = [roc_auc_score(gold == c, calibrated[:, c]) for c in range(4)]
    assert found.metrics["roc_auc"].value == pytest.approx(np.mean(one_vs_rest))
    assert found.metrics["micro_f1"] == found.metrics["accuracy"]  # one label per message: the same figure
    for interval in found.metrics.values():
        assert 0 < interval.low < interval.value < interval.high < 1
        assert interval.level == SETTINGS.confidence_level


def test_the_same_arguments_give_the_same_judgement_and_the_order_of_rows_changes_no_figure():
    assert judged() == judged()
    rng = np.random.default_rng(0)
    logits, gold = drawn(300, rng=rng)
    order = np.random.default_rng(1).permutation(300)
    rows = examples([(LABELS[g],) for g in gold])
    shuffled = judged(holdout=[rows[i] for i in order], holdout_logits=logits[order])
    straight = judged()
    assert {k: v.value for k, v in shuffled.metrics.items()} == pytest.approx(
        {k: v.value for k, v in straight.metrics.items()}
    )
    assert shuffled.per_class == straight.per_class
    assert shuffled.thresholds == straight.thresholds
    assert [b.n_examples for b in shuffled.calibration.bins] == [b.n_examples for b in straight.calibration.bins]


def test_calibration_brings_confidence_closer_to_accuracy():
    rng = np.random.default_rng(2)
    logits, gold = drawn(1500, rng=rng)
    arrays = validation(800, rng=rng)
    found = judged(
        holdout=examples([(LABELS[g],) for g in gold]),
        holdout_logits=logits * 6,
        validation=ValidationArrays(arrays.logits * 6, arrays.targets),
    ).calibration
    assert found.temperature > 3
    assert found.ece_after.high < found.ece_before
    assert sum(b.n_examples for b in found.bins) == 1500
    assert (found.n_examples, found.source) == (800, "out_of_fold")


def test_what_is_answered_on_the_holdout_is_told_as_it_is():
    rng = np.random.default_rng(3)
    logits, gold = drawn(400, rng=rng)
    found = judged(
        holdout=examples([(LABELS[g],) for g in gold]),
        holdout_logits=logits,
        settings=EvaluateSettings(max_error_rate=0.2, n_bootstrap=200),
    )
    task = classify()
    probs = task.probs(logits, temperature=found.calibration.temperature)
    answers = [task.answer(row, LABELS, found.thresholds) for row in probs]
    answered = [(a.label, LABELS[g]) for a, g in zip(answers, gold, strict=True) if a.decision == "answer"]
    assert found.thresholds.expected_answer_rate == len(answered) / 400
    assert found.thresholds.expected_error_rate == pytest.approx(np.mean([a != g for a, g in answered]))
    assert found.thresholds.max_error_rate == 0.2


def test_a_holdout_label_that_training_never_saw_can_only_be_wrong():
    rng = np.random.default_rng(4)
    logits, gold = drawn(200, rng=rng)
    targets = [(LABELS[g],) for g in gold]
    targets[:50] = [("brand_new",)] * 50
    found = judged(holdout=examples(targets), holdout_logits=logits)
    right = (logits.argmax(axis=1) == gold)[50:].sum()
    assert found.metrics["accuracy"].value == pytest.approx(right / 200)
    newcomer = next(c for c in found.per_class if c.label == "brand_new")
    assert (newcomer.n_examples, newcomer.recall.value) == (50, 0)
    assert warned(found, "unknown_labels")
    assert any("brand_new" in warning and "50" in warning for warning in found.warnings_zh)


def test_the_champion_is_tested_on_the_same_rows_even_with_other_classes():
    rng = np.random.default_rng(5)
    logits, gold = drawn(300, rng=rng)
    rows = examples([(LABELS[g],) for g in gold])
    fewer = logits[:, [3, 1]]  # it knows two of the four classes, in another order, and sees the same evidence
    found = judged(holdout=rows, holdout_logits=logits, champion=champion(fewer, ("refund", "cash"))).comparison
    champion_right = np.where(fewer.argmax(axis=1) == 0, 3, 1) == gold
    challenger_right = logits.argmax(axis=1) == gold
    assert found.champion == pytest.approx(champion_right.mean())
    assert found.challenger == pytest.approx(challenger_right.mean())
    assert found.n_fixed == (challenger_right & ~champion_right).sum()
    assert found.n_broken == (champion_right & ~challenger_right).sum()
    assert (found.champion_id, found.n_rows) == ("m1", 300)
    assert found.p_value < 1e-6


def test_a_champion_class_that_was_given_up_is_only_a_wrong_answer():
    rng = np.random.default_rng(6)
    logits, gold = drawn(100, rng=rng)
    wider = np.column_stack([logits, np.full(100, 99, dtype=np.float32)])  # always answers a class that is gone
    found = judged(
        holdout=examples([(LABELS[g],) for g in gold]),
        holdout_logits=logits,
        champion=champion(wider, (*LABELS, "gone")),
    ).comparison
    assert (found.champion, found.n_broken) == (0, 0)


def test_a_model_is_no_better_than_itself():
    rng = np.random.default_rng(0)
    logits, _ = drawn(300, rng=rng)
    found = judged(champion=champion(logits, temperature=2.0)).comparison
    assert (found.n_fixed, found.n_broken, found.p_value, found.difference.value) == (0, 0, 1.0, 0.0)


def outside_case(n_learnt, n_held):
    rng = np.random.default_rng(7)
    logits, gold = drawn(300, rng=rng, signal=6.0)
    logits[:n_held] = rng.normal(scale=0.3, size=(n_held, 4))
    targets = [("other",)] * n_held + [(LABELS[g],) for g in gold[n_held:]]
    return judged(
        task=classify(out_of_scope_label="other"),
        validation=validation(600, rng=rng, signal=6.0, n_outside=n_learnt),
        holdout=examples(targets),
        holdout_logits=logits,
        settings=EvaluateSettings(max_error_rate=0.2, n_bootstrap=200),
    )


def test_out_of_scope_messages_are_told_apart_and_never_count_as_right():
    found = outside_case(n_learnt=100, n_held=60)
    assert found.thresholds.out_of_scope is not None
    assert found.out_of_scope.n_examples == 60
    assert found.out_of_scope.auroc.value > 0.8
    assert found.out_of_scope.recall > 0.7
    assert found.out_of_scope.in_scope_accuracy <= found.metrics["accuracy"].value
    assert sum(c.n_examples for c in found.per_class) == 240
    assert "other" not in {c.label for c in found.per_class}


def test_out_of_scope_that_was_never_learnt_is_said_and_not_guessed():
    found = outside_case(n_learnt=2, n_held=60)
    assert (found.thresholds.out_of_scope, found.out_of_scope) == (None, None)
    assert warned(found, "scope_not_learnt")
    assert outside_case(n_learnt=100, n_held=0).out_of_scope is None
    assert warned(outside_case(n_learnt=100, n_held=0), "scope_not_judged")


def test_several_labels_per_message_are_judged_with_their_own_threshold():
    rng = np.random.default_rng(8)

    def several(n):
        gold = rng.random((n, 4)) < 0.35
        return (2.5 * gold - 2.5 + rng.normal(size=(n, 4))).astype(np.float32), gold

    logits, gold = several(300)
    known, known_gold = several(500)
    found = judged(
        task=classify(multi_label=True),
        holdout=examples([tuple(label for label, on in zip(LABELS, row, strict=True) if on) for row in gold]),
        holdout_logits=logits,
        validation=ValidationArrays(known, known_gold.astype(np.float32)),
    )
    assert found.thresholds.label != 0.5
    probs = classify(multi_label=True).probs(logits, temperature=found.calibration.temperature)
    given = probs >= found.thresholds.label
    assert found.metrics["accuracy"].value == pytest.approx((given == gold).all(axis=1).mean())
    assert found.metrics["micro_f1"].value == pytest.approx(f1_score(gold, given, average="micro"))
    assert found.metrics["micro_f1"].low < found.metrics["micro_f1"].value < found.metrics["micro_f1"].high
    assert any(pair.predicted == "" for pair in found.confused)


def test_a_model_of_one_class_and_a_holdout_of_one_row_are_judged_too():
    found = judged(
        labels=("card",),
        validation=ValidationArrays(np.zeros((3, 1), np.float32), np.ones((3, 1), np.float32)),
        holdout=examples([("card",)]),
        holdout_logits=np.zeros((1, 1), np.float32),
    )
    assert found.metrics["accuracy"].value == 1
    assert found.metrics["accuracy"].low < 0.3
    assert "roc_auc" not in found.metrics
    assert warned(found, "small_holdout")
    assert warned(found, "few_validation")


def test_without_out_of_fold_rows_nothing_is_answered_and_the_report_says_why():
    nothing = ValidationArrays(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32))
    found = judged(validation=nothing)
    assert (found.calibration.source, found.calibration.temperature) == ("none", 1.0)
    assert (found.thresholds.answer, found.thresholds.guaranteed) == (1.0, False)
    assert found.thresholds.expected_answer_rate == 0
    assert warned(found, "no_validation")
    assert not warned(found, "hand_over_all")


def test_a_hopeless_model_hands_over_and_says_so():
    rng = np.random.default_rng(9)
    found = judged(validation=validation(400, rng=rng, signal=0.0))
    assert found.thresholds.guaranteed is False
    assert warned(found, "hand_over_all")


def test_too_few_rows_for_a_promise_are_named():
    rng = np.random.default_rng(10)
    found = judged(validation=validation(60, rng=rng, signal=6.0))
    assert found.thresholds.guaranteed is False
    assert found.thresholds.answer < 1
    assert warned(found, "best_effort")


def test_a_holdout_unlike_the_training_messages_is_noticed():
    rng = np.random.default_rng(11)
    logits, gold = drawn(300, rng=rng)
    found = judged(
        validation=validation(800, rng=rng, signal=9.0),
        holdout=examples([(LABELS[(g + 1) % 4],) for g in gold]),
        holdout_logits=logits * 3,
    )
    assert warned(found, "limit_missed")
    assert found.thresholds.guaranteed is False  # though the out-of-fold rows alone would have promised it


def test_rows_without_a_label_and_classes_without_a_row_are_named():
    rng = np.random.default_rng(12)
    logits, gold = drawn(200, rng=rng)
    targets = [None if g == 3 else (LABELS[g],) for g in gold]
    found = judged(holdout=examples(targets), holdout_logits=logits)
    assert sum(c.n_examples for c in found.per_class) == (gold != 3).sum()
    assert warned(found, "unlabelled_holdout")
    assert warned(found, "no_holdout_row")
    assert any("refund" in warning for warning in found.warnings_en)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"holdout": [], "holdout_logits": np.zeros((0, 4), np.float32)}, HoldoutEmpty),
        ({"holdout": examples([None]), "holdout_logits": np.zeros((1, 4), np.float32)}, HoldoutEmpty),
        ({"holdout_logits": np.zeros((300, 3), np.float32)}, ShapeMismatch),
        ({"holdout_logits": np.full((300, 4), np.nan, np.float32)}, NotFinite),
        ({"champion": champion(np.zeros((299, 4), np.float32))}, ShapeMismatch),
        ({"champion": champion(np.full((300, 4), np.inf, np.float32))}, NotFinite),
        ({"validation": ValidationArrays(np.zeros((5, 4)), np.zeros((4, 4)))}, ShapeMismatch),
        ({"validation": ValidationArrays(np.zeros((5, 4)), np.zeros((5, 4)), np.zeros(4, bool))}, ShapeMismatch),
        ({"holdout_embeddings": np.zeros((299, 8), np.float32)}, ShapeMismatch),
        ({"holdout_embeddings": np.full((300, 8), np.nan, np.float32)}, NotFinite),
    ],
    ids=[
        "no row",
        "no label",
        "classes",
        "nan",
        "champion rows",
        "champion inf",
        "targets",
        "mask",
        "embeddings",
        "nan embedding",
    ],
)
def test_arrays_that_cannot_be_judged_are_refused(changes, error):
    with pytest.raises(error) as caught:
        judged(**changes)
    assert caught.value.message("en") != caught.value.message("zh")
