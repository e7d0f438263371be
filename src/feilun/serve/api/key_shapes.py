"""Keys and tenants as they go in and come out, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from feilun.serve.api.shapes import Shape

Scope = Literal["predict", "feedback", "read", "admin", "keys"]
Role = Literal["viewer", "labeller", "maintainer", "owner"]
_LIFETIME = "Days until it expires."


class KeyRequest(Shape):
    """A key to make: it opens at most what the caller's own does, and for no longer."""

    name: str = Field(min_length=1, max_length=64, description="What it is for.", examples=["website"])
    role: Role | None = Field(None, description="A set of scopes with a name, instead of `scopes`.")
    scopes: list[Scope] = Field([], max_length=16, description="What it opens; `admin` brings predict, feedback, read.")
    tenant: str | None = Field(
        None, min_length=1, max_length=64, description="Whose it is; absent: the project's, or else the caller's own."
    )
    project: str | None = Field(
        None, min_length=1, max_length=64, description="The only project it opens; absent: every one in reach."
    )
    expires_in_days: float | None = Field(None, gt=0, le=36_500, description=f"{_LIFETIME} Absent: never.")


class RotateRequest(Shape):
    grace_s: float = Field(
        86_400, ge=0, le=7_776_000, description="Seconds for which the present secret goes on; 0 ends it at once."
    )
    expires_in_days: float | None = Field(None, gt=0, le=36_500, description=f"{_LIFETIME} Absent: as before.")


class KeyRow(Shape):
    """A key without its secret, which nobody has but its owner."""

    key_id: str
    name: str
    role: Role | None = Field(description="The role that opens just as much, if one does.")
    scopes: list[Scope]
    tenant: str | None = Field(description="Whose it is; null is the operator's.")
    project: str | None = Field(description="The only project it opens; null is every one of its tenant's, or here.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    previous_until: datetime | None = Field(description="Until when the secret before the last rotation opens.")
    last_used_at: datetime | None = Field(description="To the minute.")


class KeyMade(KeyRow):
    key: str = Field(description="The secret, shown this once.")


class KeyList(Shape):
    keys: list[KeyRow] = Field(description="Those in reach of the caller, oldest first; revoked ones too.")


class TenantRequest(Shape):
    tenant: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="Its id, for good.", examples=["acme"])
    name: str = Field("", max_length=64, description="As people write it; absent: the id.")


class TenantChange(Shape):
    name: str | None = Field(None, min_length=1, max_length=64, description="As people write it.")
    is_disabled: bool | None = Field(
        None, description="true: its keys open nothing within a second; false: they open what they did."
    )


class TenantRow(Shape):
    """A customer or a team; none sees another."""

    tenant: str
    name: str
    created_at: datetime
    disabled_at: datetime | None
    projects: list[str]


class TenantList(Shape):
    tenants: list[TenantRow] = Field(description="By id.")
