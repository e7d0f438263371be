"""Files of messages: handed over, looked at, made a project of, added to one."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
from fastapi import Depends, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from feilun.data import look_at
from feilun.project import FoundingElsewhere, Project, Upload, Uploads, found_project, sample_path
from feilun.records import DataReport
from feilun.serve.api.data_shapes import DataRequest, MachineReply, ProjectRequest, SourceRow, UploadReply
from feilun.serve.api.errors import BodyTooSlow, UploadTooLarge
from feilun.serve.api.guard import BODY_WITHIN_S
from feilun.serve.api.house import Gone, Grounds
from feilun.serve.api.problems import explain, lacks
from feilun.serve.api.routes.models import project_row
from feilun.serve.api.routing import ForOperator, InProject, InTenant, InWorkspace, ProjectVisit, Routes, Visit, send
from feilun.serve.api.shapes import ProjectRow
from feilun.store import HOUSE
from feilun.trust import reach_of

routes = Routes("data")
Handing = Annotated[Visit, Depends(InTenant("admin"))]
Column = Annotated[str | None, Query(min_length=1, max_length=500, description="Its name; absent: as recognised.")]
MOST_LABELS = 1000
ANY_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
RAW = {"requestBody": {"required": True, "content": ANY_BYTES}}


@routes(
    "POST",
    "/v1/uploads",
    summary="Hand over a file of messages.",
    reply=UploadReply,
    status=201,
    problems=(409, 507),
    extra=RAW,
)
async def upload(
    request: Request,
    visit: Handing,
    filename: Annotated[str, Query(min_length=1, max_length=500, description="What you call it, such as may.csv.")],
) -> Response:
    """The body is the file: CSV, TSV, JSONL, Excel or Parquet, up to [serve] max_upload_mb. Tells what it seems to
    hold. Nothing is made of it yet; a file that nothing is made of is removed after a day."""
    uploads = _uploads(visit)
    begun = await visit.house.read(uploads.begin, filename, tenant=_own(visit) or HOUSE)
    try:
        await _receive(request, begun, most=int(visit.house.settings.max_upload_mb * 1_000_000))
        done = await visit.house.read(uploads.finish, begun)
        return send(await _look(visit, done), status=201)
    except BaseException:
        uploads.remove(begun)
        raise


@routes(
    "GET", "/v1/uploads/{upload_id}", summary="Look at a file that waits.", reply=UploadReply, problems=(404, 409, 422)
)
async def look_at_upload(visit: Handing, upload_id: str, text: Column = None, label: Column = None) -> Response:
    """Its first rows and what it seems to hold, with these columns or those that are recognised."""
    found = await visit.house.read(_uploads(visit).get, upload_id, tenant=_own(visit))
    return send(await _look(visit, found, text=text, label=label))


@routes(
    "DELETE",
    "/v1/uploads/{upload_id}",
    summary="Remove a file that waits.",
    reply=None,
    status=204,
    problems=(404, 409),
)
async def remove_upload(visit: Handing, upload_id: str) -> Response:
    """Nothing was made of it."""
    uploads = _uploads(visit)
    found = await visit.house.read(uploads.get, upload_id, tenant=_own(visit))
    await visit.house.read(uploads.remove, found)
    return Response(status_code=204)


@routes(
    "POST", "/v1/projects", summary="Make a project of a file.", reply=ProjectRow, status=201, problems=(404, 409, 507)
)
async def create_project(visit: Annotated[Visit, Depends(ForOperator("admin"))], body: ProjectRequest) -> Response:
    """As `feilun init` does, in the folder that is served. Ask for its first turn with POST …/turns. The operator's
    alone: names are unique in a workspace, so that whoever may try some would learn which others have taken."""
    grounds = _grounds(visit)
    uploads = Uploads(grounds.store.workspace)
    if body.upload_id is None and body.sample is None:
        raise lacks("upload_id", lang=visit.lang)
    if body.upload_id is not None and body.sample is not None:
        both = {"type": "not_both", "loc": ("body", "upload_id"), "ctx": {"other": "sample"}}
        raise explain([both], lang=visit.lang)

    def make() -> Project:
        used = [uploads.get(one) for one in (body.upload_id, body.holdout_upload_id) if one is not None]
        holdout = used[-1].path if body.holdout_upload_id is not None else None
        project = found_project(
            grounds.root,
            name=body.name,
            data=sample_path(body.sample) if body.sample is not None else used[0].path,
            holdout=holdout,
            text=body.text,
            label=body.label,
            language=body.language,
            tenant=body.tenant or HOUSE,
            budget_s=body.budget_s,
            actor=visit.caller.name,
        )
        for one in used:
            uploads.remove(one)
        return project

    project = await visit.house.compute(visit.house.found, make)
    return send(await visit.house.read(project_row, project, house=visit.house), status=201)


@routes("GET", "/v1/projects/{name}/data", summary="Read what is in the data.", reply=DataReport, problems=(422,))
async def check_data(visit: Annotated[ProjectVisit, Depends(InProject("read"))]) -> Response:
    """As `feilun data check`: rows set aside with the reason, duplicates, contradictions, leaks, classes, advice. All
    files are read for it."""
    report = await visit.house.compute(visit.project.check_data)
    return send(report.model_dump(mode="json"))


@routes(
    "POST",
    "/v1/projects/{name}/data",
    summary="Add a file to the data.",
    reply=SourceRow,
    status=201,
    problems=(409, 507),
)
async def add_data(visit: Annotated[ProjectVisit, Depends(InProject("admin"))], body: DataRequest) -> Response:
    """Turns learn from it from the next one on."""
    project, uploads = visit.project, Uploads(visit.project.store.workspace)

    def add() -> dict[str, Any]:
        found = uploads.get(body.upload_id, tenant=_own(visit))
        source = project.add_data(
            found.path, name=found.name, text=body.text, label=body.label, actor=visit.caller.name
        )
        uploads.remove(found)
        return {"path": source.path, "text": source.text, "label": source.label}

    return send(await visit.house.compute(add), status=201)


@routes("GET", "/v1/machine", summary="See what this machine can do.", reply=MachineReply)
async def get_machine(visit: Annotated[Visit, Depends(InWorkspace("read"))]) -> Response:
    """Cores, memory, disk, what the processor is good at, and which pretrained backbones are here already."""
    from feilun.operate import describe_machine

    folder = visit.house.stores[0].workspace
    machine = await visit.house.compute(describe_machine, folder)
    return send({**machine, "can_found": visit.house.grounds is not None})


async def _receive(request: Request, upload: Upload, *, most: int) -> None:
    """Write the body to its place.

    Raises:
        UploadTooLarge, BodyTooSlow: it is not taken.
        Gone: the client hung up.
    """
    size, pieces = 0, request.stream().__aiter__()
    async with await anyio.open_file(upload.path, "wb") as file:
        while True:
            piece = None
            with anyio.move_on_after(BODY_WITHIN_S):
                try:
                    piece = await anext(pieces, b"")
                except ClientDisconnect as error:
                    raise Gone() from error
            if piece is None:
                raise BodyTooSlow(seconds=int(BODY_WITHIN_S))
            size += len(piece)
            if size > most:
                raise UploadTooLarge(max_mb=most / 1_000_000)
            if not piece:
                return
            await file.write(piece)


async def _look(visit: Visit, found: Upload, *, text: str | None = None, label: str | None = None) -> dict[str, Any]:
    look = await visit.house.compute(look_at, found.path, name=found.name, text=text, label=label)
    guess = look.guess
    counts = list(guess.label_counts.items())[:MOST_LABELS] if guess else []
    notes = (guess.notes_zh if visit.lang == "zh" else guess.notes_en) if guess else ()
    return {
        "upload_id": found.upload_id,
        "name": found.name,
        "size": found.size,
        "format": look.format,
        "encoding": look.encoding,
        "columns": look.columns,
        "rows": look.rows,
        "text": guess.text if guess else text,
        "label": guess.label if guess else label,
        "language": guess.language if guess else None,
        "n_rows": guess.n_rows if guess else None,
        "n_bad": guess.n_bad if guess else None,
        "n_unlabelled": guess.n_unlabelled if guess else None,
        "labels": [{"label": one, "n": n} for one, n in counts],
        "multi_label": bool(guess and guess.multi_label),
        "notes": notes,
        "trouble": look.trouble.message(visit.lang) if look.trouble else None,
    }


def _grounds(visit: Visit) -> Grounds:
    """Raises:
    FoundingElsewhere: no project can be made here.
    """
    if visit.house.grounds is None:
        raise FoundingElsewhere()
    return visit.house.grounds


def _uploads(visit: Visit) -> Uploads:
    return Uploads(visit.workspace().store.workspace)


def _own(visit: Visit) -> str | None:
    """The tenant whose files the caller sees; None sees all, and its own are the house's."""
    return reach_of(visit.caller.key).tenant
