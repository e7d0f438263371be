"""Where alerts may go: whatever an address is written like, no connection is made to where none may go."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from feilun.alerts import AlertNotSent, Door, deliver
from feilun.alerts.address import resolve_name
from feilun.config import AlertTargetSettings, ServeSettings

PAYLOAD = {"type": "alert.test", "timestamp": "t", "data": {"en": "hello", "zh": "你好"}}
CHAT = "hooks.example.com"


class Watcher:
    """A resolver and a dialler that write down what is asked of them; no connection is ever made."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.resolved, self.dialled = list(addresses), 0, list[str]()

    def resolve(self, host: str, port: int) -> list[str]:
        self.resolved += 1
        return self.addresses

    def connect(self, where: tuple[str, int], timeout: float) -> socket.socket:
        self.dialled.append(where[0])
        raise ConnectionRefusedError


def outcome(url: str, watcher: Watcher, *, hosts: tuple[str, ...], networks: tuple[str, ...] = (), **how: Any) -> str:
    """Why a delivery to `url` fails."""
    door = Door.of(ServeSettings(alert_hosts=hosts, alert_networks=networks))
    given = {"resolve": watcher.resolve} | how
    target = AlertTargetSettings(name="ops", url="env:ALERT_URL")
    with pytest.raises(AlertNotSent) as refused, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALERT_URL", url)
        deliver(
            target, PAYLOAD, delivery_id="a_1", lang="en", folder=Path(), door=door, connect=watcher.connect, **given
        )
    return str(refused.value.fields["what"])


@pytest.mark.parametrize(
    "url",
    [
        f"http://{CHAT}/x",
        f"https://{CHAT}:8443/x",
        f"https://{CHAT}.evil.example/x",
        f"https://evil.example/{CHAT}",
        f"https://evil.example?{CHAT}",
        f"https://evil.example#{CHAT}",
        f"https://evil{CHAT}/x",
        f"https://sub.{CHAT}/x",
        f"https://{CHAT}./x",
        f"https://{CHAT}@evil.example/x",
        f"https://evil.example@{CHAT}/x",
        f"https://me:word@{CHAT}/x",
        f"https://@{CHAT}/x",
        f"https://evil.example\\@{CHAT}/x",
        f"https://{CHAT}\\.evil.example/x",
        f"https://{CHAT}%2eevil.example/x",
        f"https://{CHAT}%00.evil.example/",
        f"https://{CHAT}:443:80/x",
        f"https://{CHAT}:/x",
        f"https://{CHAT}:99999/x",
        f"https://{CHAT}:-1/x",
        f"https://{CHAT}:443x/",
        f"https:/{CHAT}/x",
        f"https:{CHAT}/x",
        f"//{CHAT}/x",
        f" https://{CHAT}/x y",
        f"https://{CHAT}/\r\nHost: evil.example",
        f"https://{CHAT}/\tx",
        "https://hooks．example．com/x",
        "https://hooks。example。com/x",
        "https://ℎooks.example.com/x",
        "https:///x",
        "https://",
        "https://[::1/x",
        "https://[]/x",
        "file:///etc/passwd",
        "file://hooks.example.com/etc/passwd",
        f"ftp://{CHAT}/x",
        f"gopher://{CHAT}:70/_x",
        f"dict://{CHAT}:11211/stat",
        f"ws://{CHAT}/",
        "unix:///var/run/docker.sock",
        f"http+unix://{CHAT}/x",
        f"javascript://{CHAT}/%0aalert(1)",
        f"data:text/plain,{CHAT}",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://0177.0.0.1/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://localhost/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://metadata.google.internal/",
        f"https://{CHAT}/{'x' * 3000}",
    ],
)
def test_an_address_that_is_not_of_a_host_on_the_list_is_not_even_looked_up(url: str):
    watcher = Watcher("93.184.215.14")
    assert outcome(url, watcher, hosts=(CHAT,)) in ("url", "host")
    assert (watcher.resolved, watcher.dialled) == (0, [])


FORBIDDEN = [
    *(
        "0.0.0.0",
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
    ),
    *("169.254.0.1", "100.64.0.1", "100.100.100.200", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1", "fe80::1", "fc00::1"),
    *("fe80::1%lo", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"),
    *("::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::1"),
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_host_on_the_list_that_leads_inside_is_not_connected_to(address: str):
    alone, beside = Watcher(address), Watcher("93.184.215.14", address)
    for watcher in (alone, beside):
        assert outcome(f"https://{CHAT}/x", watcher, hosts=(CHAT,)) == "address"
        assert watcher.dialled == []


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0"],
)
def test_spellings_of_loopback_are_seen_through_even_when_they_are_on_the_list(host: str):
    watcher = Watcher()
    assert outcome(f"https://{host}/x", watcher, hosts=(host,), resolve=resolve_name) in ("address", "unresolved")
    assert watcher.dialled == []


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111"])
def test_what_is_dialled_is_the_address_that_was_judged_and_its_name_is_looked_up_once(address: str):
    watcher = Watcher(address)
    assert outcome(f"https://{CHAT}/x", watcher, hosts=(CHAT,)) == "unreachable"
    assert (watcher.resolved, watcher.dialled) == (1, [address])


def test_a_private_network_that_is_named_is_open_and_no_other_one_and_never_that_of_the_metadata():
    def inside(address: str, *networks: str, scheme: str = "https") -> str:
        host = f"{CHAT}:9000"
        return outcome(f"{scheme}://{host}/x", Watcher(address), hosts=(host,), networks=networks)

    assert inside("10.1.2.3", "10.1.0.0/16") == "unreachable"
    assert inside("10.2.2.3", "10.1.0.0/16") == "address"
    assert inside("169.254.169.254", "169.254.0.0/16") == "address"
    assert inside("127.0.0.1", "127.0.0.0/8", scheme="http") == "unreachable"
    assert inside("::1", "::1/128", scheme="http") == "unreachable"
    assert inside("127.0.0.1", scheme="http") == "address"
    assert inside("10.1.2.3", "10.0.0.0/8", scheme="http") == "address"
    assert inside("93.184.215.14", "93.184.0.0/16", scheme="http") == "address"


def test_a_name_that_nobody_knows_is_said_to_be_so():
    def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    for resolve in (nobody, Watcher().resolve):
        assert outcome(f"https://{CHAT}/x", Watcher(), hosts=(CHAT,), resolve=resolve) == "unresolved"
