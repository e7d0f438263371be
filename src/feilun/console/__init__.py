"""The console as it was built from web/: files that are the same for everybody and hold no data."""

from feilun.console.files import Asset, Console, read_console

__all__ = ["Asset", "Console", "read_console"]
