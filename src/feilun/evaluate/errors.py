"""What can go wrong when a model is judged."""

from __future__ import annotations

from feilun.errors import FeilunError


class HoldoutEmpty(FeilunError):
    """The holdout has no labelled row inside the label set, so nothing can be judged."""

    code, kind = "evaluate.holdout_empty", "invalid"
    en = (
        "None of the {n_rows} holdout rows carries a label of a class, so the model cannot be judged. Add labelled "
        "rows to the holdout file, or raise [data] holdout_fraction."
    )
    zh = (
        "留出集的 {n_rows} 行中没有任何一行带有类别标签，无法评判模型。"
        "请在留出文件中加入已标注的行，或调大 [data] holdout_fraction。"
    )


ARRAYS = {
    "champion_logits": ("champion's logits on the holdout", "冠军在留出集上的 logits"),
    "holdout_embeddings": ("embeddings of the holdout", "留出集的向量"),
    "holdout_logits": ("logits on the holdout", "留出集上的 logits"),
    "validation_logits": ("logits of the validation", "验证集上的 logits"),
    "validation_outside": ("out-of-scope marks of the validation", "验证集的超出范围标记"),
    "validation_targets": ("labels of the validation", "验证集的标签"),
}


class ShapeMismatch(FeilunError):
    """Two arrays that belong together differ in shape. `what` is a key of ARRAYS."""

    code, kind = "evaluate.shape_mismatch", "invalid"
    en = (
        "The {what} have shape {found}, expected {expected}. The files of this turn do not belong together: turn again."
    )
    zh = "{what} 的形状是 {found}，应为 {expected}。这一轮的文件彼此不匹配，请重新运行这一轮。"
    reasons = ARRAYS


class NotFinite(FeilunError):
    """A model gives NaN or infinity; it must never be released. `what` is a key of ARRAYS."""

    code, kind = "evaluate.not_finite", "invalid"
    en = (
        "The {what} have {n_rows} row(s) that are not finite numbers, so the model is broken. Lower "
        "[train.tune] learning_rate, or set [compress] int8 = false, and turn again."
    )
    zh = (
        "{what} 中有 {n_rows} 行不是有限数值，说明模型已损坏。"
        "请调低 [train.tune] learning_rate，或设置 [compress] int8 = false，然后重新运行这一轮。"
    )
    reasons = ARRAYS


class NothingInCommon(FeilunError):
    """Two models were to be compared, and no held-out message was put to both."""

    code, kind = "evaluate.nothing_in_common", "conflict"
    en = (
        "No labelled held-out message was put to both {old} and {new}: they were judged on other holdouts, so there is "
        "nothing to compare them on. Compare models that were made since the holdout was changed."
    )
    zh = (
        "没有一条带标签的留出消息同时评判过 {old} 和 {new}：两者的留出集不同，无从比较。"
        "请比较留出集更换之后制作的模型。"
    )


class OtherTask(FeilunError):
    """Two models were to be compared that answer different questions."""

    code, kind = "evaluate.other_task", "conflict"
    en = (
        "{old} and {new} were made for different tasks ({old_task}; {new_task}), so their answers cannot be held "
        "against each other. Compare models of the same task."
    )
    zh = "{old} 与 {new} 的任务不同（{old_task}；{new_task}），其回答无法相互比较。请比较任务相同的模型。"
