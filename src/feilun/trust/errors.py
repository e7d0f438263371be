"""What can go wrong at the lock."""

from feilun.errors import FeilunError


class KeyMissing(FeilunError):
    """A request that needs an API key came without one."""

    code, kind = "auth.key_missing", "forbidden"
    en = "An API key is needed. Send it as 'Authorization: Bearer fl_…'; make one with: feilun key create"
    zh = "需要 API 密钥。请以 'Authorization: Bearer fl_…' 发送；可用 feilun key create 创建。"


class KeyInvalid(FeilunError):
    """The key is unknown, revoked or expired; which of them is nobody's business who does not own it."""

    code, kind = "auth.key_invalid", "forbidden"
    en = "This API key is not valid (any more). See which are with: feilun key list"
    zh = "此 API 密钥无效或已失效。可用 feilun key list 查看有效的密钥。"


class TenantDisabled(FeilunError):
    """The key is good, but its tenant was shut out."""

    code, kind = "auth.tenant_disabled", "forbidden"
    en = "The tenant that this API key belongs to is disabled. Ask whoever runs this server."
    zh = "此 API 密钥所属的租户已被停用。请联系本服务的运营者。"


class ScopeMissing(FeilunError):
    """The key is good, but not for this action or not for this project."""

    code, kind = "auth.scope_missing", "forbidden"
    en = "This API key may not do this here: it needs the scope {scope!r} in this project."
    zh = "此 API 密钥无权在此执行该操作：需要本项目的 {scope!r} 权限。"


class OperatorOnly(FeilunError):
    """A key of a tenant, or of one project, asks for what concerns the whole workspace."""

    code, kind = "auth.operator_only", "forbidden"
    en = "Only whoever runs this server may do this: use a key of the operator, which belongs to no tenant."
    zh = "只有本服务的运营者可以执行该操作：请使用不属于任何租户的运营者密钥。"


class KeyRequestInvalid(FeilunError):
    """A key cannot be made or rotated as asked."""

    code, kind = "auth.key_request_invalid", "invalid"
    en = (
        "A key needs a name of 1 to {max_name} characters, either a role ({roles}) or one or more scopes of {scopes}, "
        "a lifetime of up to {max_days} days, and a grace of up to {max_grace_days} days when it is rotated."
    )
    zh = (
        "密钥需要 1 到 {max_name} 个字符的名称、一个角色（{roles}）或 {scopes} 中的一个或多个权限，"
        "以及不超过 {max_days} 天的有效期；轮换时的宽限期不超过 {max_grace_days} 天。"
    )


class KeyBeyondMaker(FeilunError):
    """Somebody wants a key that may do more, or lives longer, than their own."""

    code, kind = "auth.key_beyond_maker", "forbidden"
    en = "Nobody hands out more than they have. Your own key: scopes {scopes}; expiry {expires_at}. Ask for less."
    zh = "不能授予超出自身的权限。你的密钥：权限 {scopes}；到期时间 {expires_at}。请缩小申请的范围。"


class KeyClosed(FeilunError):
    """A key that was revoked or has expired gets no new secret."""

    code, kind = "auth.key_closed", "conflict"
    en = "Key {key_id} is revoked or has expired. Make a new one with: feilun key create"
    zh = "密钥 {key_id} 已吊销或已过期。请用 feilun key create 创建新的密钥。"


class TenantInvalid(FeilunError):
    """A tenant cannot be made or renamed as asked."""

    code, kind = "tenant.invalid", "invalid"
    en = (
        "A tenant needs an id of letters, digits, '-' and '_' that begins with a letter or digit, and a name; "
        "each has 1 to {max_name} characters."
    )
    zh = (
        "租户需要一个由字母、数字、“-”和“_”组成并以字母或数字开头的标识，以及一个名称；"
        "两者各为 1 到 {max_name} 个字符。"
    )
