"""The built files, read once; a request picks one by its name and never names a path on the disk."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).with_name("static")  # written by `npm run build` in web/
NONCE = "__NONCE__"  # stands in index.html wherever a reply's own nonce belongs
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
COMPRESSED_FROM = 1000  # bytes; below this gzip gains nothing worth a header


@dataclass(frozen=True)
class Asset:
    """One built file; `gzipped` is None where that would not make it smaller."""

    content: bytes
    gzipped: bytes | None
    media_type: str


@dataclass(frozen=True)
class Console:
    """The page and its assets, by their names under `assets/`."""

    page: str
    assets: dict[str, Asset]

    def page_with(self, nonce: str) -> str:
        """The page with the nonce that its Content-Security-Policy names."""
        return self.page.replace(NONCE, nonce)


def read_console(folder: Path = STATIC) -> Console | None:
    """What was built into `folder`; None when nothing was, as in a fresh clone before `make console`."""
    page = folder / "index.html"
    if not page.is_file():
        return None
    assets = {path.name: _asset(path) for path in sorted((folder / "assets").iterdir()) if path.is_file()}
    return Console(page.read_text("utf-8"), assets)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    gzipped = gzip.compress(content, mtime=0) if len(content) >= COMPRESSED_FROM else None
    return Asset(content, gzipped, MEDIA_TYPES.get(path.suffix, "application/octet-stream"))
