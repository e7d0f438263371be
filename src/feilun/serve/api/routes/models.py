"""Projects, their models, and which of those answers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.project import Project
from feilun.records import Report
from feilun.serve.api.house import House
from feilun.serve.api.problems import lacks
from feilun.serve.api.routing import InProject, InWorkspace, ProjectVisit, Routes, Visit, send
from feilun.serve.api.shapes import (
    ModelList,
    ModelRow,
    ProjectList,
    ProjectReply,
    ReleaseList,
    ReleaseRequest,
    ReleaseRow,
)
from feilun.serve.api.traffic_shapes import TrafficReply
from feilun.store import state_of

routes = Routes("models")
Reading = Annotated[ProjectVisit, Depends(InProject("read"))]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most rows, latest first.")]


@routes("GET", "/v1/projects", summary="List the projects.", reply=ProjectList)
async def list_projects(visit: Annotated[Visit, Depends(InWorkspace("read"))]) -> Response:
    """Those that the key may know of."""
    house, known = visit.house, visit.known_projects()
    return send({"projects": await house.read(lambda: [project_row(p, house=house) for p in known])})


@routes("GET", "/v1/projects/{name}", summary="See one project.", reply=ProjectReply)
async def get_project(visit: Reading) -> Response:
    """What it knows, who answers, what goes on."""
    project, house = visit.project, visit.house

    def look() -> dict[str, Any]:
        running = project.store.find_unfinished_turn(project.name)
        last = project.store.find_last_turn(project.name)
        learnt_to = int(last["last_feedback_seq"]) if last else 0
        return project_row(project, house=house) | {
            "traffic": project.store.count_traffic(project.name),
            "n_new_labels": project.store.count_corrections(project.name, after=learnt_to),
            "turn_id": running["turn_id"] if running else None,
            "turn_is_paused": running is not None and state_of(running) == "paused",
            "turn_is_requested": project.store.find_turn_request(project.name) is not None,
        }

    return send(await house.read(look))


@routes("GET", "/v1/projects/{name}/models", summary="List the models.", reply=ModelList, problems=(422,))
async def list_models(visit: Reading, limit: Limit = 100) -> Response:
    """Every model that a turn sealed, live or not."""
    project = visit.project

    def look() -> list[dict[str, Any]]:
        champion = project.store.find_champion(project.name)
        return [_model(row, champion=champion) for row in project.list_models(limit=limit)]

    return send({"models": await visit.house.read(look)})


@routes("GET", "/v1/projects/{name}/models/{model_id}", summary="See one model.", reply=ModelRow)
async def get_model(visit: Reading, model_id: str) -> Response:
    """Where it came from and how good it is."""
    project = visit.project

    def look() -> dict[str, Any]:
        return _model(project.get_model(model_id), champion=project.store.find_champion(project.name))

    return send(await visit.house.read(look))


@routes("GET", "/v1/projects/{name}/models/{model_id}/report", summary="Read a model's report.", reply=Report)
async def get_report(visit: Reading, model_id: str) -> Response:
    """Everything that is known about a model, written before it could go live."""
    row = await visit.house.read(visit.project.get_model, model_id)
    return send(row["report"])


@routes("GET", "/v1/projects/{name}/releases", summary="Read the release log.", reply=ReleaseList, problems=(422,))
async def list_releases(visit: Reading, limit: Limit = 100) -> Response:
    """Promotions, roll-backs, rejections, shadows and canaries, each with its reason."""
    rows = await visit.house.read(visit.project.list_releases, limit=limit)
    return send({"releases": [_release(row, lang=visit.lang) for row in rows]})


@routes(
    "POST",
    "/v1/projects/{name}/releases",
    summary="Promote a model, roll back, begin or stop a shadow or canary.",
    reply=ReleaseRow,
    status=201,
    problems=(409, 507),
)
async def add_release(visit: Annotated[ProjectVisit, Depends(InProject("admin"))], body: ReleaseRequest) -> Response:
    """`{"action": "promote", "model_id": "…"}` or `{"action": "rollback"}`. No request is dropped meanwhile. A model
    that misses the goal needs `override`, a `reason` and somebody who decides: the key's name, or `actor`. `shadow` and
    `canary` let a model answer a share of the traffic, unseen or for real; `stop` ends either. Every release ends the
    shadow or canary before it."""
    is_named = visit.caller.key is not None or bool(body.actor.strip())
    actor = visit.caller.name if visit.caller.key is not None else body.actor.strip() or visit.caller.name
    may_override = body.override and is_named
    row = await visit.house.read(_act, visit.project, body, actor=actor, override=may_override, lang=visit.lang)
    return send(_release(row, lang=visit.lang), status=201)


@routes(
    "GET",
    "/v1/projects/{name}/traffic",
    summary="See which models answer, and how they compare.",
    reply=TrafficReply,
    problems=(422,),
)
async def get_traffic(
    visit: Reading,
    limit: Annotated[int, Query(ge=0, le=1000, description="Most messages that a shadow answered otherwise.")] = 20,
) -> Response:
    """Champion and challenger side by side: what a canary did with its share and what the guard makes of it, or how
    often a shadow agreed, where it did not, and who was right."""
    seen = await visit.house.read(visit.project.traffic, limit=limit)
    shown = seen.model_dump(exclude={"en", "zh", "trouble_en", "trouble_zh"})
    words = (seen.zh, seen.trouble_zh) if visit.lang == "zh" else (seen.en, seen.trouble_en)
    return send(shown | {"reason": words[0], "trouble": words[1] or None})


def _act(project: Project, body: ReleaseRequest, *, actor: str, override: bool, lang: str) -> dict[str, Any]:
    said: dict[str, Any] = {"actor": actor, "reason": body.reason}
    if body.action == "rollback":
        return project.rollback(**said)
    if body.action == "stop":
        return project.stop(**said)
    if body.model_id is None:
        raise lacks("model_id", lang=lang)
    if body.action == "promote":
        return project.promote(body.model_id, **said, override=override)
    if body.share is not None:
        said["share"] = body.share
    if body.action == "shadow":
        return project.shadow(body.model_id, **said)
    return project.canary(body.model_id, **said, override=override)


def project_row(project: Project, *, house: House) -> dict[str, Any]:
    """What is told of a project in one line."""
    champion = project.store.find_champion(project.name)
    return {
        "name": project.name,
        "task": project.settings.task.type,
        "language": project.settings.project.language,
        "is_multi_label": project.settings.task.multi_label,
        "is_ready": house.why_not_ready(project) is None,
        "champion": champion,
        "labels": project.labels() if champion else (),
    }


def _model(row: dict[str, Any], *, champion: str | None) -> dict[str, Any]:
    metrics = {name: interval["value"] for name, interval in row["report"].get("metrics", {}).items()}
    kept = ("model_id", "turn_id", "dataset_id", "size_mb", "created_at")
    return {name: row[name] for name in kept} | {"metrics": metrics, "is_champion": row["model_id"] == champion}


def _release(row: dict[str, Any], *, lang: str) -> dict[str, Any]:
    shown = {name: row[name] for name in ReleaseRow.model_fields if name != "reason"}
    return shown | {"reason": row["zh" if lang == "zh" else "en"]}
