"""`feilun release`: which model answers, and how it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.cli.shared import (
    HERE,
    AsJson,
    Folder,
    Yes,
    confirm,
    new_app,
    open_project,
    result,
    short,
    table,
    user_name,
    words,
)
from feilun.errors import language

if TYPE_CHECKING:
    from feilun.project import Project
    from feilun.records import ShadowTraffic, Traffic

app = new_app(help="Who answers: the release log, promotion, roll-back, shadow and canary.")

Reason = Annotated[str, typer.Option(help="Why, for the release log.")]
Model = Annotated[str | None, typer.Option(metavar="MODEL", help="Which model (default: the latest).")]
Actor = Annotated[str, typer.Option(metavar="NAME", help="Who decides, for the release log (default: the user name).")]


@app.command("list")
def list_(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List the release log, latest first: promoted, rolled back, and refused with the reason.

    \b
    Examples:
      feilun release list support
    """
    with open_project(folder) as project:
        result(project.list_releases(), as_json=as_json, human=show_releases)


@app.command()
def promote(
    folder: Folder = HERE,
    model: Model = None,
    reason: Reason = "",
    actor: Actor = "",
    override: Annotated[
        bool, typer.Option(help="Promote although the goal is missed; your name goes into the log.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a model answer from now on. A model that misses the goal needs --override and a name.

    \b
    Examples:
      feilun release promote support --model m_0123456789ab --reason "better on refunds"
      feilun release promote support --override --actor "Li Hua" --yes
    """
    with open_project(folder) as project:
        model_id = _named(project, model)
        confirm("release.confirm_promote", yes=yes, model_id=model_id, project=project.name)
        row = project.promote(model_id, actor=actor or user_name(), reason=reason, override=override)
        result(row, as_json=as_json, human=_show_release)


@app.command()
def rollback(
    folder: Folder = HERE, reason: Reason = "", actor: Actor = "", yes: Yes = False, as_json: AsJson = False
) -> None:
    """Let the model that answered before answer again. A roll-back is a release too.

    \b
    Examples:
      feilun release rollback support --reason "wrong on cards" --yes
    """
    with open_project(folder) as project:
        confirm("release.confirm_rollback", yes=yes, project=project.name)
        row = project.rollback(actor=actor or user_name(), reason=reason)
        result(row, as_json=as_json, human=_show_release)


@app.command()
def shadow(
    folder: Folder = HERE,
    model: Model = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the traffic, above 0.")] = 1.0,
    reason: Reason = "",
    actor: Actor = "",
    as_json: AsJson = False,
) -> None:
    """Let a model answer beside the champion; what it says is kept and never shown.

    'feilun release status' tells how often the two agree. Messages where they do not join the review queue.

    \b
    Examples:
      feilun release shadow support --model m_0123456789ab
      feilun release shadow support --share 0.2
    """
    with open_project(folder) as project:
        row = project.shadow(_named(project, model), actor=actor or user_name(), share=share, reason=reason)
        result(row, as_json=as_json, human=_show_release)


@app.command()
def canary(
    folder: Folder = HERE,
    model: Model = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the traffic, above 0.")] = 0.1,
    reason: Reason = "",
    actor: Actor = "",
    override: Annotated[
        bool, typer.Option(help="Begin although the goal is missed; your name goes into the log.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a model answer a share of the traffic for real; a user keeps to one model.

    A running server ends it when it does worse than the champion, see [release] in feilun.toml.

    \b
    Examples:
      feilun release canary support --model m_0123456789ab --share 0.05
      feilun release canary support --override --reason "the new classes" --actor "Li Hua" --yes
    """
    with open_project(folder) as project:
        model_id = _named(project, model)
        confirm("release.confirm_canary", yes=yes, model_id=model_id, project=project.name, share=share)
        row = project.canary(model_id, actor=actor or user_name(), share=share, reason=reason, override=override)
        result(row, as_json=as_json, human=_show_release)


@app.command()
def stop(folder: Folder = HERE, reason: Reason = "", actor: Actor = "", as_json: AsJson = False) -> None:
    """End the shadow or canary that is under way; the champion answers everything.

    \b
    Examples:
      feilun release stop support --reason "seen enough"
    """
    with open_project(folder) as project:
        result(project.stop(actor=actor or user_name(), reason=reason), as_json=as_json, human=_show_release)


@app.command()
def status(
    folder: Folder = HERE,
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Most messages where the two disagree.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Which models answer, with what share, and how champion and challenger compare.

    \b
    Examples:
      feilun release status support
      feilun release status support --json
    """
    with open_project(folder) as project:
        result(project.traffic(limit=limit), as_json=as_json, human=_show_traffic)


def _named(project: Project, model: str | None) -> str:
    """The model that is meant: the latest when none is named."""
    latest = project.list_models(limit=1)
    return str(model or (latest[0] if latest else project.get_model())["model_id"])


def _words_of(row: dict[str, Any]) -> str:
    return str(row["zh" if language() == "zh" else "en"])


def show_releases(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (row["created_at"], words(f"action.{row['action']}"), row["model_id"], row["actor"], _words_of(row))
            for row in rows
        ],
        columns=("created_at", "action", "model_id", "actor", "reason"),
    )


def _show_release(row: dict[str, Any]) -> None:
    typer.echo(
        words("release.done", action=words(f"action.{row['action']}"), model_id=row["model_id"], reason=_words_of(row))
    )


def _show_traffic(seen: Traffic) -> None:
    """The two models side by side, and what the guard makes of it."""
    now = seen.challenge
    if now is None:
        typer.echo(words("traffic.alone", champion=seen.champion_id or "-"))
        return
    names = {"action": words(f"action.{now.action}"), "share": now.share}
    typer.echo(words("traffic.head", model_id=now.model_id, champion=now.champion_id, actor=now.actor, **names))
    trouble = seen.trouble_zh if language() == "zh" else seen.trouble_en
    if trouble:
        typer.echo(words("traffic.trouble", reason=trouble))
    if seen.shadow is not None:
        _show_shadow(seen.shadow)
        return
    columns = ("arm", "model_id", "n_messages", "handed_over", "contradicted", "failed")
    table(
        [
            (words(f"role.{a.role}"), a.model_id, a.n_messages, a.n_handed_over, a.n_contradicted, a.n_failed)
            for a in seen.arms
        ],
        columns=columns,
    )
    typer.echo()
    table(
        [(words(f"guard.{g.metric}"), g.champion, g.challenger, g.evidence, g.needed) for g in seen.guards],
        columns=("guard", "of_champion", "of_challenger", "evidence", "needed"),
    )
    typer.echo(seen.zh if language() == "zh" else seen.en)


def _show_shadow(shadow: ShadowTraffic) -> None:
    counts = {name: getattr(shadow, name) for name in type(shadow).model_fields if name != "differences"}
    typer.echo(words("traffic.shadow", **counts))
    if shadow.n_labelled:
        typer.echo(words("traffic.right", **counts))
    rows = [
        (d.prediction_id, "|".join(d.champion), "|".join(d.challenger), short(str(d.inputs.get("text", ""))))
        for d in shadow.differences
    ]
    if rows:
        table(rows, columns=("prediction_id", "of_champion", "of_challenger", "message"))
