"""The image and the services around it: no root, no default secret, no port that others reach, a pulse."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
yaml = pytest.importorskip("yaml")


def instructions() -> list[tuple[str, str]]:
    """(instruction, its words) of the Dockerfile, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "deploy/Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines]


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))


def test_the_image_runs_as_nobody_special_and_has_a_pulse() -> None:
    last = instructions()[max(n for n, (word, _) in enumerate(instructions()) if word == "FROM") :]
    said = dict(last)
    assert said["USER"] == "10001:10001" and [word for word, _ in last].index("USER") < [w for w, _ in last].index(
        "CMD"
    )
    assert "/ready" in said["HEALTHCHECK"] and said["VOLUME"] == "/srv/feilun"
    assert not re.search(r"(?i)password|secret|token|api_key", " ".join(words for _, words in instructions()))
    assert all(":" in words and not words.split()[0].endswith(":latest") for word, words in last if word == "FROM")


def test_the_image_is_built_from_the_package_alone() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert [line for line in ignored if line and line[0] not in "#!*"] == [] and "*" in ignored
    copied = {
        name
        for word, words in instructions()
        if word == "COPY" and "--from" not in words
        for name in words.split()[:-1]
    }
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    linter = str(beside) if beside.is_file() else shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, str(ROOT / "deploy/Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_no_service_is_reached_from_elsewhere_and_every_secret_must_be_given() -> None:
    services = compose()["services"]
    assert [port for service in services.values() for port in service.get("ports", ())] == ["127.0.0.1:8710:8710"]
    assert services["postgres"]["networks"] == ["inside"] and compose()["networks"]["inside"]["internal"]
    given = {key: value for service in services.values() for key, value in service["environment"].items()}
    secret = {key: value for key, value in given.items() if "PASSWORD" in key}
    assert set(secret) == {"PGPASSWORD", "POSTGRES_PASSWORD"}
    assert all(re.fullmatch(r"\$\{FEILUN_DB_PASSWORD:\?[^}]+\}", value) for value in secret.values())


def test_the_server_of_the_services_can_write_to_its_workspace_alone() -> None:
    ours = compose()["services"]["feilun"]
    assert (ours["user"], ours["read_only"], ours["cap_drop"]) == ("10001:10001", True, ["ALL"])
    assert ours["volumes"] == ["workspace:/srv/feilun"] and all("noexec" in place for place in ours["tmpfs"])
    assert "no-new-privileges:true" in ours["security_opt"] and not ours.get("privileged")
