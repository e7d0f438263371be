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


class UnknownStrategy(FeilunError):
    """A way of choosing what to label that does not exist."""

    code, kind = "label.unknown_strategy", "invalid"
    en = "There is no strategy {strategy!r}. Choose one of: {known}."
    zh = "没有名为 {strategy!r} 的策略。可选：{known}。"


class TooFewMessages(FeilunError):
    """There are not enough different messages to find groups in."""

    code, kind = "label.too_few_messages", "invalid"
    en = "There are {n_messages} different messages; {least} are needed. Add messages, or ask for fewer groups."
    zh = "只有 {n_messages} 条不同的消息，至少需要 {least} 条。请补充消息，或减少分组数。"
