"""The door that people sign in at, with strangers in front of it: over HTTP, on either kind of database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import anyio
import httpx
import pytest
from starlette.datastructures import Headers

from feilun.config import ServeSettings
from feilun.serve.api.access import address_of
from feilun.serve.api.cookies import DEVICE_PLAIN, DEVICE_SECURE, FORM_PROOF, PLAIN
from feilun.serve.api.errors import ServerBusy
from feilun.serve.api.house import MAX_PASSWORDS, House
from feilun.trust.tries import BY_DEVICE, BY_NAME, take_tries, tries_of_device, tries_of_stranger
from tests.serve.api.shop import OURS, Shop

NAME, PASSWORD = f"desk1@{OURS}", "correct horse battery"


@pytest.fixture
def shop(shared_shop: Shop) -> Shop:
    return shared_shop


@pytest.fixture
def server(shop: Shop, serve) -> str:
    return str(serve(*shop.projects.values()).base_url)


@pytest.fixture
def browser(server: str) -> Iterator[httpx.Client]:
    """Where desk1 has signed in once, and signed out; on the address 127.0.0.1."""
    with httpx.Client(base_url=server, timeout=30, headers={FORM_PROOF: "1"}) as client:
        yield client


def settle(shop: Shop, browser: httpx.Client) -> None:
    made = shop.workspace.add_person("desk1", role="labeller", tenant=OURS)
    browser.post("/v1/session/invitation", json={"code": made["code"], "password": PASSWORD}).raise_for_status()
    browser.delete("/v1/session").raise_for_status()
    assert list(browser.cookies) == [DEVICE_PLAIN]


def sign_in(client: httpx.Client, name: str, password: str) -> httpx.Response:
    return client.post("/v1/session", json={"sign_in_name": name, "password": password})


def test_strangers_from_many_addresses_cannot_keep_somebody_from_signing_in_where_they_have_before(
    shop, serve, server, browser
):
    settle(shop, browser)
    unknown = f"nobody@{OURS}"
    with ExitStack() as closing:
        strangers = [
            closing.enter_context(
                httpx.Client(
                    base_url=server,
                    timeout=30,
                    headers={FORM_PROOF: "1"},
                    transport=httpx.HTTPTransport(local_address=f"127.0.0.{n}"),
                )
            )
            for n in (2, 3, 4)
        ]
        wrong = [sign_in(strangers[0], name, "not the password") for name in (NAME, unknown, "' OR 1=1 --")]
        assert {(one.status_code, one.text) for one in wrong} == {(403, wrong[0].text)}
        for name in (NAME, unknown):  # the rest of what is counted by name, from addresses of its own each
            for n in range(BY_NAME[1] - 1):
                take_tries(shop.store, tries_of_stranger(name, f"10.0.{n}.1"))
        late = {name: sign_in(strangers[1], name, PASSWORD) for name in (NAME, unknown)}
        for refused in late.values():  # guessing is over for all of them together, right or wrong, known or not
            assert (refused.status_code, refused.json()["code"]) == (429, "auth.too_many_tries")
            assert 0 < int(refused.headers["retry-after"]) <= 60 / BY_NAME[0] and "set-cookie" not in refused.headers
        assert {tuple(one.headers) for one in late.values()} == {tuple(late[NAME].headers)}

        before = rows(shop)
        for n in range(50):  # whoever is turned away leaves nothing behind
            assert sign_in(strangers[2], NAME, f"guess {n}").status_code == 429
        assert rows(shop) <= before

        other = serve(*shop.projects.values())  # another server of the workspace counts along, and knows the device
        said = {"json": {"sign_in_name": NAME, "password": PASSWORD}, "headers": {FORM_PROOF: "1"}}
        assert other.post("/v1/session", **said).status_code == 429
        other.cookies.set(DEVICE_PLAIN, browser.cookies[DEVICE_PLAIN])
        assert other.post("/v1/session", **said).json()["sign_in_name"] == NAME
    assert sign_in(browser, NAME, PASSWORD).json()["sign_in_name"] == NAME
    assert set(browser.cookies) == {PLAIN, DEVICE_PLAIN}


def rows(shop: Shop) -> int:
    with shop.store.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM knocks").scalar_one())


def test_a_device_that_is_known_does_not_guess_for_ever_either(shop, browser):
    settle(shop, browser)
    device = browser.cookies[DEVICE_PLAIN].rpartition(".")[0]
    for _ in range(BY_DEVICE[1] - 1):
        take_tries(shop.store, tries_of_device(device))
    assert sign_in(browser, NAME, "not the password").status_code == 403
    assert sign_in(browser, NAME, PASSWORD).status_code == 429


def test_whoever_is_locked_out_on_a_new_device_gets_in_with_a_code(shop, browser):
    settle(shop, browser)
    browser.cookies.clear()
    person = shop.store.find_person(NAME)
    for n in range(BY_NAME[1]):
        take_tries(shop.store, tries_of_stranger(NAME, "127.0.0.1" if n < 5 else f"10.0.{n}.1"))
    assert sign_in(browser, NAME, PASSWORD).status_code == 429
    code = shop.workspace.reset_person(person["person_id"])["code"]
    said = {"code": code, "password": "another battery horse"}
    assert browser.post("/v1/session/invitation", json=said).json()["sign_in_name"] == NAME
    browser.cookies.delete(PLAIN)
    assert sign_in(browser, NAME, "another battery horse").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_device_is_remembered_out_of_reach_of_scripts_and_of_other_hosts(shop, browser):
    settle(shop, browser)
    reply = browser.post(
        "/v1/session",
        json={"sign_in_name": NAME, "password": PASSWORD},
        headers={"X-Forwarded-Proto": "https", "Cookie": f'{DEVICE_SECURE}="a\\073b"~{"x" * 500}~kept'},
    )
    [cookie] = [one for one in reply.headers.get_list("set-cookie") if one.startswith(DEVICE_SECURE)]
    assert (
        all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/", "Secure")) and "Domain" not in cookie
    )
    first, *others = cookie.partition("=")[2].partition(";")[0].split("~")
    assert others == ["kept"] and NAME not in first


def test_who_is_known_does_not_stand_behind_a_line_of_strangers():
    order, go = [], threading.Event()

    def hashes(who: str) -> None:
        go.wait(30)
        order.append(who)

    async def crowd() -> None:
        house = House({}, require_key=False, settings=ServeSettings())
        async with anyio.create_task_group() as group:
            for n in range(1 + MAX_PASSWORDS):
                group.start_soon(lambda n=n: house.check_password(hashes, f"stranger {n}", is_known=False))
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(ServerBusy):
                await house.check_password(hashes, "one too many", is_known=False)
            group.start_soon(lambda: house.check_password(hashes, "known", is_known=True))
            await anyio.wait_all_tasks_blocked()
            go.set()

    anyio.run(crowd)
    assert order == ["stranger 0", "known", *(f"stranger {n}" for n in range(1, 1 + MAX_PASSWORDS))]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.1.2.3", "1.2.3.4", "10.1.2.3"),
        ("127.0.0.1", "1.2.3.4, 5.6.7.8", "5.6.7.8"),
        ("127.0.0.1", "5.6.7.8:40000", "5.6.7.8"),
        ("::1", "[2001:db8::1]:40000", "2001:db8::1"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.7", "", "127.0.0.7"),
    ],
)
def test_tries_are_counted_by_the_peer_or_by_whom_a_proxy_on_this_machine_names_last(peer, forwarded, expected):
    assert address_of({"client": (peer, 1)}, Headers({"x-forwarded-for": forwarded})) == expected
