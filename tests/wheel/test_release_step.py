"""Where the settings say so, a model that the gate lets through begins as a canary."""

from __future__ import annotations

import pytest

from feilun.config import FeilunSettings
from feilun.store import Store
from feilun.wheel.context import TurnContext
from feilun.wheel.steps import step_release
from tests.release.test_gate import comparison, report


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / ".feilun") as opened:
        yield opened


def turn(store: Store, tmp_path, *, share: float, model_id: str, **reported) -> TurnContext:
    settings = FeilunSettings.model_validate({"project": {"name": "support"}, "release": {"canary_share": share}})
    row = store.add_turn("support", settings=settings.model_dump(mode="json"), seed=0, budget_s=1, requested_by="cli")
    told = report(model_id=model_id, **reported).model_dump(mode="json")
    words = {"turn_id": row["turn_id"], "dataset_id": "d"}
    store.add_model("support", model_id=model_id, report=told, size_mb=1.0, **words)
    return TurnContext.load(store, folder=tmp_path, project="support", turn_id=row["turn_id"])


def released(context: TurnContext, model_id: str) -> dict:
    said = step_release(context, {"seal": {"model_id": model_id}})
    context.store.finish_turn("support", context.turn_id, status="done")
    return said


@pytest.mark.parametrize(("share", "action"), [(0.0, "promote"), (0.1, "canary")])
def test_a_better_model_begins_as_the_settings_say(store, tmp_path, share, action):
    released(turn(store, tmp_path, share=share, model_id="m_1"), "m_1")
    assert store.list_releases("support")[0]["action"] == "promote"  # beside nobody there is no canary
    context = turn(store, tmp_path, share=share, model_id="m_2", comparison=comparison(champion_id="m_1"))
    said = released(context, "m_2")
    assert said == step_release(context, {"seal": {"model_id": "m_2"}})  # once more after a crash
    assert (said["released"], said["reason_code"]) == (True, "better")
    entry, first = store.list_releases("support")
    assert (entry["action"], entry["share"], first["model_id"]) == (action, share or None, "m_1")
    assert store.find_champion("support") == ("m_1" if share else "m_2")
    if share:
        assert entry["en"].endswith("It begins as a canary on 10 % of the traffic.")
        assert entry["zh"].endswith("先以灰度方式承接 10% 的流量。")


def test_a_worse_model_begins_as_nothing(store, tmp_path):
    released(turn(store, tmp_path, share=0.1, model_id="m_1"), "m_1")
    worse = comparison(champion_id="m_1", n_fixed=1, n_broken=9, p_value=1.0)
    assert not released(turn(store, tmp_path, share=0.1, model_id="m_2", comparison=worse), "m_2")["released"]
    assert store.find_challenge("support") is None
