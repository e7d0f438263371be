"""The command line: one file a group, each command a few lines over a `Project` method."""

from feilun.cli.app import app, main

__all__ = ["app", "main"]
