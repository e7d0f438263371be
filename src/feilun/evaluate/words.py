"""The sentences of the report, in both languages; every key and placeholder exists in both."""

from __future__ import annotations

EN = {
    "title": "Model report",
    "headline": "Right on {value} of {n} held-out messages ({level} interval: {low} to {high}).",
    "headline_other": "{name} is {value} on {n} held-out messages ({level} interval: {low} to {high}).",
    "trained_on": "Trained on {n_train} messages in {n_classes} classes.",
    "warnings": "Before you trust these figures",
    "metrics": "Figures",
    "metric_head": "| figure | value | {level} interval |",
    "answering": "Answering and handing over",
    "answers": (
        "Answers {rate} of the held-out messages by itself; {wrong} of those answers are wrong; "
        "the rest go to a person. The limit is {limit}, the threshold a confidence of {threshold}."
    ),
    "answers_none": "Hands every message to a person: no confidence keeps wrong answers below {limit}.",
    "promised": "The limit is a promise: it held on training messages judged out of fold with room to spare.",
    "aimed": "The limit is an aim, not a promise: these data cannot carry one (see the warnings above).",
    "label_threshold": "A label is given from a probability of {value}.",
    "memory": "A correction decides for messages whose similarity to it is at least {value} (cosine).",
    "scope": "Out of scope",
    "scope_text": (
        "Of {n} held-out messages that belong to no class, {recall} are refused; {accuracy} of the other messages are "
        "accepted and answered rightly. Below a scope score of {threshold} a message counts as out of scope. "
        "AUROC {auroc} ({low} to {high}); when 95 % of the in-scope messages are accepted, so are {fpr95} of the "
        "out-of-scope ones."
    ),
    "champion": "Against the champion",
    "champion_text": (
        "On the same {n} messages: {challenger}, the champion ({champion_id}) {champion}. {n_fixed} fixed, {n_broken} "
        "broken; difference {difference} points ({low} to {high}); by chance alone so many would be fixed with {p}."
    ),
    "classes": "Weakest classes",
    "class_head": "| class | messages | precision | recall | F1 | F1 interval |",
    "confused": "Taken for each other",
    "confused_head": "| it was | taken for | times | examples |",
    "nothing": "(no label)",
    "doubts": "Labels that look wrong",
    "doubts_text": (
        "{n} of {of} training labels look wrong: cross-validation gives them little probability and another label "
        "more. Look at them with `feilun data doubts`; some will be right, for the model errs too."
    ),
    "doubts_none": "None of the {of} training labels looks wrong.",
    "doubts_head": "| row | label | rather | probability of the label |",
    "curve": "What more labels would bring",
    "curve_text": (
        "With {n} labels, {metric} is {now}. Refits on parts of them say how it goes on, if new labels are of the same "
        "kind as these:"
    ),
    "curve_head": "| more labels | value then | {level} interval | points gained | interval of the gain |",
    "goal_reached": "The goal of {goal} is reached.",
    "goal_yes": (
        "Can the goal of {goal} be reached by labelling? Yes: {chance} of the plausible curves reach it within four "
        "times the labels."
    ),
    "goal_likely": (
        "Can the goal of {goal} be reached by labelling? Likely: {chance} of the plausible curves reach it within "
        "four times the labels."
    ),
    "goal_unlikely": (
        "Can the goal of {goal} be reached by labelling? Unlikely: only {chance} of the plausible curves reach it "
        "within four times the labels. Look at the most confused classes and the doubtful labels, or take a larger "
        "backbone."
    ),
    "goal_needs": "It takes about {n} more labels ({low} to {high}).",
    "too_many": "more than can be told",
    "gains_text": "Ten labels bring most in these classes:",
    "gains_head": "| class | labels now | answered wrongly | points of accuracy for ten more |",
    "calibration": "Is confidence honest?",
    "calibration_text": (
        "Confidence is {after} points away from the share of right answers on average ({low} to {high}); before "
        "calibration it was {before} points. Temperature {temperature}, fitted on {n} messages out of fold."
    ),
    "calibration_none": "Confidence is not calibrated: there were no out-of-fold messages.",
    "bin_head": "| confidence | messages | mean confidence | right |",
    "shipped": "What ships",
    "shipped_text": (
        "{precision}, {size} MB (float32: {float_size} MB); p50 {p50} ms, p99 {p99} ms a message. On {n} real messages "
        "it gives the float model's answer {agreement} of the time and is right on {accuracy}, the float model on "
        "{float_accuracy}."
    ),
    "leaderboard": "What training tried",
    "leaderboard_head": "| method | settings | validation | CPU s | state |",
    "search": "What the search tried",
    "search_text": (
        "{n_asked} trials were asked for ({method}); {n_done} results, {n_pruned} given up early, {n_failed} failed. "
        "Scores are out of fold on the training messages. The best of many is flattered by luck; the figures at the "
        "top of this page are not, for they are on held-out messages."
    ),
    "search_none_better": "No trial was better than the settings as they stand.",
    "search_importances": "How much each setting matters, as a share of the differences (fANOVA): {shares}.",
    "search_no_importances": "Too few trials were finished to say which setting matters.",
    "search_head": "| trial | settings | log-loss | best so far | CPU s | state |",
    "as_set": "(as set)",
    "chosen": "chosen",
    "state_done": "done",
    "state_skipped": "skipped",
    "state_pruned": "given up",
    "state_stopped": "stopped",
    "state_failed": "failed",
    "provenance": "Where it comes from",
    "provenance_head": "| | |",
    "model_id": "model",
    "turn_id": "turn",
    "dataset_id": "dataset",
    "config_hash": "settings",
    "seed": "seed",
    "code_version": "Feilun",
    "created_at": "made at",
    "backbone": "backbone",
    "licence": "backbone licence",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "roc_auc": "ROC-AUC",
}

ZH = {
    "title": "模型报告",
    "headline": "在 {n} 条留出消息上答对 {value}（{level} 置信区间：{low} 至 {high}）。",
    "headline_other": "在 {n} 条留出消息上，{name}为 {value}（{level} 置信区间：{low} 至 {high}）。",
    "trained_on": "训练消息 {n_train} 条，共 {n_classes} 个类别。",
    "warnings": "采信这些数字之前",
    "metrics": "指标",
    "metric_head": "| 指标 | 数值 | {level} 置信区间 |",
    "answering": "自动回答与转人工",
    "answers": (
        "自动回答 {rate} 的留出消息，其中 {wrong} 答错，其余转人工。错误率上限为 {limit}，置信度阈值为 {threshold}。"
    ),
    "answers_none": "所有消息都转人工：没有任何置信度能把错误率控制在 {limit} 以下。",
    "promised": "该上限有保证：在折外评判的训练消息上留有余量地达到了。",
    "aimed": "该上限是目标而非保证：现有数据还不足以保证（见上文提示）。",
    "label_threshold": "概率达到 {value} 时给出该标签。",
    "memory": "与某条更正的相似度（余弦）不低于 {value} 的消息，按该更正回答。",
    "scope": "超出范围",
    "scope_text": (
        "{n} 条不属于任何类别的留出消息中，{recall} 被识别并拒答；其余消息中 {accuracy} 被接受且答对。"
        "范围得分低于 {threshold} 的消息视为超出范围。AUROC 为 {auroc}（{low} 至 {high}）；"
        "当 95% 的范围内消息被接受时，仍有 {fpr95} 的超范围消息也被接受。"
    ),
    "champion": "与冠军比较",
    "champion_text": (
        "在同样的 {n} 条消息上：本模型 {challenger}，冠军（{champion_id}）{champion}。"
        "改对 {n_fixed} 条，改错 {n_broken} 条；"
        "相差 {difference} 个百分点（{low} 至 {high}）；仅凭运气改对这么多的概率：{p}。"
    ),
    "classes": "最弱的类别",
    "class_head": "| 类别 | 消息数 | 精确率 | 召回率 | F1 | F1 置信区间 |",
    "confused": "容易混淆的类别",
    "confused_head": "| 实际是 | 被当成 | 次数 | 样本 |",
    "nothing": "（无标签）",
    "doubts": "可能标错的标签",
    "doubts_text": (
        "{of} 个训练标签中有 {n} 个可能标错：交叉验证给原标签的概率很低，给另一标签的概率更高。"
        "请用 `feilun data doubts` 查看；模型也会出错，其中一部分标签其实是对的。"
    ),
    "doubts_none": "{of} 个训练标签中没有发现可能标错的。",
    "doubts_head": "| 行 | 标签 | 更可能是 | 原标签的概率 |",
    "curve": "再标注会带来什么",
    "curve_text": "现有 {n} 个标签，{metric}为 {now}。若新标签与现有标签同类，根据在部分标签上的重复训练，预计：",
    "curve_head": "| 新增标签 | 届时数值 | {level} 置信区间 | 提升（百分点） | 提升的区间 |",
    "goal_reached": "已达到 {goal} 的目标。",
    "goal_yes": "靠标注能达到 {goal} 的目标吗？能：{chance} 的合理曲线在标签数增至四倍之内达到目标。",
    "goal_likely": "靠标注能达到 {goal} 的目标吗？有可能：{chance} 的合理曲线在标签数增至四倍之内达到目标。",
    "goal_unlikely": (
        "靠标注能达到 {goal} 的目标吗？不太可能：只有 {chance} 的合理曲线在标签数增至四倍之内达到目标。"
        "请查看最易混淆的类别和可能标错的标签，或换用更大的骨干模型。"
    ),
    "goal_needs": "大约还需 {n} 个标签（最少 {low}，最多 {high}）。",
    "too_many": "无法估计",
    "gains_text": "在以下类别中，每标注十条带来的提升最大：",
    "gains_head": "| 类别 | 现有标签 | 答错比例 | 再标十条的准确率提升（百分点） |",
    "calibration": "置信度可信吗？",
    "calibration_text": (
        "置信度与实际答对比例平均相差 {after} 个百分点（{low} 至 {high}）；校准前相差 {before} 个百分点。"
        "温度为 {temperature}，依据 {n} 条折外消息拟合。"
    ),
    "calibration_none": "置信度未经校准：没有折外消息。",
    "bin_head": "| 置信度 | 消息数 | 平均置信度 | 答对 |",
    "shipped": "交付的模型",
    "shipped_text": (
        "{precision}，{size} MB（float32 为 {float_size} MB）；每条消息 p50 {p50} 毫秒，p99 {p99} 毫秒。"
        "在 {n} 条真实消息上，与浮点模型的回答有 {agreement} 相同；答对 {accuracy}，浮点模型答对 {float_accuracy}。"
    ),
    "leaderboard": "训练尝试过的候选",
    "leaderboard_head": "| 方法 | 设置 | 验证得分 | CPU 秒 | 状态 |",
    "search": "搜索尝试过的设置",
    "search_text": (
        "计划 {n_asked} 次试验（{method}）；得到 {n_done} 个结果，提前放弃 {n_pruned} 次，失败 {n_failed} 次。"
        "得分是训练消息上的折外得分。多次试验中最好的一次难免含有运气成分；本页开头的指标来自留出消息，不受此影响。"
    ),
    "search_none_better": "没有一次试验优于现有设置。",
    "search_importances": "各项设置的影响，以占差异的比例表示（fANOVA）：{shares}。",
    "search_no_importances": "完成的试验太少，还无法判断哪项设置更重要。",
    "search_head": "| 试验 | 设置 | 对数损失 | 目前最好 | CPU 秒 | 状态 |",
    "as_set": "（现有设置）",
    "chosen": "入选",
    "state_done": "完成",
    "state_skipped": "跳过",
    "state_pruned": "放弃",
    "state_stopped": "提前停止",
    "state_failed": "失败",
    "provenance": "来源",
    "provenance_head": "| | |",
    "model_id": "模型",
    "turn_id": "轮次",
    "dataset_id": "数据集",
    "config_hash": "设置",
    "seed": "随机种子",
    "code_version": "Feilun",
    "created_at": "生成时间",
    "backbone": "骨干模型",
    "licence": "骨干模型许可",
    "accuracy": "准确率",
    "macro_f1": "宏平均 F1",
    "micro_f1": "微平均 F1",
    "roc_auc": "ROC-AUC",
}

WORDS = {"en": EN, "zh": ZH}
