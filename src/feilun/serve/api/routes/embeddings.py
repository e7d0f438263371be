"""The live models and their vectors, as OpenAI's clients ask for them."""

from __future__ import annotations

import base64
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, Request
from starlette.responses import Response

from feilun.project import Project
from feilun.serve.api.errors import DimensionsRefused, ModelUnknown, TooManyInputs
from feilun.serve.api.openai_shapes import EmbeddingList, EmbeddingRequest, ServedModel, ServedModelList
from feilun.serve.api.routing import InWorkspace, Routes, StraightRoute, Visit, send

routes = Routes("openai")
Predicting = Annotated[Visit, Depends(InWorkspace("predict"))]


@routes("GET", "/v1/models", summary="List the live models (OpenAI's interface).", reply=ServedModelList)
async def list_served_models(visit: Predicting) -> Response:
    """One for each project that can answer and that the key may know of, under the project's name."""
    house = visit.house
    ready = [project for project in visit.known_projects() if house.why_not_ready(project) is None]
    rows = await house.read(lambda: [_model(project.name, project) for project in ready])
    return send({"object": "list", "data": rows})


@routes(
    "GET",
    "/v1/models/{model}",
    summary="See one live model (OpenAI's interface).",
    reply=ServedModel,
    problems=(404,),
)
async def get_served_model(visit: Predicting, model: str) -> Response:
    """By the project's name, or by the id of the model that answers in it."""
    project = visit.project_behind(model)
    return send(await visit.house.read(_model, model, project))


@routes(
    "POST",
    "/v1/embeddings",
    summary="Make vectors of texts (OpenAI's interface).",
    reply=EmbeddingList,
    problems=(404,),
    route_class=StraightRoute,
)
async def create_embeddings(request: Request, visit: Predicting, body: EmbeddingRequest) -> Response:
    """The vectors on which the live model stands, of unit length: like messages have a high dot product. Another model
    goes live, other vectors come: `feilun.model_version` says whose they are."""
    house, texts = visit.house, [body.input] if isinstance(body.input, str) else body.input
    project = visit.project_behind(body.model)
    serve = project.settings.serve
    if len(texts) > serve.max_batch:
        raise TooManyInputs(n_inputs=len(texts), max_batch=serve.max_batch, param="input")
    n_hidden = project.stage.model.n_hidden
    if body.dimensions not in (None, n_hidden):
        raise DimensionsRefused(n_hidden=n_hidden, dimensions=body.dimensions, param="dimensions")
    visit.meter.is_for(kind="embed", project=project.name, owner=project.tenant)
    visit.meter.claim_inputs(texts)
    future = project.ask_vectors([project.task.inputs_from(text) for text in texts], deadline_s=serve.deadline_s)
    made = await house.wait_for(future, receive=request.receive)
    visit.meter.add_cost(n_tokens=made.spent.n_tokens, cpu_s=made.spent.cpu_s)
    if body.model not in (project.name, made.model_id):
        raise ModelUnknown(model=body.model[:64], param="model")  # another one went live a moment ago
    vectors = [_in_base64(row) for row in made.vectors] if body.encoding_format == "base64" else made.vectors.tolist()
    return send(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)],
            "model": body.model,
            "usage": {"prompt_tokens": made.spent.n_tokens, "total_tokens": made.spent.n_tokens},
            "feilun": {"project": project.name, "model_version": made.model_id},
        }
    )


def _in_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def _model(name: str, project: Project) -> dict[str, Any]:
    model_id = project.stage.model_id
    return {
        "id": name,
        "object": "model",
        "created": int(project.get_model(model_id)["created_at"].timestamp()),
        "owned_by": "feilun",
        "feilun": {"project": project.name, "model_version": model_id},
    }
