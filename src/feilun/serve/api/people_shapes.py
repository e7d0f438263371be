"""People and sessions as they go in and come out, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, SecretStr

from feilun.serve.api.key_shapes import Role, Scope
from feilun.serve.api.shapes import Shape

_ROLE = "What they may do: as much as a key of that role."
_NAME = "As people write it."
_PASSWORD = "12 characters or more."


class PersonRequest(Shape):
    """Somebody to let in: with at most the caller's own rights."""

    sign_in_name: str = Field(
        min_length=1, max_length=32, description="Letters of any script, digits, '.', '-', '_'.", examples=["desk1"]
    )
    name: str = Field("", max_length=64, description=f"{_NAME} Absent: the sign-in name.")
    role: Role = Field(description=_ROLE)
    tenant: str | None = Field(None, min_length=1, max_length=64, description="Whose they are; absent: the caller's.")


class PersonChange(Shape):
    name: str | None = Field(None, min_length=1, max_length=64, description=_NAME)
    role: Role | None = Field(None, description=f"{_ROLE} It holds at their next request.")
    is_disabled: bool | None = Field(
        None, description="true: signed out everywhere at once, and shut out; false: let in with the same password."
    )


class PersonRow(Shape):
    """Somebody who may sign in; never a password."""

    person_id: str
    sign_in_name: str = Field(description="With @ and the tenant for people of a tenant.")
    name: str
    role: Role
    tenant: str | None = Field(description="Whose they are; null is an operator.")
    created_at: datetime
    disabled_at: datetime | None
    has_password: bool
    invited_until: datetime | None = Field(description="Until when their code is good; null when there is none.")


class PersonMade(PersonRow):
    code: str = Field(description="The code with which they choose a password, shown this once; good for 7 days.")


class PersonList(Shape):
    people: list[PersonRow] = Field(description="Those in reach of the caller, by sign-in name.")


class SignIn(Shape):
    sign_in_name: str = Field(min_length=1, max_length=100, description="Case does not matter.")
    password: SecretStr = Field(min_length=1, max_length=256, description="Theirs.")


class Invitation(Shape):
    code: SecretStr = Field(min_length=1, max_length=100, description="From whoever added or reset the person.")
    password: SecretStr = Field(min_length=1, max_length=256, description=_PASSWORD)


class PasswordChange(Shape):
    old: SecretStr = Field(min_length=1, max_length=256, description="The present password.")
    new: SecretStr = Field(min_length=1, max_length=256, description=_PASSWORD)


class SessionRow(Shape):
    """Who the caller is, as far as this server knows."""

    kind: Literal["nobody", "machine", "key", "person"] = Field(
        description="Nobody yet; somebody on the server's own machine; a key's owner; somebody who has signed in."
    )
    name: str | None = Field(description="The key's name, or the person's.")
    sign_in_name: str | None = Field(description="A person's; the audit log calls them by it.")
    person_id: str | None
    role: Role | None = Field(description="The role that opens just as much, if one does.")
    scopes: list[Scope] = Field(description="What is open to the caller.")
    tenant: str | None = Field(description="Whose they are; null is the operator's.")
    project: str | None = Field(description="The only project that a key opens.")
    is_operator: bool = Field(description="Whether the workspace as a whole is open.")
