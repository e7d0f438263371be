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


class StoreUnavailable(FeilunError):
    """The database does not answer, or not in time; nothing of the request is known to be written.

    Work that a server does goes on by itself when the database is back.
    """

    code, kind = "store.unavailable", "unavailable"
    en = "The database does not answer ({reason}); nothing was acknowledged. Feilun goes on by itself once it is back."
    zh = "数据库没有响应（{reason}），未确认任何写入。数据库恢复后，飞轮会自动继续。"


class StoreUrlInvalid(FeilunError):
    """[store] url is not one that we can open; it is not shown, for it may hold a password."""

    code, kind = "store.url_invalid", "invalid"
    en = "[store] url cannot be used. Leave it empty for SQLite, or write postgresql://USER@HOST/DATABASE."
    zh = "无法使用 [store] url。留空表示 SQLite，或写成 postgresql://用户@主机/数据库。"


class ProjectBusy(FeilunError):
    """A turn, or another compression, of the same project is running."""

    code, kind = "wheel.project_busy", "unavailable"
    en = "Project {project!r} is turning or being compressed right now. Wait until that is done: feilun job list"
    zh = "项目 {project!r} 正在运行一轮或正在压缩。请等它完成：feilun job list"


class HoldLost(FeilunError):
    """A process that was turning a project was silent for so long that another one took over."""

    code, kind = "wheel.hold_lost", "conflict"
    en = "Project {project!r} was taken over by another process while this one was silent; its late work was not kept."
    zh = "本进程长时间没有响应，项目 {project!r} 已由另一个进程接手；本进程迟到的结果未被保存。"


class StoreTooNew(FeilunError):
    """The database was written by a later release."""

    code, kind = "store.too_new", "conflict"
    en = "{path} was written by a newer Feilun (schema {found}, this one knows {known}): pip install -U feilun"
    zh = "{path} 由更新版本的 Feilun 写入（结构版本 {found}，本版本支持到 {known}）。请升级：pip install -U feilun"
