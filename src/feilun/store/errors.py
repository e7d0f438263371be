"""What can go wrong between us and the disk."""

from feilun.errors import FeilunError


class NotFound(FeilunError):
    """A row that was asked for by id does not exist."""

    code, kind = "store.not_found", "missing"
    en = "There is no {what} {ref!r} in this project."
    zh = "本项目中没有{what} {ref!r}。"


class IdempotencyConflict(FeilunError):
    """An Idempotency-Key came back with another body."""

    code, kind = "feedback.idempotency_conflict", "conflict"
    en = "This Idempotency-Key was used before with a different body. Send a new key for new feedback."
    zh = "此 Idempotency-Key 曾用于内容不同的请求。新的反馈请使用新的键。"


class StoreFull(FeilunError):
    """The disk has no room; nothing was written, nothing was acknowledged."""

    code, kind = "store.full", "unavailable"
    en = "The disk that holds {path} is full; nothing was written. Free some space and send the request again."
    zh = "{path} 所在磁盘已满，未写入任何内容。请清理空间后重试。"


class StoreBroken(FeilunError):
    """The disk reported an error while writing; what it holds is unknown until a restart checks it."""

    code, kind = "store.broken", "unavailable"
    en = "The disk that holds {path} failed while writing; writes are refused. Check the disk, then restart Feilun."
    zh = "{path} 所在磁盘写入出错，不再接受写入。请检查磁盘后重启 Feilun。"


class StoreTooNew(FeilunError):
    """The database was written by a later release."""

    code, kind = "store.too_new", "conflict"
    en = "{path} was written by a newer Feilun (schema {found}, this one knows {known}): pip install -U feilun"
    zh = "{path} 由更新版本的 Feilun 写入（结构版本 {found}，本版本支持到 {known}）。请升级：pip install -U feilun"


class AuditKeyMissing(FeilunError):
    """The audit log was begun with a key that is gone, so no change of state can be entered."""

    code, kind = "audit.key_missing", "unavailable"
    en = (
        "The audit log cannot be signed: {path} is gone or damaged. Put it back; if it is lost for good, "
        "begin a new one with: feilun audit rekey"
    )
    zh = "无法为审计日志签名：{path} 缺失或已损坏。请把它放回原处；如已确定丢失，请用 feilun audit rekey 启用新的密钥。"
