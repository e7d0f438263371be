"""Two models side by side over HTTP, by the command line and in Python: the same, and what the report says."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from feilun.cli import app
from feilun.project import Project
from tests.projects import answer_otherwise


@pytest.fixture
def pair(project: Project) -> tuple[str, str]:
    """The champion, and the challenger of whose report it is a part."""
    champion = str(project.get_model()["model_id"])
    return champion, next(row["model_id"] for row in project.list_models() if row["model_id"] != champion)


def test_against_the_champion_of_its_day_a_model_has_the_figures_of_its_report(project, pair):
    champion, challenger = pair
    assert project.compare_models(champion, challenger).test == project.report(challenger).comparison


def test_the_three_doors_show_the_same_flips(client, project, pair):
    champion, challenger = pair
    answer_otherwise(project.store.judged_path(challenger), every=2)
    at = f"/v1/projects/support/models/{champion}/compare/{challenger}"
    whole = client.get(at, params={"limit": 1000}).json()
    counts = {kind: [one["kind"] for one in whole["flips"]].count(kind) for kind in ("fixed", "broken", "changed")}
    test = whole["test"]
    assert counts == {"fixed": test["n_fixed"], "broken": test["n_broken"], "changed": whole["n_changed"]}
    assert counts["broken"] > 0 and whole["n_found"] == sum(counts.values())
    assert {one["model_id"]: one["size_mb"] for one in (whole["old"], whole["new"])} == {
        model_id: project.report(model_id).parity.size_mb for model_id in pair
    }

    gold = next(one["gold"][0] for one in whole["flips"] if one["kind"] == "broken")
    wanted = {"kind": "broken", "gold": gold, "limit": 1}
    page = client.get(at, params=wanted).json()
    of_both = [one for one in whole["flips"] if one["kind"] == "broken" and one["gold"] == [gold]]
    assert (page["flips"], page["n_found"]) == (of_both[:1], len(of_both))
    assert page == project.compare_models(champion, challenger, **wanted).model_dump(mode="json")

    place = ["--project", str(project.folder)]
    asked = ["model", "compare", champion, challenger, *place, "--kind", "broken", "--gold", gold, "--limit", "1"]
    assert json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout) == page
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0 and page["flips"][0]["text"] in shown.stdout and champion in shown.stdout


def test_what_cannot_be_compared_says_why(client, project, pair):
    champion, challenger = pair
    at = f"/v1/projects/support/models/{champion}/compare"
    none = client.get(f"{at}/m_none")
    assert none.status_code == 404
    assert client.get(f"{at}/{challenger}", params={"kind": "better"}).status_code == 422
    project.store.judged_path(challenger).unlink()
    refused = client.get(f"{at}/{challenger}")
    assert (refused.status_code, refused.json()["code"]) == (404, "evaluate.rows_not_kept")
    assert refused.json()["fields"] == {"model_id": challenger}
