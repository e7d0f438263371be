"""What can go wrong while the wheel turns."""

from __future__ import annotations

from typing import Any

from feilun.errors import FeilunError


class TurnFailed(FeilunError):
    """A turn stopped at a step; carries the code, kind and words of the mistake that stopped it.

    The step ran in a process of its own, so the mistake comes back as its fields, not as its class.
    """

    code, kind = "wheel.turn_failed", "invalid"

    def __init__(self, error: dict[str, Any]) -> None:
        self.code = str(error.get("code", type(self).code))  # type: ignore[misc]
        self.kind = error.get("kind", "invalid")  # type: ignore[misc]
        self.en, self.zh = str(error.get("en", "")), str(error.get("zh", ""))  # type: ignore[misc]
        super().__init__(**error.get("fields", {}))

    def message(self, lang: str | None = None) -> str:
        from feilun.errors import language

        return self.zh if (lang or language()) == "zh" else self.en  # filled in where the mistake was made


class TurnCrashed(FeilunError):
    """The process that turned the wheel died twice at the same place."""

    code, kind = "wheel.turn_crashed", "unavailable"
    en = (
        "Turn {turn_id} died at step '{step}' ({how}). Nothing was lost. Is there enough memory? "
        "The log is {log}; 'feilun turn' starts anew."
    )
    zh = (
        "第 {turn_id} 轮在步骤 '{step}' 中断（{how}）。数据没有丢失。内存是否足够？"
        "日志见 {log};可用 'feilun turn' 重新开始。"
    )


class CompressionUnfinished(FeilunError):
    """A compression was asked for while another one of the project waits or runs."""

    code, kind = "wheel.compression_unfinished", "conflict"
    en = "Compression {compression_id} of this project is not finished yet. Wait until it is, then ask again."
    zh = "本项目的压缩 {compression_id} 尚未完成。请等它完成后再次请求。"


class CompressionStopped(FeilunError):
    """The process that made smaller forms of a model died, or met something that nobody foresaw."""

    code, kind = "wheel.compression_stopped", "unavailable"
    en = (
        "Compression {compression_id} stopped ({how}); no smaller model was put live. Is there enough memory? "
        "The log is {log}; ask again to start anew."
    )
    zh = "压缩 {compression_id} 中断（{how}），没有更小的模型上线。内存是否足够？日志见 {log}；再次请求即可重新开始。"


class PreflightBroken(FeilunError):
    """The process that looked ahead died."""

    code, kind = "wheel.preflight_broken", "unavailable"
    en = "Looking ahead stopped (exit {status}). Is there enough memory? Its last words: {what}"
    zh = "预检中断（退出码 {status}）。内存是否足够？最后的输出：{what}"


class TurnCancelled(FeilunError):
    """Somebody cancelled the turn while it ran."""

    code, kind = "wheel.turn_cancelled", "conflict"
    en = "Turn {turn_id} was cancelled. 'feilun turn' starts a new one."
    zh = "第 {turn_id} 轮已被取消。可用 'feilun turn' 重新开始。"


class TurnPaused(FeilunError):
    """Somebody paused the turn: what it has done is kept, and nobody works at it."""

    code, kind = "wheel.turn_paused", "conflict"
    en = "Turn {turn_id} is paused. Let it go on with 'feilun job resume', or end it with 'feilun job cancel'."
    zh = "第 {turn_id} 轮已暂停。可用 'feilun job resume' 继续，或用 'feilun job cancel' 结束。"


class StepBroken(FeilunError):
    """A step met something that nobody foresaw; the traceback is in the log."""

    code, kind = "wheel.step_broken", "unavailable"
    en = (
        "Step '{step}' of turn {turn_id} stopped on an unexpected {error}. The traceback is in {log}; please report it."
    )
    zh = "第 {turn_id} 轮的步骤 '{step}' 遇到意外错误 {error}。详细信息见 {log}，欢迎反馈给我们。"


def told(error: FeilunError) -> dict[str, Any]:
    """A mistake as fields, in both languages, as `TurnFailed` takes it: it crosses to the process that asked."""
    fields = {
        key: value if isinstance(value, int | float | bool) else str(value) for key, value in error.fields.items()
    }
    return {
        "code": error.code,
        "kind": error.kind,
        "en": error.message("en"),
        "zh": error.message("zh"),
        "fields": fields,
    }


class GroupsDoNotFit(FeilunError):
    """The edited table of groups and the messages beside it do not belong together."""

    code, kind = "label.groups_do_not_fit", "invalid"
    en = "{path}, row {row}: {cause_en}. Keep column 'group' as 'feilun label start' wrote it, and both files together."
    zh = "{path} 第 {row} 行：{cause_zh}。请保持 'feilun label start' 写出的 group 列不变，并把两个文件放在一起。"


class NothingLabelled(FeilunError):
    """The edited table of groups leaves fewer than two classes."""

    code, kind = "label.nothing_labelled", "invalid"
    en = "{path} names {n_labels} class(es) in column 'label'; at least two are needed. Name more groups."
    zh = "{path} 的 label 列只有 {n_labels} 个类别，至少需要两个。请为更多分组命名。"


class TooManyMessages(FeilunError):
    """More messages than can be grouped at once."""

    code, kind = "label.too_many_messages", "invalid"
    en = "{path} has {n_messages} different messages; at most {most} can be grouped at once. Take a part of the file."
    zh = "{path} 有 {n_messages} 条不同的消息，一次最多分组 {most} 条。请只取其中一部分。"


class FileExists(FeilunError):
    """A file that a person may have edited would be written over."""

    code, kind = "label.file_exists", "conflict"
    en = "{path} is there already, perhaps with your edits. Choose another name with --out, or remove it."
    zh = "{path} 已存在，其中可能有您的修改。请用 --out 指定其他文件名，或先删除它。"
