"""Telling a team's chat when something is wrong: what the rules say, in which words, and the way there."""

from feilun.alerts.address import Door
from feilun.alerts.courier import deliver, host_of
from feilun.alerts.errors import AlertNotSent, AlertsNowhere, AlertTargetUnknown
from feilun.alerts.retries import when_again
from feilun.alerts.rules import Facts, Step, read_rules, state_of, step
from feilun.alerts.words import payload_of

__all__ = [
    "AlertNotSent",
    "AlertTargetUnknown",
    "AlertsNowhere",
    "Door",
    "Facts",
    "Step",
    "deliver",
    "host_of",
    "payload_of",
    "read_rules",
    "state_of",
    "step",
    "when_again",
]
