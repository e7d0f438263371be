"""Verbs on the people who sign in; of passwords and codes only hashes are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feilun.store import tables as t
from feilun.store.chain import Change
from feilun.store.errors import CodeInvalid, PersonExists, PersonUnknown
from feilun.store.tenants import EVERYWHERE, Reach
from feilun.store.verbs import MAX_SHOWN, Verbs, new_id


class PeopleVerbs(Verbs):
    """Who may sign in."""

    def add_person(
        self,
        *,
        sign_in_name: str,
        name: str,
        role: str,
        tenant: str | None,
        code_hash: str,
        code_until: datetime,
        actor: str,
    ) -> dict[str, Any]:
        """Somebody of a tenant, or (None) an operator, who has no password yet but a code to choose one with.

        Raises:
            PersonExists: somebody else signs in by that name.
        """
        row: dict[str, Any] = {"person_id": new_id("person"), "sign_in_name": sign_in_name, "name": name, "role": role}
        row |= {"tenant": tenant, "code_hash": code_hash, "code_until": code_until}

        def work(connection: sa.Connection) -> None:
            same = sa.select(t.people.c.seq).where(t.people.c.sign_in_name == sign_in_name)
            if connection.execute(same).first() is not None:
                raise PersonExists(sign_in_name=sign_in_name)
            connection.execute(t.people.insert().values(created_at=t.utc_now(), **row))

        made = about("person.added", row, actor, {"name": sign_in_name, "role": role})
        self.writer.write(work, audit=lambda _: made)
        return self.get_person(EVERYWHERE, row["person_id"])

    def get_person(self, within: Reach, person_id: str) -> dict[str, Any]:
        """Somebody who is in sight.

        Raises:
            PersonUnknown: they are not, or there is nobody.
        """
        row = self._find(sa.select(t.people).where(*_person(within, person_id)))
        if row is None:
            raise PersonUnknown(person_id=person_id[:MAX_SHOWN])
        return row

    def list_people(self, within: Reach) -> list[dict[str, Any]]:
        """Those in sight, by the name with which they sign in."""
        return self._list(sa.select(t.people).where(*_in_sight(within)).order_by(t.people.c.sign_in_name))

    def find_person(self, sign_in_name: str) -> dict[str, Any] | None:
        """Who signs in by this name and is not shut out, nor their tenant."""
        return self._find(_let_in(t.people.c.sign_in_name == sign_in_name))

    def find_invited(self, code_hash: str) -> dict[str, Any] | None:
        """Who has this code, if it is still good and they are not shut out."""
        return self._find(_let_in(t.people.c.code_hash == code_hash, t.people.c.code_until > t.utc_now()))

    def update_person(
        self,
        within: Reach,
        person_id: str,
        *,
        actor: str,
        name: str | None = None,
        role: str | None = None,
        is_disabled: bool | None = None,
    ) -> dict[str, Any]:
        """Rename somebody, give them another role, shut them out or let them in again; None leaves as it is.

        Whoever is shut out is signed out everywhere.

        Raises:
            PersonUnknown: they are not in sight, or there is nobody.
        """

        def change(row: dict[str, Any]) -> dict[str, Any]:
            values: dict[str, Any] = {}
            values |= {} if name is None else {"name": name}
            values |= {} if role is None else {"role": role}
            if is_disabled is not None and is_disabled != (row["disabled_at"] is not None):
                values["disabled_at"] = t.utc_now() if is_disabled else None
            return values

        def tell(values: dict[str, Any]) -> dict[str, Any]:
            told = {key: values[key] for key in ("name", "role") if key in values}
            return told | ({"is_disabled": is_disabled} if "disabled_at" in values else {})

        return self._change(
            within, person_id, "person.changed", actor, change=change, tell=tell, signs_out=bool(is_disabled)
        )

    def reset_person(
        self, within: Reach, person_id: str, *, code_hash: str, code_until: datetime, actor: str
    ) -> dict[str, Any]:
        """Take somebody's password away, sign them out everywhere, and give them a code to choose another.

        Raises:
            PersonUnknown: they are not in sight, or there is nobody.
        """
        values = {"password_hash": None, "code_hash": code_hash, "code_until": code_until}
        return self._change(within, person_id, "person.reset", actor, change=lambda _: values, signs_out=True)

    def set_password(self, within: Reach, person_id: str, *, password_hash: str, actor: str) -> dict[str, Any]:
        """Another password; the old one opens nothing any more, nor does any session.

        Raises:
            PersonUnknown: they are not in sight, or there is nobody.
        """
        values = {"password_hash": password_hash, "code_hash": None, "code_until": None}
        return self._change(
            within, person_id, "person.password_changed", actor, change=lambda _: values, signs_out=True
        )

    def accept_invitation(self, code_hash: str, *, password_hash: str) -> dict[str, Any]:
        """The first password of whoever has the code, which opens nothing from then on.

        Raises:
            CodeInvalid: somebody was faster, or it has expired meanwhile.
        """

        def work(connection: sa.Connection) -> dict[str, Any]:
            query = _let_in(t.people.c.code_hash == code_hash, t.people.c.code_until > t.utc_now())
            row = connection.execute(query).mappings().first()
            if row is None:
                raise CodeInvalid()
            values = {"password_hash": password_hash, "code_hash": None, "code_until": None}
            connection.execute(t.people.update().where(t.people.c.person_id == row["person_id"]).values(values))
            return dict(row)

        row = self.writer.write(work, audit=lambda row: about("person.accepted", row, row["sign_in_name"], {}))
        return self.get_person(EVERYWHERE, row["person_id"])

    def _change(
        self,
        within: Reach,
        person_id: str,
        action: str,
        actor: str,
        *,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        tell: Callable[[dict[str, Any]], dict[str, Any]] = lambda _: {},
        signs_out: bool = False,
    ) -> dict[str, Any]:
        """Write what `change` makes of somebody's row; nothing is written, and nothing told, when that is nothing."""
        self.get_person(within, person_id)

        def work(connection: sa.Connection) -> Change | None:
            row = connection.execute(sa.select(t.people).where(*_person(within, person_id))).mappings().one()
            values = {name: value for name, value in change(dict(row)).items() if value != row[name]}
            if not values:
                return None
            connection.execute(t.people.update().where(t.people.c.person_id == person_id).values(values))
            if signs_out:
                s = t.sessions.c
                ended = t.sessions.update().where(s.person_id == person_id, s.ended_at.is_(None))
                connection.execute(ended.values(ended_at=t.utc_now()))
            return about(action, dict(row), actor, tell(values))

        self.writer.write(work, audit=lambda told: told)
        return self.get_person(within, person_id)


def about(action: str, row: dict[str, Any], actor: str, details: dict[str, Any]) -> Change:
    """What the audit log tells of a person; one of the operator's is no tenant's."""
    return Change(action, row["person_id"], actor, tenant=row["tenant"] or "", details=details)


def _in_sight(within: Reach) -> list[sa.ColumnElement[bool]]:
    """As `Reach.rows_of`; people see every project of their tenant, so that one project's key sees none of them."""
    return [sa.false()] if within.project is not None else Reach(within.tenant).rows_of(t.people)


def _person(within: Reach, person_id: str) -> list[sa.ColumnElement[bool]]:
    return [t.people.c.person_id == person_id, *_in_sight(within)]


def _let_in(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """People who are not shut out, nor their tenant."""
    whose = t.people.outerjoin(t.tenants, t.tenants.c.tenant == t.people.c.tenant)
    query = sa.select(t.people).select_from(whose)
    return query.where(t.people.c.disabled_at.is_(None), t.tenants.c.disabled_at.is_(None), *conditions)
