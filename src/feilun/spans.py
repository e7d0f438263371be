"""Where the time of a request goes: parts of it are noted by who does the work, while somebody listens.

Nobody listens unless traces are on; then a part costs one call, else a look at a variable. Parts are names and times.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

Note = Callable[[str, int, int], None]
"""Called with a part's name, and when it began and ended in nanoseconds since 1970; from any thread."""

LISTENER: ContextVar[Note | None] = ContextVar("feilun_spans", default=None)
