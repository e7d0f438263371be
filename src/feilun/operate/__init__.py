"""Keeping a workspace alive: backups, restoring them, and what is wrong with a machine."""

from feilun.operate.backup import back_up
from feilun.operate.doctor import examine
from feilun.operate.machine import describe_machine
from feilun.operate.restore import restore

__all__ = ["back_up", "describe_machine", "examine", "restore"]
