"""What a bundle says about itself to people: the model card in both languages, and the notice of licences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feilun.config import FeilunSettings
from feilun.records import BackboneInfo, Report

MAX_LISTED = 200  # labels beyond these are counted, not listed; labels.json has them all

_CARD = {
    "en": """# {project}

A text classifier made with Feilun. It reads a message and gives {kind} of {n_classes} classes; when it is not sure it
hands the message over to a person. 中文说明在后半部分。

## Use

```python
from feilun.serve.engine import load_bundle

model = load_bundle("PATH_TO_THIS_FOLDER")
print(model.predict([{{"text": "..."}}]))
```

It needs `pip install feilun` and neither torch nor a GPU. Every file is checked against its checksum before it loads.

## What it is made of

- Backbone: {backbone} ({source}), licence {licence}, fingerprint `{fingerprint}`
- Trained on {n_train} messages, judged on {n_holdout} that training never saw; dataset `{dataset_id}`
- Files: {precision}, {size_mb:.1f} MB (in float {float_size_mb:.1f} MB); one message takes {p50_ms:.1f} ms (p50) and
  {p99_ms:.1f} ms (p99) on one thread of the machine that made it
- Compression was compared with the float model on {n_rows} rows: same answer on {agreement:.2%}, accuracy
  {float_accuracy:.2%} before and {shipped_accuracy:.2%} after. {note}
- Seed {seed}, Feilun {code_version}, settings in `settings.json`, made at {created_at}

## Meant for, and not meant for

It sorts messages like the ones it was trained on. It answers by itself from a confidence of {threshold:.3f}. {promise}
It must not be the only ground for a decision that weighs on a person.

## Classes

{labels}

## Report

{report}
""",
    "zh": """# {project}（中文）

由 Feilun 飞轮制作的文本分类模型。它阅读一条消息，从 {n_classes} 个类别中给出{kind}；没有把握时转人工处理。

## 使用

```python
from feilun.serve.engine import load_bundle

model = load_bundle("本文件夹的路径")
print(model.predict([{{"text": "……"}}]))
```

只需 `pip install feilun`，不需要 torch，也不需要 GPU。加载之前会逐一核对每个文件的校验和。

## 由什么制成

- 骨干模型：{backbone}（{source}），许可证 {licence}，指纹 `{fingerprint}`
- 用 {n_train} 条消息训练，在训练从未见过的 {n_holdout} 条消息上评估；数据集 `{dataset_id}`
- 文件：{precision}，{size_mb:.1f} MB（浮点为 {float_size_mb:.1f} MB）；在制作它的机器上，单线程处理一条消息需
  {p50_ms:.1f} 毫秒（p50）、{p99_ms:.1f} 毫秒（p99）
- 在 {n_rows} 行上与浮点模型对比：{agreement:.2%} 的回答相同，准确率压缩前 {float_accuracy:.2%}，
  压缩后 {shipped_accuracy:.2%}。{note}
- 随机种子 {seed}，Feilun {code_version}，设置见 `settings.json`，制作时间 {created_at}

## 适用与不适用

适用于与训练数据同类的消息。置信度达到 {threshold:.3f} 时由它自己回答。{promise}
不得把它作为影响个人权益的决定的唯一依据。

## 类别

{labels}

## 评估报告

{report}
""",
}
_KIND = {"en": ("one", "any number"), "zh": ("一个", "任意多个")}
# By language: when the threshold keeps its promise with certainty, and when there were too few messages to be certain.
_PROMISE = {
    "en": (
        "That was chosen with the aim that {rate:.1%} of its own answers are wrong; there were too few messages to "
        "promise it.",
        "That was chosen so that at most {rate:.1%} of its own answers are wrong on messages of that kind; on other "
        "kinds of messages the promise does not hold.",
    ),
    "zh": (
        "选取该阈值的目标是它自己给出的回答中有 {rate:.1%} 有误；由于消息太少，这只是目标而非承诺。",
        "该阈值的选取使它在同类消息上自己给出的回答中至多 {rate:.1%} 有误；对其他种类的消息，这一承诺不成立。",
    ),
}
_MORE = {"en": "and {n} more, see `labels.json`", "zh": "另有 {n} 个，见 `labels.json`"}

_NOTICE = """{project}

This bundle was made with Feilun (Apache-2.0).

Backbone 骨干模型
  name 名称: {alias}
  licence 许可证: {licence}
  source 来源: {source}
  fingerprint 指纹: {fingerprint}
  The weights in model.onnx derive from it, and its tokenizer.json is included. Its licence applies to both.
  model.onnx 中的权重由它而来，tokenizer.json 取自它；二者均适用其许可证。

Data 数据
  Trained on the owner's data; none of it is included. 用所有者自己的数据训练；本文件夹不包含这些数据。
{sources}
"""


def model_card(
    *,
    report: Report,
    report_text: dict[str, str],
    settings: FeilunSettings,
    labels: Sequence[str],
    lineage: dict[str, Any],
) -> str:
    """The model card, Markdown: English, then Chinese."""
    return "\n---\n\n".join(
        _CARD[lang].format(
            **_facts(report, lineage),
            project=settings.project.name,
            kind=_KIND[lang][settings.task.multi_label],
            promise=_PROMISE[lang][report.thresholds.guaranteed].format(rate=report.thresholds.max_error_rate),
            note=report.parity.note_zh if lang == "zh" else report.parity.note_en,
            labels=_list_labels(labels, lang),
            report=report_text.get(lang, "").strip(),
        )
        for lang in ("en", "zh")
    )


def notice(backbone: BackboneInfo, *, settings: FeilunSettings, licence_notes: str | None) -> str:
    """NOTICE: whose work is inside, under which licence."""
    sources = [source.path for source in settings.data.sources]
    if settings.data.holdout is not None:
        sources.append(settings.data.holdout.path)
    text = _NOTICE.format(
        project=settings.project.name,
        **backbone.model_dump(include={"alias", "licence", "source", "fingerprint"}),
        sources="\n".join(f"  - {source}" for source in sources),
    )
    return text + (f"\n{licence_notes.strip()}\n" if licence_notes else "")


def _facts(report: Report, lineage: dict[str, Any]) -> dict[str, Any]:
    parity = report.parity.model_dump(exclude={"note_en", "note_zh"})
    return {
        **parity,
        "n_classes": report.n_classes,
        "n_train": report.n_train,
        "n_holdout": report.n_holdout,
        "dataset_id": report.dataset_id,
        "seed": report.seed,
        "code_version": lineage.get("code_version", report.code_version),
        "created_at": report.created_at.isoformat(timespec="seconds"),
        "backbone": report.backbone.alias,
        "source": report.backbone.source,
        "licence": report.backbone.licence,
        "fingerprint": report.backbone.fingerprint,
        "threshold": report.thresholds.answer,
    }


def _list_labels(labels: Sequence[str], lang: str) -> str:
    lines = [f"- {' '.join(label.split())}" for label in labels[:MAX_LISTED]]
    if len(labels) > MAX_LISTED:
        lines.append(f"- {_MORE[lang].format(n=len(labels) - MAX_LISTED)}")
    return "\n".join(lines)
