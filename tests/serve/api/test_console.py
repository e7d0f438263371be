"""The console's files over HTTP: what they may do in a browser, how long they are kept, that they are only files."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from feilun.console import read_console
from feilun.serve.api.routes import console

PAGE = (
    '<meta property="csp-nonce" nonce="__NONCE__"><script type="module" src="/console/assets/index-1a2b.js"></script>'
)
SCRIPT = "console.log('飞轮');" * 100


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A console of one page and one script, as the build leaves them."""
    (tmp_path / "built" / "assets").mkdir(parents=True)
    (tmp_path / "built" / "index.html").write_text(PAGE, "utf-8")
    (tmp_path / "built" / "assets" / "index-1a2b.js").write_text(SCRIPT, "utf-8")
    (tmp_path / "built" / "assets" / "logo-3c4d.svg").write_text("<svg/>", "utf-8")
    monkeypatch.setattr(console, "_built", lambda: read_console(tmp_path / "built"))
    return tmp_path / "built"


def test_the_root_leads_to_the_console_and_every_screen_is_the_one_page(client, built):
    start = client.get("/", follow_redirects=True)
    assert (start.status_code, start.url.path) == (200, "/console/")
    for screen in (
        "",
        "projects/support",
        "projects/support/models/m_1",
        "projects/客服/queue",
        "..%2F..%2Fetc%2Fpasswd",
    ):
        page = client.get(f"/console/{screen}")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert re.sub(r'nonce="[^"]+"', 'nonce="__NONCE__"', page.text) == PAGE


def test_a_page_may_run_our_scripts_and_its_own_styles_and_nothing_else(client, built):
    pages = [client.get("/console/") for _ in range(2)]
    nonces = [re.search(r'nonce="([^"]+)"', page.text)[1] for page in pages]
    assert nonces[0] != nonces[1]
    for page, nonce in zip(pages, nonces, strict=True):
        policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": f"'self' 'nonce-{nonce}'",
            "img-src": "'self' data:",
            "font-src": "'self'",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["referrer-policy"] == "no-referrer"


def test_assets_are_kept_for_good_and_sent_small(client, built):
    small = client.get("/console/assets/index-1a2b.js", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/console/assets/index-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert small.text == plain.text == SCRIPT
    assert int(small.headers["content-length"]) == len(gzip.compress(SCRIPT.encode(), mtime=0))
    assert (small.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    for reply in (small, plain):
        assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["vary"] == "Accept-Encoding"
    assert client.get("/console/assets/logo-3c4d.svg").headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("name", ["none.js", "..%2Findex.html", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "C:%5Cx", "a%00.js"])
def test_only_what_was_built_is_served(client, built, name):
    reply = client.get(f"/console/assets/{name}")
    if reply.headers["content-type"].startswith("text/html"):  # another address altogether: the page
        assert re.sub(r'nonce="[^"]+"', 'nonce="__NONCE__"', reply.text) == PAGE
    else:
        assert (reply.status_code, reply.json()["code"]) == (404, "request.no_such_route")


def test_where_nothing_was_built_the_server_says_how_and_answers_all_the_same(client, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "_built", lambda: read_console(tmp_path))
    for lang in ("en", "zh"):
        told = client.get("/console/", headers={"Accept-Language": lang})
        assert (told.status_code, told.headers["content-type"]) == (503, "text/plain; charset=utf-8")
        assert "make console" in told.text
    assert client.get("/console/assets/index.js").status_code == 404
    assert client.get("/v1/projects").status_code == 200
