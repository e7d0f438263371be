"""What people say about answers: taken in durably, turned into training examples, asked for where it teaches most."""

from feilun.feedback.capture import capture
from feilun.feedback.choosing import STRATEGIES, Pool, choose
from feilun.feedback.corrections import corrections
from feilun.feedback.errors import FeedbackEmpty, FeedbackHomeless, FeedbackInvalid
from feilun.feedback.predictions import prediction_row, teach_score
from feilun.feedback.queue import review_queue
from feilun.feedback.reasons import explain, why

__all__ = [
    "STRATEGIES",
    "FeedbackEmpty",
    "FeedbackHomeless",
    "FeedbackInvalid",
    "Pool",
    "capture",
    "choose",
    "corrections",
    "explain",
    "prediction_row",
    "review_queue",
    "teach_score",
    "why",
]
