"""What a team builds: one folder a task, all behind the `Task` protocol."""

from feilun.tasks.base import Task, UnknownTask, get_task, list_tasks

__all__ = ["Task", "UnknownTask", "get_task", "list_tasks"]
