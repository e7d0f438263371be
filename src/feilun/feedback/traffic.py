"""What users asked the served model, as examples without a label."""

from __future__ import annotations

from datetime import datetime

from feilun.records import Example
from feilun.store import Store
from feilun.tasks import Task, example_id

TRAFFIC = "traffic"


def asked(store: Store, project: str, *, task: Task, until: datetime, limit: int) -> list[Example]:
    """The latest `limit` messages that were asked until `until`, each once; what was said of them plays no part."""
    rows = store.list_asked(project, until=until, limit=limit)
    texts = {example_id(task.text_of(row["inputs"])): row for row in rows}
    return [Example(identity, dict(row["inputs"]), None, TRAFFIC) for identity, row in texts.items()]
