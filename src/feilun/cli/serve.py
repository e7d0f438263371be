"""`feilun serve`: the HTTP door."""

from __future__ import annotations

from typing import Annotated

import typer

from feilun.cli.shared import HERE, Folder


def serve(
    folder: Folder = HERE,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on (default: [serve] host). Anything but loopback needs an API key."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one (default: [serve] port)."),
    ] = None,
) -> None:
    """Serve the champion over HTTP, take feedback, and turn the wheel when it is due.

    DIR is a project, or a folder whose sub-folders are projects: all of them are served. The address is printed on
    stdout once the server answers; opened in a browser, it shows the console. Ctrl-C or SIGTERM finishes the requests
    in flight and stops.

    \b
    Examples:
      feilun serve
      feilun serve support --port 8000
      feilun serve support --host 0.0.0.0
    """
    from feilun.serve.api import serve as serve_folder

    serve_folder(folder, host=host, port=port, on_ready=typer.echo)
