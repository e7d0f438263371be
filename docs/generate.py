#!/usr/bin/env python3
"""Write the pages that are made from the code (configuration.md, errors.md) and the figures in the READMEs.

python docs/generate.py            write them
python docs/generate.py --check    only say which are not current; exit 1 if any
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "src"))

import feilun  # noqa: E402
from feilun.cli.shared import EXIT_CODES  # noqa: E402
from feilun.config_words import REPEATED, SettingWords, choices_of, limits_of, settings_of, table_meaning, tables  # noqa: E402
from feilun.errors import FeilunError  # noqa: E402
from feilun.models.catalog import default_alias  # noqa: E402

WORDS = {
    "en": {
        "made": "<!-- Made by docs/generate.py from the code: edit the code, not this page. -->",
        "config": "# Configuration",
        "config_intro": "`feilun.toml` is the contract of a project. `feilun init` writes it with every key and its "
        "meaning; what is left out takes the default below. Unknown keys are refused, and all mistakes are reported "
        "at once.",
        "head": ("key", "default", "allowed", "meaning"),
        "needed": "needed",
        "empty": "empty",
        "errors": "# Errors",
        "errors_intro": "Every mistake has a code that does not change. From its kind come the exit code of the "
        "command line and the status of the API. In braces stand the values that the message is filled with.",
        "error_head": ("code", "kind", "exit code", "message"),
    },
    "zh": {
        "made": "<!-- 由 docs/generate.py 从代码生成：请修改代码，不要修改本页。 -->",
        "config": "# 配置",
        "config_intro": "`feilun.toml` 是项目的契约。`feilun init` 会写出全部键及其含义；未写出的键取下表中的默认值。"
        "未知的键会被拒绝，所有错误会一次报告。",
        "head": ("键", "默认值", "取值", "含义"),
        "needed": "必填",
        "empty": "空",
        "errors": "# 错误",
        "errors_intro": "每种错误都有一个固定不变的代码。错误类别决定命令行的退出码和 API 的状态码。"
        "花括号中是消息里会填入的值。",
        "error_head": ("代码", "类别", "退出码", "消息"),
    },
}


RESULTS = DOCS.parent / "benchmarks" / "results"
DEFAULT_BACKBONES = {language: default_alias(language) for language in ("en", "zh")}
FIGURES: dict[str, dict[str, Any]] = {
    "en": {
        "fewshot_head": [
            "accuracy on the whole test file, CPU seconds of the fit",
            "frozen embeddings + logistic regression, as it comes",
            "Feilun's first rung (no torch)",
            "Feilun, labels only",
            "Feilun, the other training messages unlabelled",
        ],
        "peers_head": [
            "accuracy on the whole test file, CPU seconds of the fit",
            "SetFit",
            "`transformers` Trainer",
            "Feilun's first rung (no torch)",
            "Feilun, labels only",
        ],
        "task": "{set}, {shots} a class, {subset}, seeds: {n}",
        "whole": "{set}, every training row, seeds: {n}",
        "banking77": "BANKING77 (en, {backbone})",
        "clinc150": "CLINC150 (en, {backbone})",
        "massive_zh_cn": "MASSIVE zh-CN (zh, {backbone})",
        "sib200_zh": "SIB-200 (zh, {backbone})",
        "published": "published rows",
        "drawn": "drawn rows",
        "demo_head": [
            "",
            "labels",
            "accuracy, first → second turn",
            "answered without a person, and right of those",
            "model",
        ],
    },
    "zh": {
        "fewshot_head": [
            "整个测试文件上的准确率，训练所用的 CPU 秒数",
            "冻结向量 + 默认的逻辑回归",
            "飞轮的第一级（不需要 torch）",
            "飞轮，只用标签",
            "飞轮，其余训练消息作为未标注消息",
        ],
        "peers_head": [
            "整个测试文件上的准确率，训练所用的 CPU 秒数",
            "SetFit",
            "`transformers` Trainer",
            "飞轮的第一级（不需要 torch）",
            "飞轮，只用标签",
        ],
        "task": "{set}，每类 {shots} 条，{subset}，种子数：{n}",
        "whole": "{set}，全部训练样本，种子数：{n}",
        "banking77": "BANKING77（英文，{backbone}）",
        "clinc150": "CLINC150（英文，{backbone}）",
        "massive_zh_cn": "MASSIVE zh-CN（中文，{backbone}）",
        "sib200_zh": "SIB-200（中文，{backbone}）",
        "published": "论文公布的样本",
        "drawn": "抽取的样本",
        "demo_head": ["", "标签数", "准确率，第一轮 → 第二轮", "无需人工回答的比例，及其中答对的比例", "模型"],
    },
}


def main() -> int:
    """Write or check the pages and the READMEs' figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = []
    for path, content in pages().items():
        if check and (not path.exists() or path.read_text("utf-8") != content):
            stale.append(path)
        elif not check:
            path.write_text(content, "utf-8")
    for path in stale:
        sys.stderr.write(f"not current: {path.relative_to(DOCS.parent)}; run: make docs\n")
    return 1 if stale else 0


def pages() -> dict[Path, str]:
    """Every generated page as it should be now."""
    made = {}
    for lang in ("en", "zh"):
        made[DOCS / lang / "configuration.md"] = configuration_page(lang)
        made[DOCS / lang / "errors.md"] = errors_page(lang)
        readme = DOCS.parent / ("README.md" if lang == "en" else "README.zh.md")
        made[readme] = with_figures(readme.read_text("utf-8"), lang)
    return made


# figures in the READMEs, from benchmarks/results


def with_figures(readme: str, lang: str) -> str:
    """The README with the tables between its `figures` comments made anew from the measured results."""
    for name, table in (("fewshot", fewshot_table(lang)), ("peers", peers_table(lang)), ("demo", demo_table(lang))):
        start, end = f"<!-- figures:{name} -->", f"<!-- /figures:{name} -->"
        before, rest = readme.split(start, 1)
        after = rest.split(end, 1)[1]
        readme = f"{before}{start}\n{table}{end}{after}"
    return readme


def fewshot_table(lang: str) -> str:
    """Ours beside the baseline, each with its spread and its CPU seconds, as `benchmarks/fewshot.py` measured them."""
    words = FIGURES[lang]
    by_task: dict[tuple[str, int, str, str], dict[str, Any]] = {}
    for path in sorted(RESULTS.glob("fewshot*.json")):
        result = json.loads(path.read_text("utf-8"))
        for found in result["summary"]:
            key = (found["set"], found["shots"], found["subset"], backbone_of(result, found["set"]))
            by_task.setdefault(key, {})[found["method"]] = found
    lines = [row(words["fewshot_head"]), row(["---"] * len(words["fewshot_head"]))]
    for (name, shots, subset, backbone), methods in sorted(by_task.items(), key=lambda item: place(*item[0])):
        task = task_words(words, name, shots, subset, methods, backbone=backbone)
        cells = [measured(one) for one in pick(methods)]
        lines.append(row([task, *cells]))
    return "\n".join(lines) + "\n"


def place(name: str, shots: int, subset: str, backbone: str) -> tuple[str, int, bool]:
    """Set by set, the default backbone first."""
    return name, shots, backbone not in DEFAULT_BACKBONES.values()


def backbone_of(result: dict[str, Any], name: str) -> str:
    """The English or Chinese backbone that a benchmark was told to use, else the catalogue's for the set's language."""
    language = "zh" if "zh" in name else "en"
    given = dict(itertools.pairwise(result["command"]))
    return str(given.get(f"--backbone-{language}", DEFAULT_BACKBONES[language]))


def task_words(
    words: dict[str, Any], name: str, shots: int, subset: str, methods: dict[str, Any], *, backbone: str
) -> str:
    counts = sorted({one["n_runs"] for one in methods.values()})
    n = f"{counts[0]}–{counts[-1]}" if len(counts) > 1 else counts[0]
    of = words[name].format(backbone=backbone)
    return str(words["task" if shots else "whole"].format(set=of, shots=shots, subset=words.get(subset), n=n))


def peers_table(lang: str) -> str:
    """Ours beside the peers, as `benchmarks/peers.py` measured them in one run."""
    words = FIGURES[lang]
    lines = [row(words["peers_head"]), row(["---"] * len(words["peers_head"]))]
    for path in sorted([*RESULTS.glob("peers-banking77*.json"), *RESULTS.glob("peers-sib200*.json")]):
        result = json.loads(path.read_text("utf-8"))
        summary = result["summary"]
        methods, first = {one["method"]: one for one in summary}, summary[0]
        backbone = backbone_of(result, first["set"])
        task = task_words(words, first["set"], first["shots"], first["subset"], methods, backbone=backbone)
        cells = [
            f"{percent(one['accuracy'])}, {one['cpu_s']:.0f} s" if one else "–"
            for one in map(methods.get, ("setfit", "trainer", "probe", "chosen"))
        ]
        lines.append(row([task, *cells]))
    return "\n".join(lines) + "\n"


def pick(methods: dict[str, Any]) -> list[dict[str, Any] | None]:
    return [methods.get(name) for name in ("baseline", "probe", "chosen", "pool")]


def measured(one: dict[str, Any] | None) -> str:
    """Accuracy with its spread over seeds, and the CPU seconds; a dash for what was not run."""
    if one is None:
        return "–"
    spread = f" ± {100 * one['accuracy_std']:.1f}" if one["n_runs"] > 1 else ""
    return f"{percent(one['accuracy'])}{spread}, {one['cpu_s']:.0f} s"


def demo_table(lang: str) -> str:
    """What `make demo` wrote, as kept in benchmarks/results/demo.json."""
    words = FIGURES[lang]
    result = json.loads((RESULTS / "demo.json").read_text("utf-8"))
    lines = [row(words["demo_head"]), row(["---"] * len(words["demo_head"]))]
    for key, name in (("en", "BANKING77"), ("zh", "MASSIVE zh-CN")):
        one = result[key]
        lines.append(
            row(
                [
                    name,
                    f"{one['labels_before']} → {one['labels_after']}",
                    f"{percent(one['accuracy_before'])} → {percent(one['accuracy_after'])}",
                    f"{percent(one['answered_after'])}, {percent(one['accuracy_of_answered_after'])}",
                    f"{one['size_mb']} MB",
                ]
            )
        )
    return "\n".join(lines) + "\n"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


# configuration


def configuration_page(lang: str) -> str:
    words = WORDS[lang]
    lines = [words["made"], "", words["config"], "", words["config_intro"]]
    for name, model in tables():
        title = f"[[{name}]]" if name in REPEATED else f"[{name}]"
        lines += ["", f"## {title}", "", table_meaning(name, model, lang), "", row(words["head"]), row(["---"] * 4)]
        for one in settings_of(name, model):
            lines.append(row([f"`{one.key}`", default_of(one.field, words), allowed_of(one), one.meaning(lang)]))
    return "\n".join(lines) + "\n"


def default_of(field: Any, words: dict[str, Any]) -> str:
    if field.is_required():
        return str(words["needed"])
    if field.default in ("", (), None):
        return str(words["empty"])
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def allowed_of(one: SettingWords) -> str:
    """Choices and limits of a key, as they are checked."""
    parts: list[str] = []
    if one.kind == "choice":
        parts.append(", ".join(f"`{choice}`" for choice in choices_of(one.field)))
    elif one.kind == "switch":
        parts.append("`true`, `false`")
    parts += [f"{sign} {limit:g}" for sign, limit in limits_of(one.field).items()]
    return ", ".join(parts)


# errors


def errors_page(lang: str) -> str:
    words = WORDS[lang]
    lines = [words["made"], "", words["errors"], "", words["errors_intro"], ""]
    lines += [row(words["error_head"]), row(["---"] * 4)]
    for error in errors():
        message = " ".join(getattr(error, lang).split())
        lines.append(row([f"`{error.code}`", error.kind, EXIT_CODES[error.kind], message.replace("|", "\\|")]))
    return "\n".join(lines) + "\n"


def errors() -> list[type[FeilunError]]:
    """The mistakes that have words of their own, by code."""
    return sorted(all_errors(), key=lambda error: error.code)


def all_errors() -> list[type[FeilunError]]:
    """Every kind of mistake that Feilun can report. Importing all modules makes them known."""
    for module in pkgutil.walk_packages(feilun.__path__, "feilun."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[FeilunError]] = []
    waiting: list[type[FeilunError]] = [FeilunError]
    while waiting:
        for error in waiting.pop().__subclasses__():
            waiting.append(error)
            # A class without words only passes on the words of another (a mistake told by a child process).
            if error.__module__.startswith("feilun.") and "en" in vars(error):
                found.append(error)
    return found


def row(cells: Any) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
