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


class PersonRequestInvalid(FeilunError):
    """Somebody cannot be added or changed as asked."""

    code, kind = "person.invalid", "invalid"
    en = (
        "A person needs a sign-in name of 1 to {max_sign_in_name} letters, digits, '.', '-' and '_' (with '@' and the "
        "tenant {max_full_name} at most), a name of 1 to {max_name} characters, and a role: {roles}."
    )
    zh = (
        "人员需要一个登录名（1 到 {max_sign_in_name} 个字母、汉字、数字、“.”、“-”或“_”，"
        "连同“@”与租户最多 {max_full_name} 个字符）、"
        "一个 1 到 {max_name} 个字符的姓名，以及一个角色：{roles}。"
    )


class PersonBeyondMaker(FeilunError):
    """Somebody wants to let a person do more than they may themselves."""

    code, kind = "auth.person_beyond_maker", "forbidden"
    en = (
        "Nobody hands out more than they have: to let somebody in as {role}, one must have all of that role's scopes, "
        "in every project of the tenant, without an end."
    )
    zh = "不能授予超出自身的权限：要以 {role} 角色添加他人，自己须在该租户的所有项目中永久拥有该角色的全部权限。"


class PersonIsSelf(FeilunError):
    """Nobody shuts themselves out, or changes their own role, by mistake."""

    code, kind = "person.is_self", "conflict"
    en = "Nobody shuts out, resets or gives another role to themselves. Ask another owner, or use: feilun person"
    zh = "不能停用、重置自己或更改自己的角色。请由其他所有者操作，或使用 feilun person 命令。"


class PersonDisabled(FeilunError):
    """Somebody who is shut out gets no code: it would not let them in."""

    code, kind = "person.disabled", "conflict"
    en = "{sign_in_name} is shut out. Let them in first: feilun person enable {person_id}"
    zh = "{sign_in_name} 已被停用。请先启用：feilun person enable {person_id}"


class PasswordWeak(FeilunError):
    """A password that could be guessed."""

    code, kind = "auth.password_weak", "invalid"
    en = "A password needs {least} to {most} characters, not all alike, and must not contain one's name."
    zh = "密码需要 {least} 到 {most} 个字符，不能由少数几个字符重复而成，也不能包含本人的名称。"


class SignInRefused(FeilunError):
    """The name or the password is wrong; which of them is not said, nor whether the person is shut out."""

    code, kind = "auth.sign_in_refused", "forbidden"
    en = "This name and password do not match. If you have forgotten yours, ask an owner for a new code."
    zh = "登录名与密码不匹配。如忘记密码，请向所有者索取新的邀请码。"


class SignInTooOften(FeilunError):
    """Too many tries to sign in, for one name or from one address."""

    code, kind = "auth.too_many_tries", "exhausted"
    en = "Too many tries. Try again in {retry_after_s} s."
    zh = "尝试次数过多。请在 {retry_after_s} 秒后重试。"


class SessionEnded(FeilunError):
    """The cookie is of a session that has ended, expired, or never was."""

    code, kind = "auth.session_ended", "forbidden"
    en = "You are not signed in (any more). Sign in again."
    zh = "你尚未登录或登录已失效。请重新登录。"


class PersonOnly(FeilunError):
    """A key, or nobody in particular, asks for what a signed-in person alone can do."""

    code, kind = "auth.person_only", "forbidden"
    en = "Only somebody who has signed in with a password may do this; a key cannot."
    zh = "只有以密码登录的人员可以执行该操作，密钥不能。"
