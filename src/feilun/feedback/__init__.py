"""What people say about answers: taken in durably, turned into training examples, asked for where it teaches most."""

from feilun.feedback.capture import capture
from feilun.feedback.corrections import SOURCE, corrections
from feilun.feedback.errors import FeedbackEmpty, FeedbackHomeless, FeedbackInvalid
from feilun.feedback.predictions import prediction_row, teach_score
from feilun.feedback.queue import review_queue

__all__ = [
    "SOURCE",
    "FeedbackEmpty",
    "FeedbackHomeless",
    "FeedbackInvalid",
    "capture",
    "corrections",
    "prediction_row",
    "review_queue",
    "teach_score",
]
