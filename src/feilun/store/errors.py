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
