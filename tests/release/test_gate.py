import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feilun.config import GoalSettings
from feilun.records import (
    BackboneInfo,
    Calibration,
    Comparison,
    Interval,
    ParityReport,
    ReliabilityBin,
    Report,
    Thresholds,
)
from feilun.release import ComparisonMissing, UnknownGoalMetric, decide
from feilun.release.gate import TEXTS


def interval(value, low=0.0, high=1.0):
    return Interval(value=value, low=low, high=high)


def comparison(**changes):
    fields = {
        "champion_id": "m1",
        "metric": "accuracy",
        "champion": 0.793,
        "challenger": 0.841,
        "difference": interval(0.048, 0.02, 0.07),
        "n_fixed": 71,
        "n_broken": 23,
        "p_value": 3e-7,
        "n_rows": 1000,
    }
    return Comparison(**(fields | changes))


def report(**changes):
    fields = {
        "model_id": "m2",
        "dataset_id": "d",
        "config_hash": "c",
        "code_version": "0",
        "seed": 0,
        "created_at": datetime(2026, 11, 1, tzinfo=UTC),
        "task": "classify",
        "n_train": 10,
        "n_holdout": 1040,
        "n_classes": 2,
        "metrics": {"accuracy": interval(0.841), "macro_f1": interval(0.82)},
        "calibration": Calibration(
            temperature=1,
            ece_before=0.1,
            ece_after=interval(0.05),
            bins=(ReliabilityBin(low=0.8, high=1, n_examples=1000, confidence=0.9, accuracy=0.841),),
        ),
        "thresholds": Thresholds(answer=0.5, max_error_rate=0.05, expected_answer_rate=1, expected_error_rate=0),
        "parity": ParityReport(
            n_rows=1,
            float_accuracy=1,
            shipped_accuracy=1,
            agreement=1,
            max_logit_difference=0,
            precision="int8",
            size_mb=23.4,
            float_size_mb=90,
            p50_ms=4,
            p99_ms=12.3,
        ),
        "backbone": BackboneInfo(alias="a", fingerprint="f", source="s", licence="l", languages=("en",)),
    }
    return Report(**(fields | changes))


def test_a_better_challenger_goes_live_with_the_numbers():
    decision = decide(report(comparison=comparison()), GoalSettings(), has_champion=True)
    assert decision.model_dump() == {
        "released": True,
        "reason_code": "better",
        "en": "Released: right on 84.1 % of 1,000 held-out messages, the champion on 79.3 %; "
        "71 fixed, 23 broken, p < 0.001.",
        "zh": "已上线：在 1,000 条留出消息上答对 84.1%，冠军为 79.3%；改对 71 条，改错 23 条，p < 0.001。",
    }


def test_a_difference_that_could_be_chance_does_not_go_live():
    close = comparison(
        champion=0.806,
        challenger=0.81,
        n_fixed=20,
        n_broken=18,
        p_value=0.3776,
        n_rows=500,
        difference=interval(0.004, -0.02, 0.03),
    )
    decision = decide(report(comparison=close), GoalSettings(), has_champion=True)
    assert (decision.released, decision.reason_code) == (False, "not_better")
    assert decision.en == (
        "Not released: 81.0 % against the champion's 80.6 % on 500 messages could be chance "
        "(p = 0.38, needed below 0.05); the champion stays."
    )
    assert "81.0%" in decision.zh
    assert "80.6%" in decision.zh


def test_a_worse_challenger_never_goes_live():
    worse = comparison(
        champion=0.841,
        challenger=0.793,
        n_fixed=23,
        n_broken=71,
        p_value=0.9999,
        difference=interval(-0.048, -0.07, -0.02),
    )
    for significance in (0.05, 0.99999):
        goal = GoalSettings(significance=significance)
        decision = decide(report(comparison=worse), goal, has_champion=True)
        assert (decision.released, decision.reason_code) == (False, "worse")
        assert "71 broken" in decision.en


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0, 1), st.floats(0.001, 0.999))
def test_only_a_challenger_that_is_ahead_and_significant_goes_live(n_fixed, n_broken, p_value, significance):
    found = comparison(n_fixed=n_fixed, n_broken=n_broken, p_value=p_value)
    decision = decide(report(comparison=found), GoalSettings(significance=significance), has_champion=True)
    assert decision.released == (n_fixed > n_broken and p_value < significance)


@pytest.mark.parametrize(
    ("difference", "reason_code"), [(0.01, "smaller"), (-0.02, "smaller"), (-0.021, "lost_too_much")]
)
def test_a_smaller_form_of_the_champion_goes_live_unless_it_gives_up_too_much(difference, reason_code):
    near = comparison(champion=0.841, challenger=0.841 + difference, difference=interval(difference, -0.1, 0.1))
    decision = decide(report(comparison=near), GoalSettings(), has_champion=True, may_lose=0.02)
    assert (decision.released, decision.reason_code) == (reason_code == "smaller", reason_code)
    assert "2.0 %" in decision.en and "2.0%" in decision.zh
    assert not decide(report(comparison=near), GoalSettings(at_least=0.9), has_champion=True, may_lose=0.5).released


def test_equal_models_leave_the_champion_where_it_is():
    equal = comparison(
        champion=0.8, challenger=0.8, n_fixed=0, n_broken=0, p_value=1.0, difference=interval(0, -0.01, 0.01)
    )
    decision = decide(report(comparison=equal), GoalSettings(), has_champion=True)
    assert (decision.released, decision.reason_code) == (False, "not_better")
    assert "could be chance" not in decision.en


def test_the_first_model_goes_live_when_it_reaches_the_goal():
    decision = decide(report(), GoalSettings(at_least=0.841), has_champion=False)
    assert (decision.released, decision.reason_code) == (True, "first_model")
    assert decision.en == "Released as the first model: accuracy 84.1 % on 1,000 held-out messages."


@pytest.mark.parametrize(
    ("goal", "reason_code", "figures"),
    [
        (GoalSettings(at_least=0.85), "goal_missed", ("84.1", "85.0", "1,000")),
        (GoalSettings(metric="macro_f1", at_least=0.83), "goal_missed", ("macro_f1", "82.0", "83.0")),
        (GoalSettings(max_size_mb=20), "size", ("23.4", "20")),
        (GoalSettings(max_p99_ms=10.5), "latency", ("12.3", "10.5")),
    ],
    ids=["metric", "another metric", "size", "latency"],
)
@pytest.mark.parametrize("has_champion", [False, True])
def test_the_goal_is_the_law_with_and_without_a_champion(goal, reason_code, figures, has_champion):
    decision = decide(report(comparison=comparison()), goal, has_champion=has_champion)
    assert (decision.released, decision.reason_code) == (False, reason_code)
    for figure in figures:
        assert figure in decision.en
        assert figure in decision.zh


def test_a_goal_reached_up_to_rounding_is_reached():
    close = report(metrics={"accuracy": interval(0.7 * 0.1)})  # 0.06999999999999999
    assert decide(close, GoalSettings(at_least=0.07), has_champion=False).released


def test_a_goal_on_a_figure_that_is_not_there_names_those_that_are():
    with pytest.raises(UnknownGoalMetric) as caught:
        decide(report(), GoalSettings(metric="acuracy"), has_champion=False)
    assert caught.value.fields == {"metric": "acuracy", "known": ["accuracy", "macro_f1"]}


def test_nothing_goes_live_uncompared_beside_a_champion():
    with pytest.raises(ComparisonMissing):
        decide(report(), GoalSettings(), has_champion=True)


def test_both_languages_say_the_same():
    def figures(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert all(figures(en) == figures(zh) for en, zh in TEXTS.values())
