"""Behind a report: single messages, the confusion matrix, other thresholds; any model asked, and why it says so."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from starlette.responses import Response

from feilun.serve.api.errors import TooManyInputs
from feilun.serve.api.example_shapes import (
    MAX_LABEL,
    MAX_SKIPPED,
    AnswersReply,
    AnswersRequest,
    ConfusionShape,
    ExamplePageShape,
    ExplanationReply,
    ExplanationRequest,
    QueueAsked,
    QueueRequest,
    ThresholdCurveShape,
)
from feilun.serve.api.routing import InProject, ProjectVisit, Routes, send

routes = Routes("models")
Reading = Annotated[ProjectVisit, Depends(InProject("read"))]
Predicting = Annotated[ProjectVisit, Depends(InProject("predict"))]
MAX_CHARS = 1_000_000


@routes(
    "GET",
    "/v1/projects/{name}/models/{model_id}/examples",
    summary="Look through the held-out messages of a model.",
    reply=ExamplePageShape,
    problems=(409, 422),
)
async def list_examples(
    visit: Reading,
    model_id: str,
    *,
    gold: Annotated[
        str | None, Query(max_length=MAX_LABEL, description="Only this label in the data; empty: none.")
    ] = None,
    predicted: Annotated[
        str | None, Query(max_length=MAX_LABEL, description="Only this label in the answer; empty: none.")
    ] = None,
    correct: Annotated[bool | None, Query(description="Only right answers, or only wrong ones.")] = None,
    decision: Annotated[Literal["answer", "hand_over"] | None, Query(description="Only those decided so.")] = None,
    min_confidence: Annotated[float | None, Query(ge=0, le=1, description="At least so sure.")] = None,
    max_confidence: Annotated[float | None, Query(ge=0, le=1, description="At most so sure.")] = None,
    script: Annotated[
        Literal["han", "latin", "other"] | None, Query(description="Only messages mostly in this script.")
    ] = None,
    source: Annotated[str | None, Query(max_length=1000, description="Only from this file.")] = None,
    min_chars: Annotated[int | None, Query(ge=0, le=MAX_CHARS, description="At least so long, in characters.")] = None,
    max_chars: Annotated[int | None, Query(ge=0, le=MAX_CHARS, description="At most so long.")] = None,
    text: Annotated[str | None, Query(max_length=1000, description="Only messages with this in them.")] = None,
    order: Annotated[
        Literal["surest", "least_sure", "as_stored"],
        Query(description="surest: what the model was surest of comes first, so the worst mistakes do."),
    ] = "surest",
    after: Annotated[int, Query(ge=0, le=MAX_SKIPPED, description="Rows that have been seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most rows in one page.")] = 50,
) -> Response:
    """As the model answered them when it was judged, on the graph that ships. A model that was imported, or made before
    this was kept, has none: 404."""
    from feilun.evaluate import ExampleFilter

    wanted = ExampleFilter(
        gold=gold,
        predicted=predicted,
        correct=correct,
        decision=decision,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        script=script,
        source=source,
        min_chars=min_chars,
        max_chars=max_chars,
        text=text,
    )
    page = await visit.house.compute(
        visit.project.examples, model_id, wanted=wanted, order=order, after=after, limit=limit
    )
    return send(page)


@routes(
    "GET",
    "/v1/projects/{name}/models/{model_id}/confusion",
    summary="See which classes a model takes for which.",
    reply=ConfusionShape,
    problems=(409, 422),
)
async def get_confusion(visit: Reading, model_id: str) -> Response:
    """Every pair that occurs on the holdout; GET …/examples with `gold` and `predicted` shows the messages of one."""
    return send(await visit.house.compute(visit.project.confusion, model_id))


@routes(
    "GET",
    "/v1/projects/{name}/models/{model_id}/thresholds",
    summary="See what other thresholds would come to.",
    reply=ThresholdCurveShape,
    problems=(409, 422),
)
async def get_thresholds(visit: Reading, model_id: str) -> Response:
    """Answered and wrong at up to 200 thresholds on the holdout. The model's own is sealed with it; the next turn
    chooses one for [evaluate] max_error_rate."""
    return send(await visit.house.compute(visit.project.thresholds, model_id))


@routes(
    "POST",
    "/v1/projects/{name}/models/{model_id}/answers",
    summary="Ask any model, live or not.",
    reply=AnswersReply,
    problems=(409,),
)
async def ask_model(request: Request, visit: Predicting, model_id: str, body: AnswersRequest) -> Response:
    """What it says by itself: no correction has a part in it, and nothing is recorded as traffic. The first question to
    a model that is not live loads it."""
    house, project, texts = visit.house, visit.project, [one.text for one in body.inputs]
    serve = project.settings.serve
    if len(texts) > serve.max_batch:
        raise TooManyInputs(n_inputs=len(texts), max_batch=serve.max_batch)
    visit.meter.claim_inputs(texts)
    future = await house.compute(project.ask_model, texts, model_id=model_id, deadline_s=serve.deadline_s)
    answers, spent = await house.wait_for(future, receive=request.receive)
    visit.meter.add_cost(n_tokens=spent.n_tokens, cpu_s=spent.cpu_s)
    return send({"model_id": model_id, "answers": answers})


@routes(
    "POST",
    "/v1/projects/{name}/explanations",
    summary="Say which words decided.",
    reply=ExplanationReply,
    problems=(409,),
)
async def explain_answer(request: Request, visit: Predicting, body: ExplanationRequest) -> Response:
    """Each word is left out once, up to 64 of them, and the model asked again: it counts as so many messages and one,
    and is not recorded as traffic."""
    house, project = visit.house, visit.project
    visit.meter.claim_inputs(project.asked_to_explain(body.inputs.text))
    future = await house.compute(
        project.ask_why,
        body.inputs.text,
        label=body.label,
        model_id=body.model_id,
        deadline_s=project.settings.serve.deadline_s,
    )
    explanation, spent = await house.wait_for(future, receive=request.receive)
    visit.meter.add_cost(n_tokens=spent.n_tokens, cpu_s=spent.cpu_s)
    return send(explanation)


@routes(
    "POST",
    "/v1/projects/{name}/queue",
    summary="Put a message into the review queue.",
    reply=QueueAsked,
    status=201,
    problems=(409, 507),
)
async def ask_people(visit: Annotated[ProjectVisit, Depends(InProject("feedback"))], body: QueueRequest) -> Response:
    """For a second opinion, near the top of the queue. No user was answered, so it is no traffic; a message that
    somebody has put there already waits only once."""
    asked: Any = await visit.house.compute(visit.project.ask_people, body.inputs.text, actor=visit.caller.name)
    return send({"prediction_id": asked}, status=201)
