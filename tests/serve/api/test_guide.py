"""The commands in the guide do what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from feilun.serve.api.problems import _BY_CODE, _BY_KIND
from feilun.trust import create_key

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "en" / "api.md").read_text("utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
BLOCKS = [block for block in re.findall(r"^```bash\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL) if "curl" in block]


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash")
def test_every_curl_line_of_the_guide_is_answered_as_it_says(client, project):
    port, ran = client.base_url.port, 0
    first = client.post("/v1/projects/support/predictions", json={"inputs": [{"text": "x"}]}).json()["predictions"][0]
    second = next(m["model_id"] for m in project.list_models() if m["model_id"] != first["model_version"])
    project.promote(second, actor="test")  # so that there is something to roll back
    for block in BLOCKS:
        script = block.replace("127.0.0.1:8710", f"127.0.0.1:{port}").replace("curl ", "curl -sS -f -w '\\n' ")
        script = re.sub(r"PREDICTION_ID=p_\w+", f"PREDICTION_ID={first['prediction_id']}", script)
        script = script.replace("m_20fd19c3a4b2", second).replace("m_5c1b07d9e6f8", first["model_version"])
        script = script.replace("69f4d5d5f3515371", project.settings_etag())
        done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, (block, done.stderr)
        ran += block.count("curl ")
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                json.loads(line)
    assert ran >= 14
    assert project.store.find_champion("support") == first["model_version"]
    assert project.list_feedback()[0]["idempotency_key"] == "ticket-4711"


def test_the_python_of_the_guide_runs(client, project, monkeypatch, capsys):
    (block,) = PYTHON
    monkeypatch.setenv("FEILUN_KEY", create_key(project.store, name="app", scopes=["predict"])[1])
    names: dict[str, Any] = {}
    exec(block.replace("127.0.0.1:8710", f"127.0.0.1:{client.base_url.port}"), names)
    names["client"].close()
    answer = project.predict(["Where is my parcel?"])[0]
    expected = f"{answer.label} {answer.decision}\n{project.stage.model.n_hidden}\n"
    assert capsys.readouterr().out == expected


def test_the_guide_explains_every_status_that_occurs():
    explained = {int(status) for status in re.findall(r"^\| (\d{3}) \|", GUIDE, re.MULTILINE)}
    assert explained == {*_BY_CODE.values(), *_BY_KIND.values()}
