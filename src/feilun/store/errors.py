"""What can go wrong between us and the disk."""

from feilun.errors import FeilunError

ROWS = {
    "compression": ("compression", "压缩任务"),
    "feedback": ("feedback", "反馈"),
    "model": ("model", "模型"),
    "prediction": ("prediction", "预测"),
    "release": ("release", "发布"),
    "turn": ("turn", "轮次"),
}


class NotFound(FeilunError):
    """A row that was asked for by id does not exist. `what` is a key of ROWS."""

    code, kind = "store.not_found", "missing"
    en = "There is no {what} {ref!r} in this project."
    zh = "本项目中没有 ID 为 {ref!r} 的{what}。"
    reasons = ROWS


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


class PersonUnknown(FeilunError):
    """Nobody has this id, or nobody whom the caller may know of."""

    code, kind = "person.unknown", "missing"
    en = "There is nobody with the id {person_id!r} here. See who there is with: feilun person list"
    zh = "这里没有编号为 {person_id!r} 的人员。可用 feilun person list 查看有哪些人员。"


class PersonExists(FeilunError):
    """Two people of one tenant want the same sign-in name."""

    code, kind = "person.exists", "conflict"
    en = "Somebody signs in as {sign_in_name!r} already. Choose another sign-in name."
    zh = "登录名 {sign_in_name!r} 已被使用。请换一个登录名。"


class CodeInvalid(FeilunError):
    """A one-time code that was never given, was used, or is too old; which of them is not said."""

    code, kind = "auth.code_invalid", "forbidden"
    en = "This code is not valid (any more). Ask for a new one; it is made with: feilun person reset"
    zh = "此邀请码无效或已失效。请索取新的邀请码，可用 feilun person reset 生成。"


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


WAYS_TO_BE_AWAY = {
    "connection": ("no connection", "无法连接"),
    "room": ("no free connection", "没有空闲连接"),
    "state": ("SQLSTATE ", "SQLSTATE "),
}


class StoreUnavailable(FeilunError):
    """The database does not answer, or not in time; nothing of the request is known to be written.

    `what` is a key of WAYS_TO_BE_AWAY, and `detail` the database's own code where it gave one.

    Work that a server does goes on by itself when the database is back.
    """

    code, kind = "store.unavailable", "unavailable"
    en = "The database does not answer ({what}{detail}); nothing was acknowledged. Feilun goes on once it is back."
    zh = "数据库没有响应（{what}{detail}），未确认任何写入。数据库恢复后，飞轮会自动继续。"
    reasons = WAYS_TO_BE_AWAY


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


class AuditKeyMissing(FeilunError):
    """The audit log was begun with a key that is gone, so no change of state can be entered."""

    code, kind = "audit.key_missing", "unavailable"
    en = (
        "The audit log cannot be signed: {path} is gone or damaged. Put it back; if it is lost for good, "
        "begin a new one with: feilun audit rekey"
    )
    zh = "无法为审计日志签名：{path} 缺失或已损坏。请把它放回原处；如已确定丢失，请用 feilun audit rekey 启用新的密钥。"
