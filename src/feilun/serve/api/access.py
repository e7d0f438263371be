"""Who is at the door: a key's owner, somebody who has signed in, or somebody on this very machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from feilun.errors import FeilunError
from feilun.serve.api.cookies import must_be_own_page, token_in
from feilun.serve.api.errors import ForeignPage
from feilun.store import Store
from feilun.trust import KeyInvalid, KeyMissing, KeyRing, allow, must_be_operator, person_behind, rights_of

# A request that a proxy passed on comes from the proxy's machine, whatever its peer address says.
FORWARDING = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-envoy-external-address",
    "cf-connecting-ip",
    "fastly-client-ip",
    "true-client-ip",
)
MAX_ADDRESS = 64
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Caller:
    """Who asks. `key` is the API key's row, or what a signed-in `person` may do in the same form, and `store` the
    workspace they belong to; none of them on this machine."""

    name: str
    key: dict[str, Any] | None = None
    store: Store | None = None
    person: dict[str, Any] | None = None  # with the `token_hash` of the session

    def must_have(self, scope: str, *, project: str | None = None) -> None:
        """Raises:
        ScopeMissing: the key may not do this here.
        """
        if self.key is not None:
            allow(self.key, scope=scope, project=project)

    def must_be_operator(self) -> None:
        """Raises:
        OperatorOnly: the key is a tenant's, or one project's.
        """
        must_be_operator(self.key)

    def knows(self, project: str, *, tenant: str, store: Store) -> bool:
        """Whether the project exists as far as this caller is concerned."""
        if self.key is None:
            return True
        is_own = self.key["tenant"] in (None, tenant) and self.key["project"] in (None, project)
        return is_own and self.store is store


LOCAL = Caller("loopback")


class Access:
    """Decides who a request comes from. May be used from any thread.

    Nobody needs a key who really is on this machine: the peer is loopback, no proxy passed the request on, it names
    this server by a loopback name (against DNS rebinding), and no other site's page is behind it (against forged
    requests). `require_key` asks those for a key too; set it behind a proxy that adds no header.
    """

    def __init__(self, stores: Sequence[Store], *, require_key: bool, hosts: Sequence[str] = ()) -> None:
        self._rings = [(store, KeyRing(store)) for store in stores]
        self._require_key = require_key
        self._hosts = {*LOOPBACK_NAMES, *(host.lower() for host in hosts)}

    def quick(self, scope: Any, headers: Headers) -> Caller | None:
        """The caller, when that can be told without touching the disk."""
        secret = secret_in(headers)
        if secret is None and token_in(scope, headers) is not None:
            return None
        if secret is None:
            self._must_be_local(scope, headers)
            return LOCAL
        for store, ring in self._rings:
            row = ring.remembered(secret)
            if row is not None:
                return Caller(row["name"], row, store)
        return None

    def identify(self, scope: Any, headers: Headers) -> Caller:
        """The caller.

        Raises:
            KeyMissing, KeyInvalid, TenantDisabled, ForeignPage, SessionEnded, CrossSite: stay outside.
        """
        known = self.quick(scope, headers)
        if known is not None:
            return known
        token = token_in(scope, headers)
        if token is not None and secret_in(headers) is None:
            return self._signed_in(scope, headers, token)
        refusal: FeilunError = KeyMissing()
        for store, ring in self._rings:
            try:
                row = ring.identify(secret_in(headers))
            except KeyInvalid as error:
                refusal = error
            else:
                return Caller(row["name"], row, store)
        raise refusal

    def _signed_in(self, scope: Any, headers: Headers, token: str) -> Caller:
        """Whose session it is; a browser sends its token whether our page asked or not."""
        must_be_own_page(scope, headers)
        store, person = person_behind([store for store, _ in self._rings], token)
        rights = rights_of(person)
        return Caller(rights["name"], rights, store, person)

    def _must_be_local(self, scope: Any, headers: Headers) -> None:
        if self._require_key or not is_loopback(scope.get("client")) or any(name in headers for name in FORWARDING):
            raise KeyMissing()
        hosts = headers.getlist("host")
        origin = headers.get("origin")
        strangers = (
            len(hosts) != 1
            or _name_of(hosts[0]) not in self._hosts
            or headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
            or (origin is not None and urlsplit_safe(origin) != hosts[0].lower())
        )
        if strangers:
            raise ForeignPage(hosts=", ".join(sorted(self._hosts)))


def secret_in(headers: Headers) -> str | None:
    """The API key that a request carries; an empty one counts as none."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return headers.get("x-api-key", "").strip() or None


def address_of(scope: Any, headers: Headers) -> str:
    """Where a request comes from, to count tries by: the peer, or whom a proxy on this machine names last.

    A proxy elsewhere is not believed, since anybody may say to be one; nor does anything else hang on this address.
    """
    peer = str((scope.get("client") or ("",))[0])
    named = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:MAX_ADDRESS]
    return _without_port(named) if named and is_loopback(scope.get("client")) else peer


def _without_port(address: str) -> str:
    """Some proxies write the client's port too, which is another one for each connection."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def is_loopback(client: Any) -> bool:
    """Whether a peer (host, port) is on this machine; an unknown one is not."""
    try:
        return _is_loopback_address(client[0])
    except (TypeError, ValueError, IndexError):
        return False


@lru_cache(maxsize=1024)
def _is_loopback_address(host: str) -> bool:
    address = ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def urlsplit_safe(origin: str) -> str:
    """host:port of an Origin header; empty when it has none ("null") or cannot be read."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """The name in a Host header, without its port and brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
