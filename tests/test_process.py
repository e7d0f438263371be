"""A process is known again among those of all machines, and only said to be gone when that is certain."""

from __future__ import annotations

import subprocess
import sys

from feilun.process import child_environment, identity, is_gone

TELL = "from feilun.process import identity; print(identity(), flush=True); input()"


def test_a_process_is_gone_when_it_has_ended_here_and_not_before():
    child = subprocess.Popen(
        [sys.executable, "-c", TELL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )
    assert child.stdout is not None
    who = child.stdout.readline().strip()
    assert not is_gone(who)
    child.communicate("\n")
    assert is_gone(who)


def test_of_other_machines_and_of_itself_nothing_is_said():
    place, pid, started = identity().rsplit(" ", 2)
    assert not is_gone(f"{place} {pid} {started}")
    assert is_gone(f"{place} {pid} {int(started) - 1}")  # the number was given to another process since
    assert not is_gone(f"elsewhere {place} {pid} {int(started) - 1}")
