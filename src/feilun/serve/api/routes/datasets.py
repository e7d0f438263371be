"""The datasets that turns have made, and what changed between two."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.serve.api.data_shapes import DatasetChangesReply, DatasetList
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send

routes = Routes("data")
Reading = Annotated[ProjectVisit, Depends(InProject("read"))]
MAX_SKIPPED = 2**31
Id = Query(max_length=64, description="The other one; absent: the one before.")
Kind = Query(description="Only rows of which this is true.")
Label = Query(max_length=500, description="Only rows that had or have this label.")
After = Query(ge=0, le=MAX_SKIPPED, description="How many of the rows that are looked for to leave out.")


@routes("GET", "/v1/projects/{name}/datasets", summary="List the datasets.", reply=DatasetList, problems=(422,))
async def list_datasets(
    visit: Reading, limit: Annotated[int, Query(ge=1, le=100, description="Most rows, latest first.")] = 20
) -> Response:
    """Immutable snapshots, with how many rows each holds."""
    return send({"datasets": await visit.house.compute(visit.project.list_datasets, limit=limit)})


@routes(
    "GET",
    "/v1/projects/{name}/datasets/{dataset_id}/changes",
    summary="Compare two datasets.",
    reply=DatasetChangesReply,
    problems=(422,),
)
async def compare_datasets(
    visit: Reading,
    dataset_id: str,
    *,
    base_id: Annotated[str | None, Id] = None,
    kind: Annotated[Literal["added", "removed", "relabelled", "moved"] | None, Kind] = None,
    label: Annotated[str | None, Label] = None,
    after: Annotated[int, After] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most rows.")] = 100,
) -> Response:
    """Rows that came, went, or have another label or split than in the dataset before, and how the classes have grown.
    A row is the same one when its message is, whatever file it comes from."""
    wanted = {"base_id": base_id, "kind": kind, "label": label, "after": after, "limit": limit}
    return send(await visit.house.compute(visit.project.compare_datasets, dataset_id, **wanted))
