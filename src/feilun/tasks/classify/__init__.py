"""Sort messages into classes: intents, topics, sentiment; one label or several per message."""

from feilun.tasks.classify.task import ClassifyTask

__all__ = ["ClassifyTask"]
