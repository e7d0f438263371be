"""Tries to sign in, counted so that guessing stays slow and no stranger keeps anybody out.

Who comes with a device they have signed in on before has tries of their own, which no stranger can use up. All others
are counted by name and address together, by address, and by name. The buckets are in the store: every server of a
workspace draws from the same ones, and they outlive a restart. A row is made only by a try whose password is hashed,
and goes when its bucket is full again, so that a flood of names and addresses makes as many rows as the server can hash
passwords in that time, some hundreds; none is ever dropped to make room for another.

Source:
    OWASP ASVS 5.0, V6.3.1; OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from feilun.store import Knock, Store
from feilun.trust.errors import SignInTooOften

# Tries a minute, and at once after a pause. Somebody who mistypes has enough; whoever guesses at one name gets 2,880 a
# day from all addresses together, of passwords of at least twelve characters.
BY_BOTH, BY_ADDRESS, BY_NAME = (1, 5), (6, 20), (2, 60)
BY_DEVICE = BY_PERSON = (2, 10)
IPV6_PREFIX = 64  # what one household or server is given: within it, everybody has as many addresses as they like


def tries_of_stranger(name: str, address: str) -> list[Knock]:
    network = network_of(address)
    return [
        _knock("both", f"{name} {network}", *BY_BOTH),
        _knock("address", network, *BY_ADDRESS),
        _knock("name", name, *BY_NAME),
    ]


def tries_of_device(device: str) -> list[Knock]:
    return [_knock("device", device, *BY_DEVICE)]


def tries_of_person(person_id: str) -> list[Knock]:
    """Of somebody who is signed in and gives their password again: a session that was stolen is no way to guess it."""
    return [_knock("person", person_id, *BY_PERSON)]


def must_have_tries(store: Store, knocks: Sequence[Knock]) -> None:
    """Look, without taking a try and without writing: whoever is refused here costs a reading and no more.

    Raises:
        SignInTooOften: a bucket is empty.
    """
    _must_not_wait(store.look_at_knocks, knocks)


def take_tries(store: Store, knocks: Sequence[Knock]) -> None:
    """Raises:
    SignInTooOften: a bucket is empty, and nothing was taken from any.
    """
    _must_not_wait(store.take_knocks, knocks)


def network_of(address: str) -> str:
    """What an address is counted as: IPv4 as it is, IPv6 by its network; what is neither, as it is written."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found.packed, IPV6_PREFIX), strict=False))


def _must_not_wait(asked: Callable[[Sequence[Knock]], float], knocks: Sequence[Knock]) -> None:
    wait_s = asked(knocks)
    if wait_s > 0:
        raise SignInTooOften(retry_after_s=math.ceil(wait_s))


def _knock(kind: str, whose: str, per_minute: int, burst: int) -> Knock:
    """Hashed: people type passwords where names belong, and addresses are personal data."""
    digest = hashlib.sha256(f"{kind} {whose}".encode("utf-8", "surrogatepass")).hexdigest()
    return Knock(digest, per_minute, burst)
