"""What people say about answers: taken in durably, turned into training examples, asked for where it teaches most."""

from feilun.feedback.capture import capture
from feilun.feedback.choosing import STRATEGIES, Pool, choose
from feilun.feedback.cold_start import ColdStart, find_groups
from feilun.feedback.corrections import SOURCE, corrections
from feilun.feedback.errors import FeedbackEmpty, FeedbackHomeless, FeedbackInvalid
from feilun.feedback.monitor import MonitorInvalid, MonitorTimeInvalid, check_interval, floor, in_utc, monitor
from feilun.feedback.predictions import DISAGREEMENT_TEACHES, asked_row, prediction_row, shadow_row, teach_score
from feilun.feedback.queue import alike_in_meaning, is_disliked, review_queue, waits_because
from feilun.feedback.reasons import explain, sentences, why
from feilun.feedback.traffic import TRAFFIC, asked

__all__ = [
    "DISAGREEMENT_TEACHES",
    "SOURCE",
    "STRATEGIES",
    "TRAFFIC",
    "ColdStart",
    "FeedbackEmpty",
    "FeedbackHomeless",
    "FeedbackInvalid",
    "MonitorInvalid",
    "MonitorTimeInvalid",
    "Pool",
    "alike_in_meaning",
    "asked",
    "asked_row",
    "capture",
    "check_interval",
    "choose",
    "corrections",
    "explain",
    "find_groups",
    "floor",
    "in_utc",
    "is_disliked",
    "monitor",
    "prediction_row",
    "review_queue",
    "sentences",
    "shadow_row",
    "teach_score",
    "waits_because",
    "why",
]
