"""The door for HTTP: predictions, feedback, models, releases and turns around the projects of a folder."""

from feilun.serve.api.app import create_app
from feilun.serve.api.server import serve

__all__ = ["create_app", "serve"]
