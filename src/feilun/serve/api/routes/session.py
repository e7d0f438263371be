"""The session of somebody in front of a browser: who they are, in, out.

Open to strangers, so each route looks for itself at what the guard asks of all others: that our own page is behind it.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from feilun import trust
from feilun.serve.api.access import Caller, address_of
from feilun.serve.api.cookies import drop_session, keep_proofs, keep_session, must_be_own_page, proofs_in
from feilun.serve.api.house import House
from feilun.serve.api.people_shapes import Invitation, PasswordChange, SessionRow, SignIn
from feilun.serve.api.routing import ForPerson, Routes, Visit, send
from feilun.store import Store
from feilun.trust import SCOPES, opened_by, reach_of, role_of

routes = Routes("session")
Owning = Annotated[Visit, Depends(ForPerson("read"))]


@routes("GET", "/v1/session", summary="Ask who one is.", reply=SessionRow, problems=(403, 503))
async def get_session(request: Request) -> Response:
    """Answers everybody: somebody who is not known yet is nobody. A cookie that opens nothing any more is dropped."""
    must_be_own_page(request.scope, request.headers)
    caller: Caller | None = request.state.caller
    reply = send(describe(caller))
    if caller is None:
        drop_session(reply)
    return reply


@routes("POST", "/v1/session", summary="Sign in.", reply=SessionRow, problems=(403, 503, 507))
async def sign_in(request: Request, body: SignIn) -> Response:
    """For browsers: the reply sets a cookie that no script can read, for 7 days at most, 12 hours unused, and
    another one by which the browser is known for 90 days, so that others' tries do not count there. Needs the header
    `X-Feilun-Console: 1`. Programs use keys."""
    must_be_own_page(request.scope, request.headers)
    house, headers = _house(request), request.headers
    proofs, address = proofs_in(request.scope, headers), address_of(request.scope, headers)
    who = await house.read(trust.approach, house.stores, sign_in_name=body.sign_in_name, address=address, proofs=proofs)
    password = body.password.get_secret_value()
    found = await house.check_password(trust.sign_in, house.stores, who, password=password, is_known=who.is_known)
    return _enter(request, *found)


@routes(
    "POST",
    "/v1/session/invitation",
    summary="Choose a password and sign in.",
    reply=SessionRow,
    problems=(403, 503, 507),
)
async def accept_invitation(request: Request, body: Invitation) -> Response:
    """With the code that an owner made by adding or resetting somebody. Otherwise as signing in."""
    must_be_own_page(request.scope, request.headers)
    house, code = _house(request), body.code.get_secret_value()
    await house.read(trust.must_be_invited, house.stores, code=code)
    password = body.password.get_secret_value()
    found = await house.check_password(
        trust.accept_invitation, house.stores, code=code, password=password, is_known=True
    )
    return _enter(request, *found)


@routes("PUT", "/v1/session/password", summary="Change one's password.", reply=SessionRow, problems=(507,))
async def change_password(request: Request, visit: Owning, body: PasswordChange) -> Response:
    """Every session of the person ends; the reply's cookie is of a new one."""
    caller = visit.caller
    assert caller.person is not None and caller.store is not None  # or the door would have stayed closed
    person, token = await visit.house.check_password(
        trust.change_password,
        caller.store,
        caller.person,
        old=body.old.get_secret_value(),
        new=body.new.get_secret_value(),
        is_known=True,
    )
    return _enter(request, caller.store, person, token)


@routes("DELETE", "/v1/session", summary="Sign out.", reply=None, status=204, problems=(403, 503, 507))
async def sign_out(request: Request) -> Response:
    """The session opens nothing any more, on any server. Whoever has none is told the same."""
    must_be_own_page(request.scope, request.headers)
    caller: Caller | None = request.state.caller
    if caller is not None and caller.person is not None and caller.store is not None:
        await _house(request).read(caller.store.end_session, caller.person["token_hash"])
    reply = Response(status_code=204)
    drop_session(reply)
    return reply


def _enter(request: Request, store: Store, person: dict[str, Any], token: str) -> Response:
    """Say who they are, and have the browser keep their session and that they have been here."""
    scope, headers, rights = request.scope, request.headers, trust.rights_of(person)
    reply = send(describe(Caller(rights["name"], rights, store, person)))
    keep_session(reply, scope, headers, token=token)
    keep_proofs(reply, scope, headers, proofs=trust.remember_device(person, proofs_in(scope, headers)))
    return reply


def describe(caller: Caller | None) -> dict[str, Any]:
    """Who somebody is; on this machine they may do everything, without a name."""
    key, person = (None, None) if caller is None else (caller.key, caller.person)
    kind = "nobody" if caller is None else "machine" if key is None else "key" if person is None else "person"
    opened = set() if caller is None else set(SCOPES) if key is None else opened_by(key["scopes"])
    return {
        "kind": kind,
        "name": person["name"] if person else key and key["name"],
        "sign_in_name": person and person["sign_in_name"],
        "person_id": person and person["person_id"],
        "role": role_of(opened) if opened else None,
        "scopes": [scope for scope in SCOPES if scope in opened],
        "tenant": key and key["tenant"],
        "project": key and key["project"],
        "is_operator": caller is not None and reach_of(key).is_operators,
    }


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house
