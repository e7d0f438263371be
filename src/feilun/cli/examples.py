"""`feilun model errors`, `confusion`, `thresholds`, `ask` and `feilun explain`: what is behind a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from feilun.cli.shared import HERE, AsJson, Folder, open_project, result, say, short, table, words

if TYPE_CHECKING:
    from feilun.evaluate import Confusion, ExamplePage, Explanation, ThresholdCurve
    from feilun.records import Answer

Model = Annotated[str | None, typer.Option(metavar="MODEL", help="Id of the model (default: the champion).")]
In = Annotated[Path, typer.Option("--project", metavar="DIR", help="Folder of the project.")]
MOST_SHOWN = 20


def errors(
    folder: Folder = HERE,
    model: Model = None,
    all_: Annotated[bool, typer.Option("--all", help="Right answers too.")] = False,
    gold: Annotated[str | None, typer.Option(metavar="LABEL", help="Only this label in the data.")] = None,
    predicted: Annotated[str | None, typer.Option(metavar="LABEL", help="Only this label in the answer.")] = None,
    min_confidence: Annotated[float | None, typer.Option(min=0, max=1, help="At least so sure.")] = None,
    max_confidence: Annotated[float | None, typer.Option(min=0, max=1, help="At most so sure.")] = None,
    script: Annotated[
        Literal["han", "latin", "other"] | None, typer.Option(help="Only messages mostly in this script.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="FILE", help="Only from this file, as the list shows it.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="WORDS", help="Only messages with this in them.")] = None,
    order: Annotated[Literal["surest", "least_sure", "as_stored"], typer.Option(help="What comes first.")] = "surest",
    after: Annotated[int, typer.Option(min=0, help="Leave out so many of the first.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most messages.")] = MOST_SHOWN,
    as_json: AsJson = False,
) -> None:
    """Show the held-out messages that a model answers wrongly, those it was surest of first.

    \b
    Examples:
      feilun model errors support
      feilun model errors support --gold refund --predicted delivery
      feilun model errors support --all --max-confidence 0.5 --json
    """
    from feilun.evaluate import ExampleFilter

    wanted = ExampleFilter(
        gold=gold,
        predicted=predicted,
        correct=None if all_ else False,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        script=script,
        source=source,
        text=text,
    )
    with open_project(folder) as project:
        page = project.examples(model, wanted=wanted, order=order, after=after, limit=limit)
    result(page, as_json=as_json, human=_show_examples)
    say("model.examples", n=len(page.examples), n_found=page.n_found, n_examples=page.n_examples)


def confusion(
    folder: Folder = HERE,
    model: Model = None,
    limit: Annotated[int, typer.Option(min=1, help="Most pairs to print; --json has all.")] = MOST_SHOWN,
    as_json: AsJson = False,
) -> None:
    """Show which classes a model takes for which, the most frequent pairs first.

    \b
    Examples:
      feilun model confusion support
      feilun model confusion support --model m_0123456789ab --json
    """
    with open_project(folder) as project:
        found = project.confusion(model)
    result(found, as_json=as_json, human=lambda one: _show_confusion(one, limit))


def thresholds(
    folder: Folder = HERE,
    model: Model = None,
    cost_wrong: Annotated[float, typer.Option(min=0, help="What a wrong answer costs, in any unit.")] = 10.0,
    cost_hand_over: Annotated[float, typer.Option(min=0, help="What a message handed over costs.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show what other thresholds would come to, and the one at least cost.

    A model's own threshold is sealed with it. The next turn chooses one for [evaluate] max_error_rate.

    \b
    Examples:
      feilun model thresholds support --cost-wrong 20 --cost-hand-over 1.5
    """
    from feilun.evaluate import cheapest

    with open_project(folder) as project:
        curve = project.thresholds(model)
    best = cheapest(curve, wrong=cost_wrong, hand_over=cost_hand_over)
    result(curve, as_json=as_json, human=lambda one: _show_thresholds(one, best.threshold, cost_wrong, cost_hand_over))
    rate = best.n_wrong / best.n_answered if best.n_answered else 0.0
    say("model.cheapest", threshold=best.threshold, rate=rate)


def ask(
    text: Annotated[list[str], typer.Argument(metavar="TEXT...", help="The messages.")],
    folder: In = HERE,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Ask any model, live or not, what it says by itself; nothing is recorded.

    \b
    Examples:
      feilun model ask "where is my parcel" --project support --model m_0123456789ab
    """
    with open_project(folder) as project:
        result(project.answers_of(text, model_id=model), as_json=as_json, human=lambda said: _show_answers(text, said))


def explain(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The message.")],
    folder: In = HERE,
    label: Annotated[str | None, typer.Option(metavar="LABEL", help="The label (default: the likeliest).")] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Say which words of a message decided: what the model loses when each of them is left out.

    \b
    Examples:
      feilun explain "my card has not arrived yet" --project support
      feilun explain "我的包裹到哪里了" --project support --label delivery --json
    """
    with open_project(folder) as project:
        found = project.explain(text, label=label, model_id=model)
    result(found, as_json=as_json, human=lambda one: _show_explanation(text, one))


def _show_examples(page: ExamplePage) -> None:
    table(
        [
            (
                short(one.text),
                " | ".join(one.gold),
                one.answer.label,
                f"{one.answer.confidence:.0%}",
                one.source if one.row is None else f"{one.source}:{one.row}",
            )
            for one in page.examples
        ],
        columns=("message", "gold", "guess", "confidence", "row"),
    )


def _show_confusion(found: Confusion, limit: int) -> None:
    pairs = [cell for cell in found.cells if cell.gold != cell.predicted]
    table(
        [(cell.gold or "-", cell.predicted or "-", cell.count) for cell in pairs[:limit]],
        columns=("gold", "taken_for", "n_messages"),
    )


def _show_thresholds(curve: ThresholdCurve, best: float, wrong: float, hand_over: float) -> None:
    n = curve.n_examples
    every = max(1, len(curve.points) // MOST_SHOWN)
    table(
        [
            (
                "→" if at.threshold == best else "",
                f"{at.threshold:.4f}",
                f"{at.n_answered / n:.1%}",
                f"{at.n_wrong / at.n_answered if at.n_answered else 0:.1%}",
                at.n_wrong * wrong + (n - at.n_answered) * hand_over,
                at.threshold == curve.threshold,
            )
            for i, at in enumerate(curve.points)
            if i % every == 0 or at.threshold in (best, curve.threshold) or at is curve.points[-1]
        ],
        columns=("cheapest", "threshold", "answered", "wrong", "cost", "in_use"),
    )


def _show_answers(texts: list[str], said: list[Answer]) -> None:
    table(
        [
            (short(text), one.label or "-", f"{one.confidence:.1%}", words(f"decision.{one.decision}"))
            for text, one in zip(texts, said, strict=True)
        ],
        columns=("message", "guess", "confidence", "decision"),
    )


def _show_explanation(text: str, found: Explanation) -> None:
    typer.echo(words("model.explained", label=found.label, p=found.probability))
    strongest = sorted(found.words, key=lambda one: -abs(one.weight))
    table(
        [(text[one.start : one.end], f"{one.weight:+.2f}", f"{one.without:.1%}") for one in strongest[:MOST_SHOWN]],
        columns=("word", "weight", "without"),
    )
