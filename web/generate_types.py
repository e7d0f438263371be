#!/usr/bin/env python3
"""Write src/api/schema.d.ts, the console's types, from the OpenAPI document of the code.

python web/generate_types.py            write it
python web/generate_types.py --check    only say whether it is current; exit 1 if not

Needs node (`make console` brings it) and the packages of web/ (`npm ci`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

WEB = Path(__file__).resolve().parent
sys.path.insert(0, str(WEB.parent / "src"))

from feilun.config import ServeSettings  # noqa: E402
from feilun.serve.api import create_app  # noqa: E402

TYPES = WEB / "src" / "api" / "schema.d.ts"


def main() -> int:
    """Make the types and write or compare them."""
    made = made_types()
    if "--check" not in sys.argv[1:]:
        TYPES.write_text(made, "utf-8")
        return 0
    if TYPES.is_file() and TYPES.read_text("utf-8") == made:
        return 0
    sys.stderr.write("web/src/api/schema.d.ts lags behind the API. Run: python web/generate_types.py\n")
    return 1


def made_types() -> str:
    """What openapi-typescript makes of the document as the code is now."""
    document = create_app({}, require_key=False, settings=ServeSettings()).openapi()
    document["info"]["version"] = ""  # a release alone does not change the types
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openapi.json"
        path.write_text(json.dumps(document), "utf-8")
        tool = WEB / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
        made = subprocess.run(["node", tool, path], cwd=WEB, check=True, capture_output=True, text=True)
    return made.stdout


if __name__ == "__main__":
    raise SystemExit(main())
