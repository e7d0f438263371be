"""What people corrected, as training examples."""

from __future__ import annotations

from feilun.records import Example
from feilun.store import Store
from feilun.tasks import Task, example_id

SOURCE = "feedback"


def corrections(store: Store, project: str, *, task: Task, after: int = 0, up_to: int | None = None) -> list[Example]:
    """Examples from feedback that says the right labels, with after < seq <= up_to, in the order of the log.

    A message that was corrected more than once is one example with the latest labels; `row` is its place in the log.
    """
    latest: dict[str, Example] = {}
    for row in store.list_corrections(project, after=after, up_to=up_to):
        identity = example_id(task.text_of(row["inputs"]))
        latest.pop(identity, None)  # so that it takes its later place
        latest[identity] = Example(
            example_id=identity,
            inputs=dict(row["inputs"]),
            target=tuple(row["labels"]),
            source=SOURCE,
            row=int(row["seq"]),
        )
    return list(latest.values())
