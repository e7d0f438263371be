"""`feilun model compare`: two models side by side, and the messages on which they part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from feilun.cli.examples import MOST_SHOWN, In
from feilun.cli.shared import HERE, AsJson, open_project, result, say, short, table, words

if TYPE_CHECKING:
    from feilun.evaluate import ModelComparison


def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Id of the model to compare with, such as the champion.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Id of the model that is looked at.")],
    folder: In = HERE,
    kind: Annotated[
        Literal["fixed", "broken", "changed"] | None,
        typer.Option(help="Only messages that NEW fixes, or breaks, or where both are wrong, each in its own way."),
    ] = None,
    gold: Annotated[str | None, typer.Option(metavar="LABEL", help="Only this label in the data.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Leave out so many of the first.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most messages.")] = MOST_SHOWN,
    as_json: AsJson = False,
) -> None:
    """Compare two models on the held-out messages that both were judged on: what NEW fixes, and what it breaks.

    \b
    Examples:
      feilun model compare m_0123456789ab m_ba9876543210 --project support
      feilun model compare m_0123456789ab m_ba9876543210 --project support --kind broken --json
    """
    with open_project(folder) as project:
        found = project.compare_models(old, new, kind=kind, gold=gold, after=after, limit=limit)
    result(found, as_json=as_json, human=_show)
    say("model.flips", n=len(found.flips), n_found=found.n_found)


def _show(found: ModelComparison) -> None:
    from feilun.release import p_text

    test = found.test
    typer.echo(
        words(
            f"model.compared_{found.verdict}",
            new=found.new.model_id,
            old=found.old.model_id,
            n_fixed=test.n_fixed,
            n_broken=test.n_broken,
            n=test.n_rows,
            p=p_text(test.p_value),
            difference=100 * test.difference.value,
            low=100 * test.difference.low,
            high=100 * test.difference.high,
        )
    )
    table(
        [
            (
                one.model_id,
                f"{one.accuracy.value:.1%}",
                f"{one.accuracy.low:.1%}–{one.accuracy.high:.1%}",
                one.size_mb,
                one.p50_ms,
                test.n_rows,
                one.n_examples,
            )
            for one in (found.old, found.new)
        ],
        columns=("model_id", "accuracy", "interval", "size_mb", "p50_ms", "n_common", "n_held_out"),
    )
    _show_classes(found)
    _show_flips(found)


def _show_classes(found: ModelComparison) -> None:
    changed = [one for one in found.classes if one.n_right_old != one.n_right_new]
    if not changed:
        return
    table(
        [
            (one.label, one.n_examples, one.n_right_old, one.n_right_new, f"{one.n_right_new - one.n_right_old:+d}")
            for one in changed
        ],
        columns=("label", "n_messages", "right_old", "right_new", "gained"),
    )


def _show_flips(found: ModelComparison) -> None:
    if not found.flips:
        return
    table(
        [
            (
                words(f"flip.{one.kind}"),
                short(one.text),
                " | ".join(one.gold),
                f"{one.old.label or '-'} {one.old.confidence:.0%}",
                f"{one.new.label or '-'} {one.new.confidence:.0%}",
                one.source if one.row is None else f"{one.source}:{one.row}",
            )
            for one in found.flips
        ],
        columns=("flip", "message", "gold", "old", "new", "row"),
    )
