"""Asking the champion."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from feilun.serve.api.errors import TooManyInputs
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, StraightRoute, send
from feilun.serve.api.shapes import PredictReply, PredictRequest

routes = Routes("predictions")


@routes(
    "POST",
    "/v1/projects/{name}/predictions",
    summary="Answer one or many messages.",
    reply=PredictReply,
    route_class=StraightRoute,
)
async def predict(
    request: Request, visit: Annotated[ProjectVisit, Depends(InProject("predict"))], body: PredictRequest
) -> Response:
    """The answers of the live model, each with an id for feedback, how sure it is, and whether to hand over."""
    house, project = visit.house, visit.project
    if len(body.inputs) > project.settings.serve.max_batch:
        raise TooManyInputs(n_inputs=len(body.inputs), max_batch=project.settings.serve.max_batch)
    house.must_be_ready(project)
    texts = [one.text for one in body.inputs]
    served = await house.ask(project, texts, receive=request.receive, meter=visit.meter, user=body.user)
    shown = [
        {
            "prediction_id": prediction.prediction_id,
            "label": prediction.label,
            "labels": prediction.labels,
            "confidence": prediction.confidence,
            "decision": prediction.decision,
            "reason": prediction.reason,
            "model_version": prediction.model_version,
            "alternatives": prediction.alternatives,
        }
        for prediction in served
    ]
    return send({"predictions": shown})
