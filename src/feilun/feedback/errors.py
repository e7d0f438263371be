"""What can be wrong with feedback."""

from feilun.errors import FeilunError


class FeedbackEmpty(FeilunError):
    """Feedback that says nothing."""

    code, kind = "feedback.empty", "invalid"
    en = "Feedback needs at least one of: label, thumb, text, comment."
    zh = "反馈至少需要以下之一：label（标签）、thumb（赞/踩）、text（修改后的答案）、comment（评论）。"


class FeedbackHomeless(FeilunError):
    """Feedback that does not say which answer or which message it is about."""

    code, kind = "feedback.homeless", "invalid"
    en = (
        "Feedback needs the prediction_id of an answer, or the inputs of the message it is about (a thumb needs an id)."
    )
    zh = "反馈需要某个回答的 prediction_id，或所针对消息的 inputs（thumb 必须带 prediction_id）。"


class FeedbackInvalid(FeilunError):
    """One part of the feedback cannot be used."""

    code, kind = "feedback.invalid", "invalid"
    en = "Feedback: {field} must be {expected_en}."
    zh = "反馈：{field} 必须是{expected_zh}。"
