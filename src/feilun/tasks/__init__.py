"""What a team builds: one folder a task, all behind the `Task` protocol."""

from feilun.tasks.base import Task, UnknownTask, get_task, list_tasks
from feilun.tasks.identity import example_id

__all__ = ["Task", "UnknownTask", "example_id", "get_task", "list_tasks"]
