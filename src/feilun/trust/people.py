"""People: let in by an owner with a one-time code, with no more rights than the owner has."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from typing import Any

from feilun.store import MAX_ACTOR, Store, utc_now
from feilun.trust.errors import PersonBeyondMaker, PersonDisabled, PersonIsSelf, PersonRequestInvalid
from feilun.trust.keys import MAX_NAME, hash_secret, reach_of
from feilun.trust.making import may_manage, new_secret, who
from feilun.trust.roles import ROLES, opened_by

CODE_PREFIX = "fi_"
CODE_FOR = timedelta(days=7)
MAX_SIGN_IN_NAME = 32
SHOWN = ("person_id", "sign_in_name", "name", "role", "tenant", "created_at", "disabled_at")

Person = dict[str, Any]
Key = dict[str, Any]


def add_person(
    store: Store,
    *,
    sign_in_name: str,
    role: str,
    name: str = "",
    tenant: str | None = None,
    by: Key | None = None,
    actor: str = "python",
) -> tuple[Person, str]:
    """Somebody who may sign in: their row, and the code with which they choose a password, shown this once.

    Args:
        sign_in_name: letters (of any script), digits, '.', '-', '_'; of a tenant's people "@" and the tenant follow.
        name: as people write it; empty takes the sign-in name.
        tenant: whose they are; None is the maker's own, the operator's for whoever is one.
        by: the rights of whoever adds them; None is the operator at the machine.
    Raises:
        PersonRequestInvalid: a name or the role cannot be used.
        TenantUnknown: there is no such tenant, as far as the maker sees.
        PersonBeyondMaker: they would be allowed more than the maker.
        PersonExists: somebody signs in by that name already.
    """
    within = may_manage(by)
    plain, name = fold(sign_in_name), name.strip() or sign_in_name.strip()
    _must_cover(by, role)
    if tenant is not None:
        store.get_tenant(within, tenant)
    tenant = tenant or within.tenant
    whole = plain if tenant is None else f"{plain}@{tenant}"
    is_right = "@" not in plain and is_sign_in_name(whole) and len(plain) <= MAX_SIGN_IN_NAME
    if not is_right or len(whole) > MAX_ACTOR or not _is_name(name):
        raise _invalid()
    code = new_secret(CODE_PREFIX)
    said: dict[str, Any] = {
        "sign_in_name": whole,
        "name": name,
        "role": role,
        "tenant": tenant,
        "actor": who(by, actor),
    }
    return store.add_person(**said, code_hash=hash_secret(code), code_until=utc_now() + CODE_FOR), code


def update_person(
    store: Store,
    person_id: str,
    *,
    name: str | None = None,
    role: str | None = None,
    is_disabled: bool | None = None,
    by: Key | None = None,
    actor: str = "python",
) -> Person:
    """Rename somebody, give them another role, shut them out (signing them out everywhere at once) or in again.

    Raises:
        PersonRequestInvalid: the name or the role cannot be used.
        PersonUnknown: there is nobody of that id, as far as the caller sees.
        PersonIsSelf: it is the caller, and not only about the name.
        PersonBeyondMaker: they have, or would get, more rights than the caller; anybody who sees them may
            shut them out.
    """
    within = may_manage(by)
    name = None if name is None else name.strip()
    if name is not None and not _is_name(name):
        raise _invalid()
    row = store.get_person(within, person_id)
    if role is not None or is_disabled is not None:
        _must_be_another(by, person_id)
    if role is not None:
        _must_cover(by, role)
    if role is not None or is_disabled is False:
        _must_cover(by, row["role"])
    return store.update_person(within, person_id, name=name, role=role, is_disabled=is_disabled, actor=who(by, actor))


def reset_person(store: Store, person_id: str, *, by: Key | None = None, actor: str = "python") -> tuple[Person, str]:
    """Take somebody's password away, sign them out everywhere; their row, and a code to choose another, shown once.

    Raises:
        PersonUnknown: there is nobody of that id, as far as the caller sees.
        PersonDisabled: they are shut out.
        PersonIsSelf: it is the caller.
        PersonBeyondMaker: they have more rights than the caller, who could become them with the code.
    """
    within = may_manage(by)
    row = store.get_person(within, person_id)
    _must_be_another(by, person_id)
    _must_cover(by, row["role"])
    if row["disabled_at"] is not None:
        raise PersonDisabled(sign_in_name=row["sign_in_name"], person_id=person_id)
    code = new_secret(CODE_PREFIX)
    until = utc_now() + CODE_FOR
    row = store.reset_person(within, person_id, code_hash=hash_secret(code), code_until=until, actor=who(by, actor))
    return row, code


def list_people(store: Store, *, by: Key | None = None) -> list[Person]:
    """Whom the caller sees, by sign-in name."""
    return store.list_people(may_manage(by))


def get_person(store: Store, person_id: str, *, by: Key | None = None) -> Person:
    """Raises:
    PersonUnknown: there is nobody of that id, as far as the caller sees.
    """
    return store.get_person(may_manage(by), person_id)


def describe_person(row: Person) -> dict[str, Any]:
    """What may be shown of a person: never a hash."""
    is_invited = row["code_hash"] is not None
    return {name: row[name] for name in SHOWN} | {
        "has_password": row["password_hash"] is not None,
        "invited_until": row["code_until"] if is_invited else None,
    }


def rights_of(person: Person) -> Key:
    """What a signed-in person may do, in the form of a key's row: exactly as much as a key of their role."""
    return {
        "key_id": person["person_id"],
        "name": person["sign_in_name"],
        "scopes": list(ROLES[person["role"]]),
        "tenant": person["tenant"],
        "project": None,
        "expires_at": None,
    }


def fold(sign_in_name: str) -> str:
    """A sign-in name as it is compared: neither case nor the width of letters matters, but in a tenant's id."""
    name, at, tenant = unicodedata.normalize("NFKC", sign_in_name).strip().partition("@")
    return name.casefold() + at + tenant


def is_sign_in_name(folded: str) -> bool:
    """Whether somebody may sign in by this name, with or without a tenant."""
    return re.fullmatch(r"\w[\w.-]*(@[\w-]+)?", folded) is not None


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def _must_cover(by: Key | None, role: str) -> None:
    """Whether `by` may let somebody in, or let go on somebody, who has `role`."""
    if role not in ROLES:
        raise _invalid()
    if by is None:
        return
    is_bound = reach_of(by).project is not None or by["expires_at"] is not None
    if is_bound or not opened_by(ROLES[role]) <= opened_by(by["scopes"]):
        raise PersonBeyondMaker(role=role)


def _must_be_another(by: Key | None, person_id: str) -> None:
    if by is not None and by["key_id"] == person_id:
        raise PersonIsSelf()


def _invalid() -> PersonRequestInvalid:
    return PersonRequestInvalid(
        max_sign_in_name=MAX_SIGN_IN_NAME, max_full_name=MAX_ACTOR, max_name=MAX_NAME, roles=", ".join(ROLES)
    )
