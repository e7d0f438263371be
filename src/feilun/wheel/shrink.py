"""A smaller form of a finished model: the forms side by side, then the chosen one through the last steps of a turn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from feilun.config import FeilunSettings
from feilun.records import CompressPoint, CompressResult, CompressWish, Decision, Interval, Report, TrainResult
from feilun.store import Store, new_id, utc_now
from feilun.tasks import get_task
from feilun.wheel.context import TurnContext
from feilun.wheel.networks import find_network, keep_network
from feilun.wheel.steps import Results, step_compress, step_evaluate, step_release, step_seal

if TYPE_CHECKING:
    from feilun.compress import Form, Students
    from feilun.compress.points import Held
    from feilun.models import EncoderConfig

OnEvent = Callable[[str, dict[str, Any]], None]


KEPT_AS_IS = (
    "Nothing was made: of the forms that keep the goal, the model as it is is the smallest already.",
    "未制作新模型：在满足目标的形式中，现有模型已是最小的。",
)
NOTHING_FITS = (
    "Nothing was made: no form keeps the goal. The smallest within {max_loss:.1%} of the model's accuracy is "
    "'{name}' with {size_mb:.1f} MB and {p99_ms:.1f} ms (p99). Ask for more room in [goal], allow more loss with "
    "[compress] max_loss, or for a smaller student with --layers or --width.",
    "未制作新模型：没有任何形式满足目标。准确率损失不超过 {max_loss:.1%} 的形式中，最小的是“{name}”，"
    "{size_mb:.1f} MB，{p99_ms:.1f} 毫秒（p99）。可放宽 [goal] 的限制，用 [compress] max_loss 允许更多损失，"
    "或用 --layers、--width 指定更小的学生。",
)
ONLY_SHOWN = (
    "Nothing was made, as asked. '{name}' is what the goal asks for.",
    "按要求未制作新模型。目标所要求的是“{name}”。",
)


def shrink(store: Store, *, project: str, **rest: Any) -> CompressResult:
    """`shrink_alone`, with the project to oneself.

    Raises:
        ProjectBusy: a turn or another compression of the project is running.
    """
    with store.alone(project):
        return shrink_alone(store, project=project, **rest)


def shrink_alone(
    store: Store,
    *,
    folder: Path,
    project: str,
    model_id: str,
    settings: FeilunSettings,
    wish: CompressWish,
    actor: str,
    on_event: OnEvent | None = None,
) -> CompressResult:
    """Measure the forms of a model, and make the one that the goal asks for a model of its own.

    The caller holds the project, see `Store.alone`. The model is judged on the frozen holdout, sealed and put before
    the gate like every model. Which form it is was chosen on training rows: the holdout has no part in it.

    Args:
        settings: of the project as they are now; [goal] and [compress] are taken from them, all else from the model.
    Raises:
        NetworkGone: the model's float network is kept no more.
        NothingToJudgeOn: no row was held out in its training.
        TooManyLayers, WidthNotSmaller, TorchMissing: the students asked for cannot be made.
    """
    from feilun.compress import choose
    from feilun.train import load_result

    result = load_result(find_network(store, project=project, model_id=model_id))
    context = _context(store, folder, project=project, model_id=model_id, settings=settings, actor=actor)
    emit = on_event or (lambda kind, data: None)
    limits = context.settings.compress
    with _aside(context) as aside:
        held, forms = _forms(context, result, model_id, aside=aside, wish=wish, emit=emit)
        points, taken = choose(forms, context.settings.goal, max_loss=limits.max_loss)
        made = CompressResult(
            parent_model_id=model_id,
            points=tuple(points),
            n_rows=len(held.places),
            **_why(points, taken, max_loss=limits.max_loss, only_show=wish.only_show),
        )
        if made.reason_code:
            return made
        assert taken is not None
        return _make(context, result, forms[taken], held=held, made=made, emit=emit)


@contextmanager
def _aside(context: TurnContext) -> Iterator[Path]:
    """A folder to work in; what killed compressions of the project left behind is cleared away first."""
    mark, turns = f".shrink-{context.project}.", context.workdir.parent
    for left in turns.glob(f"{mark}*"):
        shutil.rmtree(turns / left.name.removeprefix(mark), ignore_errors=True)
        shutil.rmtree(left, ignore_errors=True)
    aside = turns / f"{mark}{context.turn_id}"
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _context(
    store: Store, folder: Path, *, project: str, model_id: str, settings: FeilunSettings, actor: str
) -> TurnContext:
    """As of a turn, with the settings that the model was made with; [goal] and [compress] as they are now."""
    from feilun.models.serving import SETTINGS_NAME

    sealed = FeilunSettings.model_validate_json((store.model_path(model_id) / SETTINGS_NAME).read_bytes())
    mixed = sealed.model_copy(
        update={"goal": settings.goal, "compress": settings.compress, "evaluate": settings.evaluate}
    )
    row = store.get_model(project, model_id)
    turn = {
        "turn_id": new_id("turn"),
        "project": project,
        "settings": mixed.model_dump(mode="json"),
        "seed": row["report"]["seed"],
        "created_at": utc_now(),
        "requested_by": actor,
        "dataset_id": row["dataset_id"],
        "parent_model_id": model_id,
    }
    return TurnContext(store=store, folder=folder, turn=turn, settings=mixed, task=get_task(mixed.task))


def _forms(
    context: TurnContext,
    result: TrainResult,
    model_id: str,
    *,
    aside: Path,
    wish: CompressWish,
    emit: OnEvent,
) -> tuple[Held, list[Form]]:
    """Every form, measured; the model as it is comes first."""
    from feilun.compress import Workbench, hold_back, shape_of
    from feilun.compress.points import NothingToJudgeOn
    from feilun.evaluate.intervals import wilson
    from feilun.models import resolve

    backbone = resolve(context.settings.backbone.model, language=context.settings.project.language)
    students = choose_students(wish, of=shape_of(result, backbone))  # before any work is done
    dataset = context.dataset(context.turn["dataset_id"])
    validation = load_file(result.folder / "validation.safetensors")
    held = hold_back(validation, n_messages=len(dataset.train) + len(dataset.unlabelled))
    if not len(held.places):
        raise NothingToJudgeOn(model_id=model_id)
    level = context.settings.evaluate.confidence_level

    def interval(count: float, n: int) -> Interval:
        return wilson(count, n, level=level)

    bench = Workbench(
        result,
        backbone,
        dataset,
        context.settings,
        task=context.task,
        held=held,
        aside=aside,
        interval=interval,
        on_event=emit,
    )
    parity = Report.model_validate(context.store.get_model(context.project, model_id)["report"]).parity
    as_is = bench.as_is(context.store.model_path(model_id), n_pieces=parity.n_pieces, precision=parity.precision)
    return held, [as_is, *bench.forms(as_is, students)]


def choose_students(wish: CompressWish, *, of: EncoderConfig) -> Students:
    """The students that were asked for, the largest first, or the one that is made unasked.

    Raises:
        TooManyLayers, WidthNotSmaller, TorchMissing: they cannot be made.
    """
    from importlib.util import find_spec

    from feilun.compress import Students
    from feilun.compress.students import TorchMissing

    has_torch, n_layers, widths = find_spec("torch") is not None, wish.n_layers, wish.widths
    if n_layers is None:
        n_layers = (of.n_layers // 2,) if has_torch and of.n_layers > 1 and not widths else ()
    if (n_layers or widths) and not has_torch:
        raise TorchMissing()
    students = Students(tuple(sorted(set(n_layers), reverse=True)), tuple(sorted(set(widths), reverse=True)))
    students.check(of)
    return students


def _why(points: list[CompressPoint], taken: int | None, *, max_loss: float, only_show: bool) -> dict[str, str]:
    """The reason why nothing is made; empty when something is."""
    if taken is None:
        least = points[0].accuracy.value - max_loss
        near = min((p for p in points if p.accuracy.value >= least), key=lambda point: point.size_mb)
        fields = {"max_loss": max_loss, "name": near.name, "size_mb": near.size_mb, "p99_ms": near.p99_ms}
        return {"reason_code": "nothing_fits"} | _both(NOTHING_FITS, **fields)
    if taken == 0:
        return {"reason_code": "as_is"} | _both(KEPT_AS_IS)
    if only_show:
        return {"reason_code": "only_shown"} | _both(ONLY_SHOWN, name=points[taken].name)
    return {"reason_code": "", "en": "", "zh": ""}


def _both(words: tuple[str, str], **fields: Any) -> dict[str, str]:
    return {"en": words[0].format(**fields), "zh": words[1].format(**fields)}


def _make(
    context: TurnContext, result: TrainResult, form: Form, *, held: Held, made: CompressResult, emit: OnEvent
) -> CompressResult:
    """Compress, evaluate, seal, release: the last steps of a turn, on the chosen form."""
    limits = context.settings.compress
    compressing = limits.model_copy(
        update={
            "int8": form.point.precision == "int8",
            "vocabulary": form.vocabulary,
            "tolerance": max(limits.tolerance, limits.max_loss),  # this form was asked for, and the gate asks again
        }
    )
    # What the parent's report says of the data holds for its forms too: it is carried over, not found anew.
    judging = context.settings.evaluate.model_copy(update={"label_doubts": False, "learning_curve": False})
    settings = context.settings.model_copy(update={"compress": compressing, "evaluate": judging})
    context = replace(context, settings=settings, turn=context.turn | {"settings": settings.model_dump(mode="json")})
    try:
        _leave_network(context.workdir / "train", result, form, held=held, teacher=made.parent_model_id)
        results: Results = {"data": {"dataset_id": context.turn["dataset_id"]}}
        steps = {
            "compress": step_compress,
            "evaluate": step_evaluate,
            "seal": step_seal,
            "release": step_release,
        }
        for name, step in steps.items():
            emit("step.start", {"step": name})
            results[name] = step(context, results)
            emit("step.done", {"step": name} | results[name])
            if name == "evaluate":
                _carry_over(context, parent=made.parent_model_id)
        model_id, decision = str(results["seal"]["model_id"]), Decision.model_validate(results["release"])
        keep_network(context.store, project=context.project, model_id=model_id, folder=context.workdir / "train")
    finally:
        shutil.rmtree(context.workdir, ignore_errors=True)
    return made.model_copy(update={"model_id": model_id} | decision.model_dump())


def _carry_over(context: TurnContext, *, parent: str) -> None:
    """Put what the parent's report says of the data into the report of a form of it."""
    path = context.workdir / "report.json"
    report = Report.model_validate_json(path.read_text("utf-8"))
    known = Report.model_validate(context.store.get_model(context.project, parent)["report"])
    told = {"label_doubts": known.label_doubts, "learning_curve": known.learning_curve}
    path.write_text(report.model_copy(update=told).model_dump_json(), "utf-8")


def _leave_network(folder: Path, result: TrainResult, form: Form, *, held: Held, teacher: str) -> None:
    """What training would have left behind, had it made this form: the network and its unlearnt answers."""
    from feilun.train import write_result

    if form.student is None:
        shutil.copytree(result.folder, folder)
        return
    network, validation = form.student, load_file(result.folder / "validation.safetensors")
    some = np.isin(validation["rows"], held.places)
    layers = {name: array for name, array in network.tensors.items() if name.startswith("encoder.layer.")}
    write_result(
        folder,
        labels=result.labels,
        leaderboard=result.leaderboard,
        seed=result.seed,
        meta=result.meta | {"shape": network.shape, "teacher": teacher},
        network={
            **layers,
            "head.weight": network.head[0],
            "head.bias": network.head[1],
            **(network.neighbours.arrays() if network.neighbours else {}),
        },
        files={},
        validation={
            "logits": form.logits.astype(np.float32),
            "targets": held.targets.astype(np.uint8),
            "embeddings": validation["embeddings"][some],
            "rows": held.places,
        },
    )
