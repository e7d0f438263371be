"""What can go wrong in training."""

from __future__ import annotations

from feilun.errors import FeilunError


class NothingToLearn(FeilunError):
    """The dataset has no labelled training example, or only one class."""

    code, kind = "train.nothing_to_learn", "invalid"
    en = (
        "Training needs labelled examples of at least two classes; "
        "this dataset has {n_examples} examples of {n_classes} class(es). Add rows."
    )
    zh = "训练至少需要两个类别的已标注样本；该数据集有 {n_examples} 个样本、{n_classes} 个类别。请补充数据。"


class NoCandidate(FeilunError):
    """Every rung of the ladder is switched off, was skipped or failed."""

    code, kind = "train.no_candidate", "unavailable"
    en = "No candidate could be trained: {reasons_en} Set enabled = true in [train.probe], or raise [train] budget_s."
    zh = "没有一个候选训练成功：{reasons_zh}请在 [train.probe] 中设置 enabled = true，或提高 [train] budget_s。"


class ResultDamaged(FeilunError):
    """The folder of a training result lacks a file or holds one that cannot be read."""

    code, kind = "train.result_damaged", "missing"
    en = "The training result in {folder} is not whole: {what}. Train again."
    zh = "{folder} 中的训练结果不完整：{what}。请重新训练。"
