"""What a person should know before trusting the figures: each warning once, in both languages."""

from __future__ import annotations

from typing import Any

SMALL_HOLDOUT = 100
FEW_VALIDATION = 20
N_NAMES = 5

TEXTS: dict[str, tuple[str, str]] = {
    "small_holdout": (
        "The holdout has only {n} messages, so the intervals are wide. From about {enough} on, they become useful.",
        "留出集只有 {n} 条消息，置信区间会很宽。大约 {enough} 条以上才有参考价值。",
    ),
    "no_holdout_row": (
        "{n} of {n_classes} classes have no message in the holdout, so nothing is known about them: {names}.",
        "{n_classes} 个类别中有 {n} 个在留出集里没有消息，无从评判：{names}。",
    ),
    "unknown_labels": (
        "{n} holdout messages carry labels that training never saw; they count as wrong: {names}. "
        "Add training messages with these labels, or correct the labels.",
        "留出集中有 {n} 条消息的标签在训练数据中从未出现，按答错计：{names}。请补充这些标签的训练消息，或改正标签。",
    ),
    "unlabelled_holdout": (
        "{n} holdout rows have no label and were left out of every figure.",
        "留出集中有 {n} 行没有标签，未计入任何指标。",
    ),
    "few_validation": (
        "Calibration and thresholds stand on only {n} messages. Treat confidences as a rough order; "
        "they firm up with more labels.",
        "校准和阈值只依据 {n} 条消息。置信度暂时只能看作大致排序，标注增多后会更可靠。",
    ),
    "no_validation": (
        "There are no out-of-fold messages, so confidence is not calibrated and every message is handed over. "
        "Add labelled messages.",
        "没有折外消息可用，置信度未经校准，所有消息都转人工。请补充已标注的消息。",
    ),
    "best_effort": (
        "The limit of {limit} wrong answers is aimed at but not promised: of {n} training messages judged out of fold, "
        "{n_answered} would be answered and {n_wrong} of those wrong. More labels turn the aim into a promise.",
        "{limit} 的错误率上限是目标而非保证：折外评判的 {n} 条训练消息中，会自动回答 {n_answered} 条，"
        "其中错 {n_wrong} 条。标注更多后才能给出保证。",
    ),
    "hand_over_all": (
        "No threshold keeps wrong answers below {limit}, so every message is handed over. "
        "Add labels, look at the most confused pairs, or raise [evaluate] max_error_rate.",
        "没有任何阈值能把错误率控制在 {limit} 以下，因此所有消息都转人工。"
        "请补充标注、查看最易混淆的类别，或调高 [evaluate] max_error_rate。",
    ),
    "limit_missed": (
        "On the holdout {n_wrong} of {n_answered} answers are wrong, clearly more than the limit of {limit}: "
        "the holdout differs from the training messages.",
        "留出集上自动回答的 {n_answered} 条中错了 {n_wrong} 条，明显高于 {limit} 的上限：留出集与训练消息不同。",
    ),
    "scope_not_learnt": (
        "Out-of-scope messages cannot be told apart yet: training has {n} of them, at least {needed} are needed.",
        "暂时无法识别超出范围的消息：训练数据中只有 {n} 条，至少需要 {needed} 条。",
    ),
    "scope_not_judged": (
        "A threshold for out-of-scope messages was learnt, but the holdout has none, so it is unproven.",
        "已学得超出范围消息的阈值，但留出集中没有这类消息，效果未经验证。",
    ),
}


class Warnings:
    """Collects warnings; `en` and `zh` have the same length and order."""

    def __init__(self) -> None:
        self.en: list[str] = []
        self.zh: list[str] = []

    def add(self, key: str, **fields: Any) -> None:
        """Add the warning `key` of TEXTS; numbers get separators, fractions percent signs, long lists are cut."""
        en, zh = TEXTS[key]
        self.en.append(en.format(**{name: spoken(value, "en") for name, value in fields.items()}))
        self.zh.append(zh.format(**{name: spoken(value, "zh") for name, value in fields.items()}))


def spoken(value: Any, lang: str) -> str:
    """1234 -> '1,234', 0.05 -> '5 %' ('5%' in Chinese), a list of more than five names -> five and how many more."""
    if isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{100 * value:.3g}" + (" %" if lang == "en" else "%")
    shown = (", " if lang == "en" else "、").join(str(item) for item in value[:N_NAMES])
    n_more = len(value) - N_NAMES
    if n_more > 0:
        shown += f" and {n_more} more" if lang == "en" else f" 等，另有 {n_more} 个"
    return shown
