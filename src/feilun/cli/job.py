"""`feilun job`: turns as work in progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.cli.shared import (
    HERE,
    AsJson,
    Folder,
    Where,
    Yes,
    confirm,
    new_app,
    open_project,
    open_workspace,
    result,
    say,
    table,
    user_name,
    words,
    write_json,
)
from feilun.errors import EXIT_NOT_REACHED, EXIT_WRONG_USE

if TYPE_CHECKING:
    from feilun.project import Project

app = new_app(help="Turns as work: which ran, what they said, ask for one, pause or cancel one.")
FOLLOW_EVERY_S = 0.3

Turn = Annotated[str | None, typer.Option("--turn", metavar="TURN", help="Id of the turn (default: the latest).")]


@app.command("list")
def list_(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List turns, latest first.

    \b
    Examples:
      feilun job list support
    """
    with open_project(folder) as project:
        result(project.list_turns(), as_json=as_json, human=_show_turns)


@app.command()
def now(folder: Where = HERE, as_json: AsJson = False) -> None:
    """Show what works or waits now, over all projects of the workspace: turns, smaller models, backups.

    \b
    Examples:
      feilun job now projects
    """
    with open_workspace(folder) as workspace:
        result(workspace.list_jobs(), as_json=as_json, human=_show_jobs)


@app.command()
def show(folder: Folder = HERE, turn_id: Turn = None, as_json: AsJson = False) -> None:
    """Show one turn: when, by whom, with which settings, what came of it.

    \b
    Examples:
      feilun job show support
      feilun job show support --turn turn_0123456789ab --json
    """
    with open_project(folder) as project:
        result(_find(project, turn_id), as_json=as_json, human=_show_turn)


@app.command()
def events(
    folder: Folder = HERE,
    turn_id: Turn = None,
    after: Annotated[int, typer.Option(min=0, help="Only events with a higher event_id.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the turn ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Print the event stream of a turn.

    \b
    Examples:
      feilun job events support --follow
      feilun job events support --turn turn_0123456789ab --json
    """
    from feilun.cli.progress import line_of

    with open_project(folder) as project:
        wanted = str(_find(project, turn_id)["turn_id"])
        while True:
            # Asked before the events are read: what came before the end is then printed for sure.
            is_running = project.get_turn(wanted)["status"] == "running"
            while page := project.events(after=after, turn_id=wanted):
                for event in page:
                    write_json(event, indent=None) if as_json else typer.echo(
                        f"{event.event_id:>6}  {line_of(event) or event.kind}"
                    )
                after = page[-1].event_id
            if not (follow and is_running):
                return
            time.sleep(FOLLOW_EVERY_S)


@app.command()
def request(
    folder: Folder = HERE,
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask the server's worker for a turn; it turns as soon as it can. `feilun turn` turns here and now.

    \b
    Examples:
      feilun job request support --note "after the import"
    """
    with open_project(folder) as project:
        is_new = project.request_turn(note=note, actor=user_name())
        key = "job.requested" if is_new else "job.requested_before"
        result({"requested": is_new}, as_json=as_json, human=lambda _: typer.echo(words(key)))


@app.command()
def cancel(folder: Folder = HERE, yes: Yes = False, as_json: AsJson = False) -> None:
    """Cancel the unfinished turn; what it had done is thrown away, the champion stays.

    Exit code 1 when no turn is unfinished.

    \b
    Examples:
      feilun job cancel support --yes
    """
    with open_project(folder) as project:
        confirm("job.confirm_cancel", yes=yes, project=project.name)
        _tell(project.cancel_turn(actor=user_name()), "cancelled", otherwise="nothing_to_cancel", as_json=as_json)


@app.command()
def pause(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Halt the running turn and keep what it has done; the machine is free until it is resumed.

    Exit code 1 when no turn runs.

    \b
    Examples:
      feilun job pause support
    """
    with open_project(folder) as project:
        _tell(project.pause_turn(actor=user_name()), "paused", otherwise="nothing_to_pause", as_json=as_json)


@app.command()
def resume(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Let the paused turn go on where it was: a running server takes it up, and so does `feilun turn`.

    Exit code 1 when no turn is paused.

    \b
    Examples:
      feilun job resume support
    """
    with open_project(folder) as project:
        _tell(project.resume_turn(actor=user_name()), "resumed", otherwise="nothing_to_resume", as_json=as_json)


def _tell(turn_id: str | None, what: str, *, otherwise: str, as_json: bool) -> None:
    """What happened to which turn; exit code 1 when there was none to which it could."""
    key = f"job.{what if turn_id else otherwise}"
    result({what: turn_id}, as_json=as_json, human=lambda _: typer.echo(words(key, turn_id=turn_id)))
    if turn_id is None:
        raise typer.Exit(EXIT_NOT_REACHED)


def _find(project: Project, turn_id: str | None) -> dict[str, Any]:
    """One turn of this project, by id or the latest."""
    if turn_id is not None:
        return project.get_turn(turn_id)
    turns = project.list_turns(limit=1)
    if turns:
        return turns[0]
    say("job.no_turn", project=project.name)
    raise typer.Exit(EXIT_WRONG_USE)


def _show_jobs(rows: list[dict[str, Any]]) -> None:
    if not rows:
        typer.echo(words("empty"))
        return
    table(
        [
            (
                words(f"job_kind.{r['kind']}"),
                r["project"],
                words(f"state.{r['state']}"),
                r["step"],
                r["by"],
                r["since"],
                r["job_id"],
            )
            for r in rows
        ],
        columns=("job", "project", "state", "step", "by", "since", "subject_id"),
    )


def _show_turns(rows: list[dict[str, Any]]) -> None:
    from feilun.store import state_of

    table(
        [
            (r["created_at"], r["turn_id"], words(f"status.{state_of(r)}"), r["requested_by"], r["model_id"])
            for r in rows
        ],
        columns=("created_at", "turn_id", "status", "requested_by", "model_id"),
    )


def _show_turn(row: dict[str, Any]) -> None:
    from feilun.errors import language

    _show_turns([row])
    told = (row["result"] or {}).get("decision") or row["error"]
    if told:
        typer.echo(str(told[language()]))
