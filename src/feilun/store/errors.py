"""What can go wrong between us and the disk."""

from feilun.errors import FeilunError


class NotFound(FeilunError):
    """A row that was asked for by id does not exist."""

    code, kind = "store.not_found", "missing"
    en = "There is no {what} {ref!r} in this project."
    zh = "本项目中没有{what} {ref!r}。"


class ProjectUnknown(FeilunError):
    """No project of this name is here, or none that the caller may know of."""

    code, kind = "project.unknown", "missing"
    en = "There is no project {name!r} here. See which there are with GET /v1/projects, or with: feilun tenant list"
    zh = "这里没有项目 {name!r}。可用 GET /v1/projects 或 feilun tenant list 查看有哪些项目。"


class KeyUnknown(FeilunError):
    """No API key has this id, or none that the caller may know of."""

    code, kind = "key.unknown", "missing"
    en = "There is no API key {key_id!r} here. See which there are with: feilun key list"
    zh = "这里没有 API 密钥 {key_id!r}。可用 feilun key list 查看有哪些密钥。"


class TenantUnknown(FeilunError):
    """A tenant that nobody made, or that the caller does not see."""

    code, kind = "tenant.unknown", "missing"
    en = "There is no tenant {tenant!r}. Correct the name, or make one with: feilun tenant create {tenant} DIR"
    zh = "没有租户 {tenant!r}。请改正名称，或用 feilun tenant create {tenant} DIR 创建。"


class TenantExists(FeilunError):
    """A tenant is made once."""

    code, kind = "tenant.exists", "conflict"
    en = "There is a tenant {tenant!r} already. Choose another name."
    zh = "租户 {tenant!r} 已存在。请换一个名称。"


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
