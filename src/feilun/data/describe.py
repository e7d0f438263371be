"""The report as text: what `feilun data check` prints."""

from __future__ import annotations

from collections.abc import Sequence

from feilun.records import DataReport

N_SHOWN = 10
N_CLASSES_SHOWN = 30
MAX_WIDTH = 40

WORDS = {
    "en": {
        "rows": "Rows",
        "train": "training",
        "holdout": "holdout",
        "unlabelled": "unlabelled",
        "corrections": "of which corrections",
        "files": "Files",
        "classes": "Classes (training rows, holdout rows)",
        "aside": "Set aside",
        "duplicates": "Exact duplicates, kept once",
        "near": "Near duplicates, kept",
        "conflicts": "Texts under several labels",
        "leaks": "Leaks: in training and holdout, removed from training",
        "near_leaks": "Near leaks: training almost the same as holdout, kept",
        "label_doubts": "Labels that look wrong, by the last turn's cross-validation",
        "more": "… and {n} more",
        "advice": "What to do",
        "fine": "Nothing to mend.",
    },
    "zh": {
        "rows": "行数",
        "train": "训练",
        "holdout": "留出",
        "unlabelled": "未标注",
        "corrections": "其中纠正",
        "files": "文件",
        "classes": "类别（训练行数、留出行数）",
        "aside": "搁置的行",
        "duplicates": "完全重复（只保留一条）",
        "near": "近似重复（均保留）",
        "conflicts": "同一文本有多个标签",
        "leaks": "泄漏：同时在训练集与留出集中，已从训练集移除",
        "near_leaks": "近似泄漏：训练消息与留出消息几乎相同，均保留",
        "label_doubts": "根据上一轮的交叉验证可能标错的标签",
        "more": "……另有 {n} 处",
        "advice": "建议",
        "fine": "没有需要处理的问题。",
    },
}


def describe(report: DataReport, lang: str) -> str:
    """The report in plain text; `lang` is "en" or "zh"."""
    words = WORDS["zh" if lang == "zh" else "en"]
    zh = words is WORDS["zh"]
    parts = [_totals(report, words), _files(report, words), _classes(report, words)]
    asides = [(f"{row.source}:{row.row}", row.zh if zh else row.en) for row in report.set_aside]
    parts.append(_listing(words["aside"], asides, report.n_set_aside, words))
    for title, pairs, n in (
        ("duplicates", report.exact_duplicates, report.n_exact_duplicates),
        ("conflicts", report.conflicts, report.n_conflicts),
        ("leaks", report.leaks, report.n_leaks),
        ("near", report.near_duplicates, report.n_near_duplicates),
        ("near_leaks", report.near_leaks, report.n_near_leaks),
    ):
        parts.append(_listing(words[title], pairs, n, words))
    doubts = [(place, f"{given} → {suggested}") for place, given, suggested in report.label_doubts]
    parts.append(_listing(words["label_doubts"], doubts, report.n_label_doubts, words))
    advice = report.advice_zh if zh else report.advice_en
    lines = [f"  {i}. {sentence}" for i, sentence in enumerate(advice, start=1)] or [f"  {words['fine']}"]
    parts.append([words["advice"], *lines])
    return "\n\n".join("\n".join(part) for part in parts if part)


def _totals(report: DataReport, words: dict[str, str]) -> list[str]:
    lines = [f"{words['rows']}: {report.n_rows}"]
    lines.append(f"  {words['train']}: {report.n_train}")
    if report.n_corrections:
        lines.append(f"    {words['corrections']}: {report.n_corrections}")
    lines.append(f"  {words['holdout']}: {report.n_holdout}")
    lines.append(f"  {words['unlabelled']}: {report.n_unlabelled}")
    return lines


def _files(report: DataReport, words: dict[str, str]) -> list[str]:
    return [words["files"], *(f"  {source}: {encoding}" for source, encoding in report.encodings.items())]


def _classes(report: DataReport, words: dict[str, str]) -> list[str]:
    names = list(dict.fromkeys([*report.class_counts, *report.holdout_counts]))
    lines = [
        f"  {_cut(name)}: {report.class_counts.get(name, 0)}, {report.holdout_counts.get(name, 0)}"
        for name in names[:N_CLASSES_SHOWN]
    ]
    if len(names) > N_CLASSES_SHOWN:
        lines.append("  " + words["more"].format(n=len(names) - N_CLASSES_SHOWN))
    return [f"{words['classes']}: {len(names)}", *lines]


def _listing(title: str, pairs: Sequence[tuple[str, str]], n: int, words: dict[str, str]) -> list[str]:
    if not n:
        return []
    lines = [f"  {first}  {second}" for first, second in pairs[:N_SHOWN]]
    if n > len(lines):
        lines.append("  " + words["more"].format(n=n - len(lines)))
    return [f"{title}: {n}", *lines]


def _cut(name: str) -> str:
    return name if len(name) <= MAX_WIDTH else name[: MAX_WIDTH - 1] + "…"
