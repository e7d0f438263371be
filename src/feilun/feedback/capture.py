"""Taking feedback in: checked, understood, and on disk before it is acknowledged."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from feilun.feedback.errors import FeedbackEmpty, FeedbackHomeless, FeedbackInvalid
from feilun.records import Usage
from feilun.store import Store
from feilun.tasks import Task, example_id
from feilun.tasks.identity import normalise

THUMBS = ("up", "down")
MAX_LABEL = 200
MAX_LABELS = 100
MAX_TEXT = 20_000
MAX_KEY = 255
ALIKE = 0.6  # difflib's ratio from which a known label is offered as the one that was meant


def capture(
    store: Store,
    *,
    project: str,
    task: Task,
    labels: Sequence[str],
    prediction_id: str | None = None,
    label: str | Sequence[str] | None = None,
    thumb: str | None = None,
    text: str | None = None,
    comment: str | None = None,
    inputs: dict[str, Any] | None = None,
    idempotency_key: str | None = None,
    actor: str,
    usage: Usage | None = None,
) -> tuple[dict[str, Any], bool]:
    """Write feedback on an answer (`prediction_id`), or on a message that was never asked (`inputs`).

    Args:
        labels: the labels that the project knows.
        label: the right label as a cell of a file would say it, or several of them where a message may carry several.
            A label that only differs in case, width or white space from a known one is that one. Any other is a new
            class: it is taken, and the row says so, with the nearest known label as a hint.
        text: an edited answer; when it reads like a known label it is that label, else it is kept as edited text.
    Returns:
        (row, replayed). The row has two keys more than the table: `new_label` and `hint` (None when nothing is near).
        `replayed` is True when the same idempotency key brought the same body before.
    Raises:
        FeedbackEmpty, FeedbackHomeless, FeedbackInvalid: nothing was written.
        NotFound: the project has no such prediction.
        IdempotencyConflict: the key was used with another body.
    """
    said = {"prediction_id": prediction_id, "label": label, "thumb": thumb, "text": text, "comment": comment}
    _check(said, inputs=inputs, idempotency_key=idempotency_key)
    targets = _targets(label, task=task)
    outside = task.settings.out_of_scope_label
    known = [*labels, *([outside] if outside and outside not in labels else [])]
    if targets is not None:
        targets = tuple(sorted({_same_label(target, known) or target for target in targets}))
    elif text is not None:
        meant = _same_label(text, known)
        targets, text = ((meant,), None) if meant is not None else (None, text)
    row, replayed = store.add_feedback(
        project,
        prediction_id=prediction_id,
        actor=actor[:64],
        body_hash=_hash(said | {"inputs": inputs}),
        inputs=inputs,
        example_id=_identity(inputs, task=task),
        labels=targets,
        thumb=thumb,
        edited_text=text,
        comment=comment,
        idempotency_key=idempotency_key,
        usage=usage,
    )
    unknown = [target for target in row["labels"] or () if target not in known] if targets is not None else []
    near = get_close_matches(unknown[0], known, n=1, cutoff=ALIKE) if unknown else []
    return row | {"new_label": bool(unknown), "hint": near[0] if near else None}, replayed


def _check(said: dict[str, Any], *, inputs: dict[str, Any] | None, idempotency_key: str | None) -> None:
    if all(said[part] is None for part in ("label", "thumb", "text", "comment")):
        raise FeedbackEmpty()
    if said["prediction_id"] is None and (not inputs or said["thumb"] is not None):
        raise FeedbackHomeless()
    if said["thumb"] not in (None, *THUMBS):
        raise FeedbackInvalid(field="thumb", expected_en='"up" or "down"', expected_zh=' "up" 或 "down"')
    for field in ("text", "comment"):
        if said[field] is not None:
            _check_words(said[field], field=field, most=MAX_TEXT)
    if idempotency_key is not None:
        _check_words(idempotency_key, field="Idempotency-Key", most=MAX_KEY)
    for name, value in (inputs or {}).items():
        if isinstance(value, str):
            _check_words(value, field=f"inputs.{name}", most=MAX_TEXT)


def _identity(inputs: dict[str, Any] | None, *, task: Task) -> str:
    if not inputs:
        return ""
    try:
        return example_id(task.text_of(inputs))
    except KeyError as error:
        raise FeedbackInvalid(
            field="inputs", expected_en=f"inputs of the task, with {error}", expected_zh=f"任务的输入，含 {error}"
        ) from error


def _check_words(value: object, *, field: str, most: int) -> None:
    """Text that a person may have written, and that every database can keep."""
    whole = isinstance(value, str) and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)
    if not whole or not str(value).strip() or len(str(value)) > most:
        raise FeedbackInvalid(
            field=field,
            expected_en=f"text of 1 to {most} characters without NUL or broken Unicode",
            expected_zh=f" 1 到 {most} 个字符的文本，不含 NUL 或残缺的 Unicode",
        )


def _targets(label: str | Sequence[str] | None, *, task: Task) -> tuple[str, ...] | None:
    """The labels that `label` says; None when it says nothing."""
    if label is None:
        return None
    cells = [label] if isinstance(label, str) else list(label)
    targets: set[str] = set()
    for cell in cells[: MAX_LABELS + 1]:
        if isinstance(cell, str):
            targets.update(task.parse_target(cell) or ())
    several = task.settings.multi_label
    usable = all(0 < len(target) <= MAX_LABEL and not _has_controls(target) for target in targets)
    if not targets or not usable or len(targets) > (MAX_LABELS if several else 1) or len(cells) > MAX_LABELS:
        number_en, number_zh = (
            (f"1 to {MAX_LABELS} labels", f" 1 到 {MAX_LABELS} 个标签")
            if several
            else (
                "one label",
                "一个标签",
            )
        )
        raise FeedbackInvalid(
            field="label",
            expected_en=f"{number_en}, each of 1 to {MAX_LABEL} printable characters",
            expected_zh=f"{number_zh}，每个 1 到 {MAX_LABEL} 个可显示的字符",
        )
    return tuple(sorted(targets))


def _has_controls(text: str) -> bool:
    # Cc controls, Cs lone surrogates, Zl and Zp line and paragraph separators; Cf holds joiners that emoji need
    return any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)


def _same_label(said: str, known: Sequence[str]) -> str | None:
    """The known label that `said` is, letter by letter or else in all but case, width and white space."""
    if said in known:
        return said
    alike = [label for label in known if normalise(label) == normalise(said)]
    return alike[0] if len(alike) == 1 else None


def _hash(said: dict[str, Any]) -> str:
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), default=list)
    return hashlib.sha256(canonical.encode()).hexdigest()
