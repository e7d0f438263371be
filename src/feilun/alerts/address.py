"""Where alerts may go. A server that posts where somebody tells it to must not become a way into its own network: the
host has to be on a list, its name is looked up once, and the connection goes to the very address that was judged.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from feilun.alerts.errors import AlertNotSent
from feilun.config import ServeSettings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], list[str]]

PORTS = {"https": 443, "http": 80}
MAX_URL = 2048
# Where clouds tell a machine its own keys. Refused whatever the settings say; two of them look like public addresses.
METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "169.254.0.23", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"))
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")
COMPATIBLE = ipaddress.ip_network("::/96")


@dataclass(frozen=True)
class Destination:
    """An address that may be posted to, as far as its letters say."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the header Host says."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"


@dataclass(frozen=True)
class Door:
    """What a server lets out: to which hosts, and into which private networks."""

    hosts: frozenset[tuple[str, int]]
    networks: tuple[Network, ...]

    @classmethod
    def of(cls, settings: ServeSettings) -> Door:
        """The door that [serve] describes."""
        return cls(
            frozenset(map(_host_and_port, settings.alert_hosts)),
            tuple(map(ipaddress.ip_network, settings.alert_networks)),
        )

    def check(self, url: str, *, target: str) -> Destination:
        """Where `url` goes.

        Raises:
            AlertNotSent: it is no address that we post to, or its host is not on the list.
        """
        found = _parse(url)
        if found is None:
            raise AlertNotSent(target=target, what="url", detail="")
        if (found.host, found.port) not in self.hosts:
            raise AlertNotSent(target=target, what="host", detail="")
        return found

    def addresses(self, to: Destination, *, target: str, resolve: Resolve) -> Sequence[str]:
        """The addresses of the host, looked up once. One that is forbidden spoils them all.

        Raises:
            AlertNotSent: the name cannot be resolved, or to where nothing may go.
        """
        try:
            found = resolve(to.host, to.port)
        except (OSError, UnicodeError) as error:
            raise AlertNotSent(target=target, what="unresolved", detail="") from error
        if not found:
            raise AlertNotSent(target=target, what="unresolved", detail="")
        if not all(self._lets_through(to.scheme, address) for address in found):
            raise AlertNotSent(target=target, what="address", detail="")
        return found

    def _lets_through(self, scheme: str, text: str) -> bool:
        address = ipaddress.ip_address(text)
        meant = [address, *_inside(address)]
        if any(one in METADATA for one in meant):
            return False
        if scheme == "http":
            return all(one.is_loopback and self._names(one) for one in meant)
        return all(_is_public(one) or self._names(one) for one in meant)

    def _names(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def resolve_name(host: str, port: int) -> list[str]:
    """What the system's resolver says, each address once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


def _parse(url: str) -> Destination | None:
    """An address in printable ASCII without a name and password in it; None for all others."""
    if len(url) > MAX_URL or not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc or parts.netloc.endswith(":"):
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, parts.hostname, PORTS[parts.scheme] if port is None else port, path)


def _host_and_port(entry: str) -> tuple[str, int]:
    parts = urlsplit(f"//{entry}")
    return str(parts.hostname), PORTS["https"] if parts.port is None else parts.port


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 one stands for, so that none is smuggled in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64 or (address in COMPATIBLE and int(address) > 1):
        found.append(last)
    return [one for one in found if one is not None]
