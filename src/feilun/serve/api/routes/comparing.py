"""Two models side by side, and the messages on which they part."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from feilun.serve.api.comparison_shapes import ModelComparisonShape
from feilun.serve.api.example_shapes import MAX_LABEL, MAX_SKIPPED
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send

routes = Routes("models")


@routes(
    "GET",
    "/v1/projects/{name}/models/{model_id}/compare/{new_id}",
    summary="Hold a model against another one.",
    reply=ModelComparisonShape,
    problems=(409, 422),
)
async def compare_models(
    visit: Annotated[ProjectVisit, Depends(InProject("read"))],
    model_id: str,
    new_id: str,
    *,
    kind: Annotated[
        Literal["fixed", "broken", "changed"] | None,
        Query(description="Only messages that the new model fixes, or breaks, or where both are wrong, differently."),
    ] = None,
    gold: Annotated[
        str | None, Query(max_length=MAX_LABEL, description="Only this label in the data; empty: none.")
    ] = None,
    after: Annotated[int, Query(ge=0, le=MAX_SKIPPED, description="Rows that have been seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most rows in one page.")] = 50,
) -> Response:
    """`model_id` is the old one. On the held-out messages that both were judged on, as they answered them then; 409
    when there are none, 404 when what one of them said is not kept."""
    page = await visit.house.compute(
        visit.project.compare_models, model_id, new_id, kind=kind, gold=gold, after=after, limit=limit
    )
    return send(page)
