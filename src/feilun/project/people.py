"""Who may sign in to the console of a workspace."""

from __future__ import annotations

from typing import Any

from feilun import trust
from feilun.store import Store

Row = dict[str, Any]


class PeopleVerbs:
    """People: added, changed and reset by whoever may manage keys. They themselves sign in over HTTP alone."""

    store: Store

    def add_person(
        self,
        sign_in_name: str,
        *,
        role: str,
        name: str = "",
        tenant: str | None = None,
        by: Row | None = None,
        actor: str = "python",
    ) -> Row:
        """Somebody who may sign in; the code with which they choose a password is in the field `code`, this once.

        Args:
            sign_in_name: letters, digits, '.', '-', '_'; of a tenant's people "@" and the tenant follow.
            role: viewer, labeller, maintainer or owner; opens as much as a key of that role.
            name: as people write it; empty takes the sign-in name.
            tenant: whose they are; None is the maker's own, the operator's for whoever is one.
        Raises:
            PersonRequestInvalid: a name or the role cannot be used.
            TenantUnknown: there is no such tenant, as far as the maker sees.
            PersonBeyondMaker: they would be allowed more than the maker.
            PersonExists: somebody signs in by that name already.
        """
        said: dict[str, Any] = {"sign_in_name": sign_in_name, "role": role, "name": name, "tenant": tenant}
        row, code = trust.add_person(self.store, **said, by=by, actor=actor)
        return trust.describe_person(row) | {"code": code}

    def list_people(self, *, by: Row | None = None) -> list[Row]:
        """Everybody in sight, by sign-in name."""
        return [trust.describe_person(row) for row in trust.list_people(self.store, by=by)]

    def get_person(self, person_id: str, *, by: Row | None = None) -> Row:
        """Raises:
        PersonUnknown: there is nobody of that id in sight.
        """
        return trust.describe_person(trust.get_person(self.store, person_id, by=by))

    def update_person(
        self,
        person_id: str,
        *,
        name: str | None = None,
        role: str | None = None,
        is_disabled: bool | None = None,
        by: Row | None = None,
        actor: str = "python",
    ) -> Row:
        """Rename somebody, give them another role, shut them out or in again; None leaves as it is.

        All of it holds at their next request, on every server; whoever is shut out is signed out everywhere.

        Raises:
            PersonRequestInvalid, PersonUnknown: a name or the role cannot be used, or there is nobody of that id.
            PersonIsSelf, PersonBeyondMaker: the caller may not do this to themselves, or to somebody with more rights.
        """
        wanted: dict[str, Any] = {"name": name, "role": role, "is_disabled": is_disabled}
        return trust.describe_person(trust.update_person(self.store, person_id, **wanted, by=by, actor=actor))

    def reset_person(self, person_id: str, *, by: Row | None = None, actor: str = "python") -> Row:
        """Take somebody's password away and sign them out everywhere; `code`, shown once, lets them choose another.

        Raises:
            PersonUnknown, PersonDisabled: there is nobody of that id in sight, or they are shut out.
            PersonIsSelf, PersonBeyondMaker: the caller may not do this to themselves, or to somebody with more rights.
        """
        row, code = trust.reset_person(self.store, person_id, by=by, actor=actor)
        return trust.describe_person(row) | {"code": code}
