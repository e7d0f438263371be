"""What can go wrong in training."""

from __future__ import annotations

from feilun.errors import FeilunError


class NothingToLearn(FeilunError):
    """The dataset has no labelled training example, or only one class."""

    code, kind = "train.nothing_to_learn", "invalid"
    en = "Training needs labelled examples of at least two classes; the dataset has {n_examples} of {n_classes}. Add rows."
    zh = "训练至少需要两个类别的已标注样本;数据集只有 {n_classes} 个类别、{n_examples} 个样本。请补充数据。"


class NoCandidate(FeilunError):
    """Every rung of the ladder is switched off, was skipped or failed."""

    code, kind = "train.no_candidate", "unavailable"
    en = "No candidate could be trained: {reasons}. Enable [train.probe] or raise [train] budget_s."
    zh = "没有可用的候选模型:{reasons}。请启用 [train.probe],或提高 [train] budget_s。"


class UnsupportedBackbone(FeilunError):
    """The backbone's network is of a kind that our training loop does not know."""

    code, kind = "train.unsupported_backbone", "invalid"
    en = "The backbone's {what} {found!r} cannot be tuned; encoders of the BERT family can. The probe works with it."
    zh = "骨干模型的 {what} 为 {found!r},无法微调;目前支持 BERT 系列编码器。探针(probe)仍可使用。"


class ResultDamaged(FeilunError):
    """The folder of a training result lacks a file or holds one that cannot be read."""

    code, kind = "train.result_damaged", "missing"
    en = "The training result in {folder} is incomplete: {what}. Train again."
    zh = "{folder} 中的训练结果不完整:{what}。请重新训练。"
