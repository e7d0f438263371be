"""A workspace of two tenants: each has a project with a live model and a row of every kind, and one without a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feilun.data.snapshot import make_dataset, write_snapshot
from feilun.models.bundle import publish
from feilun.models.manifest import read_manifest
from feilun.project import Project, Uploads, Workspace, open_projects
from feilun.records import Backbone, Bill, Example, Report, Usage
from feilun.store import Reach, Store, utc_now
from feilun.trust import begin_session
from feilun.wheel.judged import keep_judged, write_judged
from tests.bundles import MESSAGES, make_bundle

OURS, THEIRS = "acme", "globex"
# Stands in every text and name of the other tenant's, so that whatever of theirs is shown can be found.
MARK = "zzforeign"


@dataclass(frozen=True)
class Side:
    """One tenant's ids, by the parameter that takes them; several where a parameter takes several kinds."""

    tenant: str
    project: str
    ids: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Shop:
    """The open workspace with its projects."""

    projects: dict[str, Project]
    workspace: Workspace
    ours: Side
    theirs: Side

    @property
    def store(self) -> Store:
        return self.workspace.store

    def key(self, **wanted: Any) -> str:
        return str(self.workspace.create_key(**{"name": "test"} | wanted)["key"])

    def session(self, *, role: str, tenant: str | None) -> str:
        """The token of a new person who has signed in."""
        person = self.workspace.add_person(f"p{len(self.store.list_people(Reach()))}", role=role, tenant=tenant)
        return begin_session(self.store, person)


def build_shop(root: Path, backbone: Backbone) -> None:
    """Make the workspace in the folder `root`."""
    rows = [f"{text} {n},{label}" for label, texts in MESSAGES.items() for text in texts for n in range(2)]
    with Workspace(root, make=True) as workspace:
        for tenant in (OURS, THEIRS):
            workspace.create_tenant(tenant, name=name_of(tenant, "company"))
    for seed, tenant in enumerate((OURS, THEIRS)):
        folder, bare = root / f"{tenant}-1", root / f"{tenant}-2"
        for one, kind in ((folder, "support"), (bare, "empty")):
            one.mkdir()
            (one / "messages.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
            (one / "feilun.toml").write_text(
                f'[project]\nname = "{name_of(tenant, kind)}"\ntenant = "{tenant}"\n'
                f'[[data.sources]]\npath = "messages.csv"\n[backbone]\nmodel = "dir:{backbone.folder}"\n',
                "utf-8",
            )
        Project(bare).close()
        sealed = root / f"{tenant}-sealed"
        sealed.mkdir()
        model_id, _ = make_bundle(sealed, backbone, seed=seed)
        with Project(folder) as project:
            _fill(project, sealed, model_id=model_id, mark=name_of(tenant, "text"))


def name_of(tenant: str, what: str) -> str:
    return what if tenant == OURS else f"{what}-{MARK}"


def _fill(project: Project, sealed: Path, *, model_id: str, mark: str) -> None:
    store, name = project.store, project.name
    publish(sealed, store.models_dir, model_id)
    turn = str(store.add_turn(name, settings={}, seed=0, budget_s=1, requested_by=mark)["turn_id"])
    report = Report.model_validate_json((store.model_path(model_id) / "report.json").read_text("utf-8"))
    report = report.model_copy(update={"dataset_id": f"ds_{mark}"})
    _keep_examples(store, report, model_id=model_id, mark=mark)
    row = {"report": report.model_dump(mode="json"), "size_mb": 1.0, "dataset_id": report.dataset_id}
    store.add_model(name, model_id=model_id, turn_id=turn, **row)
    store.update_turn(name, turn, dataset_id=report.dataset_id)
    said = {"actor": mark, "reason_code": "by_hand", "en": mark, "zh": mark}
    store.add_release(name, action="promote", model_id=model_id, turn_id=turn, **said)
    store.finish_turn(name, turn, status="failed", error={"code": "x", "en": mark, "zh": mark})
    store.add_compression(
        name, model_id=model_id, asked={"widths": [], "n_layers": [1], "only_show": True}, requested_by=mark
    )
    store.add_event(name, kind="step.done", data={"step": mark}, turn_id=turn)
    store.add_turn_request(name, trigger="hand", note=mark, actor=mark)
    prediction = {
        "prediction_id": f"p_{mark}",
        "project": name,
        "model_id": model_id,
        "inputs": {"text": mark},
        "example_id": f"e_{mark}",
        "labels": ["refund"],
        "confidence": 0.4,
        "decision": "hand_over",
        "reason": "unsure",
        "alternatives": [["refund", 0.4]],
        "teach": 0.5,
        "queue_state": "open",
        "latency_ms": 1.0,
        "created_at": utc_now(),
    }
    store.add_predictions([prediction]).result()
    store.claim(name, [f"e_{mark}"], desk=f"desk_{mark}")
    begun = store.add_release(name, action="shadow", model_id=model_id, share=1.0, **said)
    same = ("prediction_id", "project", "model_id", "labels", "confidence", "decision", "created_at")
    answer = {column: prediction[column] for column in same}
    store.add_shadow_answers([answer | {"release_id": begun["release_id"], "agrees": False}], teach=0.5).result()
    upload = Uploads(store.workspace).begin(f"{mark}.csv", tenant=project.tenant)
    upload.path.write_text("text,label\nwhere is it,delivery\ni want a refund,refund\n", "utf-8")
    Uploads(store.workspace).finish(upload)
    spoken = {"actor": mark, "body_hash": mark, "idempotency_key": f"i_{mark}"}
    desk = project.workspace.add_person("desk", name=mark, role="viewer", tenant=project.tenant)
    store.add_session(Reach(project.tenant), desk["person_id"], token_hash=f"t_{mark}")
    told = {"type": "alert.fired", "timestamp": mark, "data": {"en": mark, "zh": mark}}
    store.change_alert(name, "drift", known=None, becomes=("firing", mark[:40]), payload=told, to=[(mark, "json")])
    sent = store.list_alert_deliveries(name)[0]["delivery_id"]
    store.settle_alert(name, sent, trouble=None, next_at=None)
    store.add_feedback(name, prediction_id=f"p_{mark}", comment=mark, **spoken)
    store.add_outcomes(name, {utc_now(): (1, 0)})
    for scope in (project.tenant, None):
        key = project.workspace.create_key(name=mark, role="viewer", tenant=scope, project=None if scope else name)
        project.workspace.set_limit(key_id=key["key_id"], monthly_requests=1000, actor=mark)
        store.add_usage(Usage(Bill(utc_now(), project.tenant, name, key["key_id"], "read", f"srv_{mark}"), 1)).result()


def _keep_examples(store: Store, report: Report, *, model_id: str, mark: str) -> None:
    """A holdout, and what the model said of it."""
    labels = read_manifest(store.model_path(model_id)).labels
    holdout = [Example(f"h{i}", {"text": f"{mark} {i}"}, (label,), f"{mark}.csv") for i, label in enumerate(labels)]
    dataset = make_dataset(train=[], holdout=holdout, unlabelled=[], labels=labels)
    write_snapshot(dataset, store.dataset_path(report.dataset_id))
    write_judged(store.workspace, np.eye(len(labels)), holdout=dataset.holdout, rows={})
    keep_judged(store, model_id=model_id, folder=store.workspace)


def side_of(store: Store, project: Project) -> Side:
    """The ids of what stands in a project."""
    name, mark = project.name, name_of(project.tenant, "text")
    model_id = str(store.find_champion(name))
    keys = [row["key_id"] for row in store.list_keys(Reach(project.tenant))]
    ids: dict[str, tuple[str, ...]] = {
        "name": (name, name.replace("support", "empty")),
        "project": (name, name.replace("support", "empty")),
        "tenant": (project.tenant,),
        "model": (name, model_id),
        "model_id": (model_id,),
        "new_id": (model_id,),
        "turn_id": (store.list_turns(name)[0]["turn_id"],),
        "compression_id": (store.list_compressions(name)[0]["compression_id"],),
        "prediction_id": (f"p_{mark}",),
        "key_id": tuple(keys),
        "desk": (f"desk_{mark}",),
        "dataset_id": (f"ds_{mark}",),
        "base_id": (f"ds_{mark}",),
        "backup_id": ("bk_" + "0" * 24,),
        "holdout_upload_id": ("up_" + "0" * 24,),
        "upload_id": tuple(one.upload_id for one in Uploads(store.workspace).waiting(tenant=project.tenant)),
        "person_id": tuple(row["person_id"] for row in store.list_people(Reach(project.tenant))),
        "idempotency-key": (f"i_{mark}",),
    }
    return Side(project.tenant, name, ids)


@contextmanager
def open_shop(root: Path) -> Iterator[Shop]:
    with ExitStack() as closing:
        projects = {name: closing.enter_context(project) for name, project in open_projects(root).items()}
        first = projects["support"]
        theirs = projects[name_of(THEIRS, "support")]
        workspace = first.workspace
        yield Shop(projects, workspace, side_of(workspace.store, first), side_of(workspace.store, theirs))
