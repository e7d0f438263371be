"""`feilun label`: which messages a person should label, and how to start without any label."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feilun.cli.shared import HERE, AsJson, Folder, new_app, open_project, result, say, short, table, user_name, words
from feilun.errors import language as spoken

if TYPE_CHECKING:
    from feilun.records import LabelledFile, LabelProposal, SuggestionBatch

app = new_app(help="What to label next, and how to start without labels.")
TELL_EVERY = 2048  # messages between two lines of progress off a terminal
STRATEGIES = "auto|margin|entropy|typical|diverse|gradient|disagreement|random"
Seed = Annotated[int, typer.Option(min=0, help="Seed of what is drawn by lot.")]


@app.command("next")
def next_(
    folder: Folder = HERE,
    limit: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Most messages to suggest (default: [label] batch).")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar=STRATEGIES, help="How to choose (default: [label] strategy).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write them to a file with an empty label column.")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Suggest the messages whose labels would teach the model most, and say why.

    They come from the review queue, from answers that nobody has spoken on, from rows without a label and, a quarter
    of them at most, from rows whose own label looks wrong. Fill in the label column of the file and bring it back with
    `feilun feedback import`.

    \b
    Examples:
      feilun label next support --limit 77 --out batch.csv
      feilun label next support --strategy margin --json
    """
    with open_project(folder) as project, _Counting("label.reading") as counting:
        batch = project.suggest(limit=limit, strategy=strategy, seed=seed, out=out, on_progress=counting)
    result(batch, as_json=as_json, human=_show_batch if out is None else lambda _: typer.echo(str(out)))
    say("label.pool", n=len(batch.suggestions), n_pool=batch.n_pool, strategy=batch.strategy)
    if out is not None:
        say("label.import_next", out=out, folder="" if folder == HERE else f" {folder}")


@app.command()
def start(
    data: Annotated[Path, typer.Option(metavar="FILE", help="Messages without labels: any format that init reads.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The table of groups to write; .csv, .tsv, .jsonl or .xlsx.")
    ] = Path("groups.csv"),
    text: Annotated[str | None, typer.Option(metavar="COL", help="Column of the message.")] = None,
    classes: Annotated[
        int | None, typer.Option(min=2, max=1000, help="How many groups to make (default: as many as are told apart).")
    ] = None,
    language: Annotated[str | None, typer.Option(metavar="en|zh|multi", help="Language of the messages.")] = None,
    backbone: Annotated[str, typer.Option(metavar="SPEC", help="Another backbone than the language's default.")] = "",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Start from messages without any label: put like ones into groups and propose a name for each.

    Look through the table in a spreadsheet: rename labels, give two groups the same label to merge them, empty a
    label to leave a group out. Then `feilun label apply` makes a labelled file of it.

    \b
    Examples:
      feilun label start --data messages.csv
      feilun label start --data 消息.xlsx --text 内容 --classes 30 --out 分组.xlsx
    """
    from feilun.cli.pulling import Pulling
    from feilun.project import Project

    if language not in (None, "en", "zh", "multi"):
        raise typer.BadParameter(f"{language!r} is not en, zh or multi", param_hint="--language")
    with Pulling() as pulling, _Counting("label.reading") as counting:
        proposal = Project.propose_labels(
            data,
            out=out,
            text=text,
            language=language,
            n_groups=classes,
            backbone=backbone,
            seed=seed,
            on_event=pulling,
            on_progress=counting,
        )
    result(proposal, as_json=as_json, human=_show_proposal)
    say("label.proposed", n_messages=proposal.n_messages, n_groups=len(proposal.groups), path=proposal.groups_path)
    if proposal.n_set_aside:
        say("label.set_aside", n=proposal.n_set_aside)
    say("label.apply_next", path=proposal.groups_path)


@app.command()
def apply(
    groups: Annotated[Path, typer.Argument(metavar="FILE", help="The edited table of groups.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The labelled file to write, for feilun init.")],
    core: Annotated[
        float,
        typer.Option(
            min=0.05, max=1, help="Share of each group, its most typical messages, that gets the label; the rest none."
        ),
    ] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Make a labelled file of the table of groups that you have looked through.

    Messages at the fringe of a group stay without a label: `feilun label next` asks about them later.

    \b
    Examples:
      feilun label apply groups.csv --out labelled.csv
      feilun label apply groups.csv --out labelled.csv --core 1
    """
    from feilun.project import Project

    done = Project.apply_labels(groups, out=out, core=core)
    result(done, as_json=as_json, human=_show_labelled)
    say("label.init_next", out=done.out)


@app.command()
def ask(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The message.")],
    folder: Annotated[Path, typer.Option("--project", metavar="DIR", help="Folder of the project.")] = HERE,
    as_json: AsJson = False,
) -> None:
    """Put a message into the review queue, for a second opinion.

    \b
    Examples:
      feilun label ask "my card was swallowed" --project support
    """
    with open_project(folder) as project:
        prediction_id = project.ask_people(text, actor=user_name())
    result({"prediction_id": prediction_id}, as_json=as_json, human=lambda made: typer.echo(made["prediction_id"]))


class _Counting:
    """Messages read by the network, on stderr: one line that moves on a terminal, a line now and then elsewhere."""

    def __init__(self, key: str) -> None:
        self._key, self._told, self._is_open = key, 0, False

    def __enter__(self) -> _Counting:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_open:
            typer.echo(err=True)

    def __call__(self, n_done: int, n_all: int) -> None:
        said = words(self._key, done=n_done, total=n_all)
        if sys.stderr.isatty():
            typer.echo(f"\r{said}", nl=False, err=True)
            self._is_open = True
        elif n_done - self._told >= TELL_EVERY:
            self._told = n_done
            typer.echo(said, err=True)


def _show_batch(batch: SuggestionBatch) -> None:
    from feilun.feedback import sentences

    if not batch.suggestions:
        typer.echo(words("label.nothing"))
        return
    table(
        [
            (
                short(str(next(iter(one.inputs.values()), ""))),
                " | ".join(one.labels),
                one.confidence,
                sentences(one.why, lang=spoken()),
            )
            for one in batch.suggestions
        ],
        columns=("message", "guess", "confidence", "why"),
    )


def _show_proposal(proposal: LabelProposal) -> None:
    table(
        [(group.number, group.label, group.n_messages, short(group.examples[0])) for group in proposal.groups],
        columns=("group", "label", "n_messages", "example"),
    )


def _show_labelled(done: LabelledFile) -> None:
    table(list(done.class_counts.items()), columns=("label", "n_messages"))
    typer.echo(words("label.labelled", n_labelled=done.n_labelled, n_rows=done.n_rows, out=done.out))
