"""`feilun model`: the models of a project, and the backbones they stand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feilun.cli.comparing import compare
from feilun.cli.examples import ask, confusion, errors, thresholds
from feilun.cli.pulling import Pulling
from feilun.cli.report import show_report
from feilun.cli.shared import (
    HERE,
    AsJson,
    Folder,
    Yes,
    confirm,
    new_app,
    open_project,
    result,
    say,
    table,
    user_name,
    words,
)
from feilun.errors import EXIT_NOT_REACHED, language

if TYPE_CHECKING:
    from feilun.models import ModelStatus
    from feilun.records import CompressResult

app = new_app(
    help="Models of a project: list, show, errors, confusion, thresholds, ask, compare, compress, export, import, "
    "verify. Backbones: list, pull, remove."
)

app.command()(errors)
app.command()(confusion)
app.command()(thresholds)
app.command()(ask)
app.command()(compare)

MISSED = ("nothing_fits", "goal_missed", "size", "latency")  # reason codes when the goal was not reached

Model = Annotated[str | None, typer.Option(metavar="MODEL", help="Id of the model (default: the champion).")]


@app.command("list")
def list_(
    folder: Folder = HERE,
    backbones: Annotated[
        bool, typer.Option("--backbones", help="List the backbones instead; needs no project.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List a project's models, latest first; or the backbones of the catalogue and of this machine.

    \b
    Examples:
      feilun model list support
      feilun model list --backbones
    """
    if backbones:
        from feilun.models import list_models

        result(list_models(), as_json=as_json, human=_show_backbones)
        return
    with open_project(folder) as project:
        champion = project.store.find_champion(project.name)
        rows = [row | {"is_champion": row["model_id"] == champion} for row in project.list_models()]
        result(rows, as_json=as_json, human=_show_models)


@app.command()
def show(folder: Folder = HERE, model: Model = None, as_json: AsJson = False) -> None:
    """Show a model: size, dataset, turn, and its report.

    \b
    Examples:
      feilun model show support
      feilun model show support --model m_0123456789ab --json
    """
    with open_project(folder) as project:
        result(project.get_model(model), as_json=as_json, human=_show_model)


@app.command()
def export(
    folder: Folder = HERE,
    model: Model = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Archive to write, .tar.gz or .zip (default: MODEL.tar.gz).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write one archive of a verified bundle: weights, tokenizer, labels, thresholds, report, card, checksums.

    \b
    Examples:
      feilun model export support --out support.tar.gz
    """
    with open_project(folder) as project:
        model_id = project.get_model(model)["model_id"]
        path = project.export_model(model_id, out=out or Path(f"{model_id}.tar.gz"))
        result({"model_id": model_id, "out": path}, as_json=as_json, human=lambda made: typer.echo(str(made["out"])))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Archive that `feilun model export` wrote.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Check an exported model and put it among the project's own; it answers nothing until it is promoted.

    \b
    Examples:
      feilun model import support.tar.gz support
    """
    with open_project(folder) as project:
        model_id = project.import_model(file)
    result({"model_id": model_id}, as_json=as_json, human=lambda made: typer.echo(made["model_id"]))
    say("model.imported", model_id=model_id, folder=folder)


@app.command()
def compress(
    folder: Folder = HERE,
    model: Model = None,
    layers: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            help="Teach a student of N layers; may be repeated; 0 for none (default: half, without --width).",
        ),
    ] = None,
    width: Annotated[
        list[float] | None,
        typer.Option(
            metavar="SHARE",
            help="Teach a student of all layers that keeps this share of each one's attention heads and feed-forward "
            "units; may be repeated (default: none).",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the table, and make nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a model smaller: show size, latency and accuracy of its forms, take the one that the goal asks for.

    The forms: with and without eight bits, with the project's pieces of a large vocabulary, and students of fewer or
    narrower layers that learn from all messages, labelled or not (needs feilun[train]). Exit code 1: no form keeps the
    goal.

    \b
    Examples:
      feilun model compress support --dry-run
      feilun model compress support --layers 3 --layers 2
      feilun model compress support --layers 3 --width 0.5
    """
    from feilun.cli.progress import say_event

    students = None if layers is None else [number for number in layers if number != 0]
    with open_project(folder) as project:
        made = project.compress_model(
            model, n_layers=students, widths=width or (), only_show=dry_run, actor=user_name(), on_event=say_event
        )
    result(made, as_json=as_json, human=_show_forms)
    if made.reason_code in MISSED:
        raise typer.Exit(EXIT_NOT_REACHED)


@app.command()
def verify(
    folder: Folder = HERE,
    model: Model = None,
    backbones: Annotated[
        bool, typer.Option("--backbones", help="Verify the cached backbones; needs no project.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every file of a bundle against its checksum.

    \b
    Examples:
      feilun model verify support
      feilun model verify --backbones
    """
    if backbones:
        _verify_backbones(as_json=as_json)
        return
    with open_project(folder) as project:
        model_id = project.get_model(model)["model_id"]
        manifest = project.verify_model(model_id)
        checked = {"model_id": model_id, "n_files": len(manifest.files), "files": manifest.files}
        result(
            checked,
            as_json=as_json,
            human=lambda found: typer.echo(
                words("model.verified", model_id=found["model_id"], n_files=found["n_files"])
            ),
        )


@app.command()
def pull(
    spec: Annotated[
        list[str] | None, typer.Argument(metavar="[BACKBONE]...", help="Alias, hf:…, ms:…, dir:… or pip:…")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(metavar="en|zh|multi", help="Pull a language's default; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch backbones into this machine's cache: the only command that uses the network, besides `init`.

    \b
    Examples:
      feilun model pull --language en --language zh
      feilun model pull dir:/media/usb/multilingual-e5-small
    """
    from feilun.models import pull as pull_backbone

    if not spec and not language:
        raise typer.BadParameter("name a backbone, or --language en|zh|multi", param_hint="BACKBONE")
    wanted = [(one, "multi") for one in spec or ()] + [("", one) for one in language or ()]
    with Pulling() as pulling:
        pulled = [pull_backbone(one, language=lang, on_event=pulling) for one, lang in wanted]
    rows = [backbone.info.model_dump(mode="json") | {"folder": str(backbone.folder)} for backbone in pulled]
    result(rows, as_json=as_json, human=_show_pulled)


@app.command()
def remove(
    spec: Annotated[str, typer.Argument(metavar="BACKBONE", help="As `feilun model list --backbones` shows it.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a backbone from this machine's cache. Models made with it go on working; new turns need it again.

    \b
    Examples:
      feilun model remove multilingual-e5-small --yes
    """
    from feilun.models import remove as remove_backbone

    confirm("model.confirm_remove", yes=yes, spec=spec)
    result({"removed": remove_backbone(spec)}, as_json=as_json, human=lambda _: say("model.removed", spec=spec))


def _verify_backbones(*, as_json: bool) -> None:
    from feilun.models import list_models
    from feilun.models import verify as verify_backbone

    checked = [verify_backbone(row.alias).info for row in list_models() if row.is_cached]
    result(checked, as_json=as_json, human=lambda rows: typer.echo(words("model.backbones_verified", n=len(rows))))


def _show_forms(made: CompressResult) -> None:
    table(
        [
            (
                "→" if point.is_chosen else "",
                point.name,
                point.size_mb,
                point.p50_ms,
                point.p99_ms,
                f"{point.accuracy.value:.2%} [{point.accuracy.low:.2%}, {point.accuracy.high:.2%}]",
                f"{point.agreement:.2%}",
                point.is_within,
                point.is_dominated,
            )
            for point in made.points
        ],
        columns=("chosen", "form", "size_mb", "p50_ms", "p99_ms", "accuracy", "agreement", "within", "dominated"),
        title=words("model.forms", model_id=made.parent_model_id, n_rows=made.n_rows),
    )
    if made.model_id:
        typer.echo(words("model.compressed", model_id=made.model_id, parent=made.parent_model_id))
    typer.echo(made.zh if language() == "zh" else made.en)


def _show_pulled(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo(f"{row['alias']}  {row['folder']}")


def _show_backbones(rows: list[ModelStatus]) -> None:
    table(
        [
            (row.alias, row.is_cached, row.size_mb, " ".join(row.languages), row.licence, row.variant, row.source)
            for row in rows
        ],
        columns=("backbone", "cached", "size_mb", "languages", "licence", "variant", "source"),
    )


def _show_models(rows: list[dict[str, Any]]) -> None:
    table(
        [
            (
                "→" if row["is_champion"] else "",
                row["model_id"],
                row["created_at"],
                row["size_mb"],
                *(f"{row['report']['metrics'][name]['value']:.4f}" for name in list(row["report"]["metrics"])[:2]),
                row["dataset_id"],
            )
            for row in rows
        ],
        columns=("champion", "model_id", "created_at", "size_mb", "accuracy", "macro_f1", "dataset_id"),
    )


def _show_model(row: dict[str, Any]) -> None:
    from feilun.records import Report

    typer.echo(words("model.line", model_id=row["model_id"], turn_id=row["turn_id"], size_mb=row["size_mb"]))
    show_report(Report.model_validate(row["report"]))
