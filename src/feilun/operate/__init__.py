"""Keeping a workspace alive: backups, restoring them, and what is wrong with a machine."""

from feilun.operate.backup import back_up
from feilun.operate.doctor import examine, examine_workspace
from feilun.operate.kept import MOST_KEPT, KeptBackup, KeptBackups
from feilun.operate.machine import describe_machine
from feilun.operate.measure import measure
from feilun.operate.restore import restore

__all__ = [
    "MOST_KEPT",
    "KeptBackup",
    "KeptBackups",
    "back_up",
    "describe_machine",
    "examine",
    "examine_workspace",
    "measure",
    "restore",
]
