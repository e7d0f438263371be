"""Datasets over HTTP and on the command line: listed, and compared page by page."""

from __future__ import annotations

from pathlib import Path

import httpx

from feilun.data import read_snapshot, write_snapshot
from feilun.data.snapshot import make_dataset
from feilun.project import Project
from feilun.records import Example
from tests.cli.conftest import Run, run  # noqa: F401

AT = "/v1/projects/support/datasets"


def next_turn(project: Project) -> str:
    """The dataset of one more turn: a row is gone, one has another label, and three are new."""
    last = read_snapshot(project.store.dataset_path(project.list_datasets()[0]["dataset_id"]))
    first, second, *rest = last.train
    relabelled = Example(second.example_id, second.inputs, ("other",), second.source)
    new = [Example(f"e_new{n}", {"text": f"new {n}"}, ("other",), "more.csv") for n in range(3)]
    train = [relabelled, *rest, *new]
    labels = tuple(sorted({*last.labels, "other"}))
    made = make_dataset(train=train, holdout=list(last.holdout), unlabelled=list(last.unlabelled), labels=labels)
    write_snapshot(made, project.store.dataset_path(made.dataset_id))
    turn = project.store.add_turn("support", settings={}, seed=0, budget_s=1, requested_by="ann")
    project.store.update_turn("support", turn["turn_id"], dataset_id=made.dataset_id)
    assert first.example_id not in {one.example_id for one in made.train}
    return made.dataset_id


def test_what_changed_is_counted_and_paged(client: httpx.Client, project: Project):
    (first,) = client.get(AT).json()["datasets"]  # two turns learnt from the same data
    assert len(first["turn_ids"]) == 2 and first["n_train"] > 0 and first["n_classes"] > 1
    new = next_turn(project)
    assert [one["dataset_id"] for one in client.get(AT).json()["datasets"]] == [new, first["dataset_id"]]
    told = client.get(f"{AT}/{new}/changes").json()
    assert told["base_id"] == first["dataset_id"]
    assert told["counts"] == {"added": 3, "removed": 1, "relabelled": 1, "moved": 0}
    assert told["classes"][0] == {"label": "other", "n_before": 0, "n_after": 4}
    page = client.get(f"{AT}/{new}/changes", params={"kind": "added", "limit": 2}).json()
    assert (page["n_found"], len(page["rows"]), page["next_after"]) == (3, 2, 2)
    rest = client.get(f"{AT}/{new}/changes", params={"kind": "added", "limit": 2, "after": 2}).json()
    assert [one["inputs"]["text"] for one in page["rows"] + rest["rows"]] == ["new 0", "new 1", "new 2"]
    assert rest["next_after"] is None
    back = client.get(f"{AT}/{first['dataset_id']}/changes", params={"base_id": new}).json()
    assert back["counts"] == {"added": 1, "removed": 3, "relabelled": 1, "moved": 0}
    beginning = client.get(f"{AT}/{first['dataset_id']}/changes").json()
    assert beginning["base_id"] is None and beginning["counts"]["removed"] == 0
    for path in (f"{AT}/ds_none/changes", f"{AT}/{new}/changes?base_id=ds_none"):
        assert (client.get(path).status_code, client.get(path).json()["code"]) == (404, "data.dataset_unknown")


def test_a_snapshot_that_is_gone_is_listed_without_counts_and_cannot_be_compared(
    client: httpx.Client, project: Project
):
    new = next_turn(project)
    project.store.dataset_path(new).unlink()
    assert client.get(AT).json()["datasets"][0]["n_train"] is None
    refused = client.get(f"{AT}/{new}/changes")
    assert (refused.status_code, refused.json()["code"]) == (422, "data.snapshot_damaged")


def test_the_command_line_says_the_same(project: Project, folder: Path, run: Run):  # noqa: F811
    new = next_turn(project)
    assert run("data", "show", folder, "--json").json[0]["dataset_id"] == new
    said = run("data", "changes", folder, "--kind", "relabelled")
    assert said.exit_code == 0 and "3 rows added, 1 removed, 1 relabelled" in said.out and "→ other" in said.out
    assert run("data", "changes", folder, "--dataset", "ds_none").exit_code == 2
