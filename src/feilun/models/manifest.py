"""What makes a folder a bundle: the manifest, its checksums, and the check that nothing is missing, changed or added.

A bundle holds its content files, `manifest.json` (their sizes and sha256) and `manifest.sha256` (the manifest's own
sha256, in the format of `sha256sum -c`). Its name, the model id, is made from the manifest, so the same content has the
same name everywhere. Nothing here imports torch, onnx or onnxruntime.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from feilun.errors import FeilunError
from feilun.records import FileEntry, Manifest

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
MANIFEST_SUM_NAME = "manifest.sha256"
MAX_MANIFEST_BYTES = 8 << 20  # a manifest lists labels and a dozen files; more than this is hostile
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MODEL_ID = re.compile(r"m_[0-9a-f]{12}")
SEAL_FILES = (MANIFEST_NAME, MANIFEST_SUM_NAME)

FAULTS = {
    "too_large": ("too large", "过大"),
    "sha256": ("its sha256 is not the one in the manifest", "sha256 与清单不符"),
    "size": ("its size is not the one in the manifest", "大小与清单不符"),
    "missing": ("it is missing", "文件缺失"),
    "unlisted": ("the manifest does not list it", "不在清单之中"),
    "not_a_file": ("it is a folder, a link or a device", "不是普通文件（而是文件夹、链接或设备）"),
    "unsafe_name": ("its name is not safe", "文件名不安全"),
    "not_a_manifest": ("it is not a manifest", "不是有效的清单"),
    "another_model": ("it belongs to another model", "属于另一个模型"),
    "not_this_model": ("the graph does not fit the labels", "计算图与标签不匹配"),
}


class BundleMissing(FeilunError):
    """There is no bundle where a model was expected."""

    code, kind = "bundle.missing", "missing"
    en = "No model in {folder}: {file} is not there. See what there is with: feilun model list"
    zh = "{folder} 中没有模型：缺少 {file}。请用 feilun model list 查看已有的模型。"


class BundleDamaged(FeilunError):
    """A bundle is not what its manifest says; it is never loaded. `what` is a key of FAULTS."""

    code, kind = "bundle.damaged", "conflict"
    en = "The model in {folder} is damaged: {file}: {what}. It is not loaded. Restore it from a copy, or turn again."
    zh = "{folder} 中的模型已损坏：{file}：{what}。系统不会加载它。请从备份恢复，或重新运行 feilun turn。"
    reasons = FAULTS


class BundleTooNew(FeilunError):
    """A newer Feilun wrote this bundle."""

    code, kind = "bundle.too_new", "conflict"
    en = "The model in {folder} has format {found}; this Feilun reads up to {known}. Run: pip install -U feilun"
    zh = "{folder} 中的模型格式版本为 {found}，本版 Feilun 最高支持 {known}。请升级：pip install -U feilun"


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: keys sorted, no spaces, UTF-8; equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def model_id_of(folder: Path) -> str:
    """The name of the bundle in `folder`: "m_" and the first 12 hex digits of the sha256 of its manifest.json."""
    return "m_" + sha256_of(Path(folder) / MANIFEST_NAME)[:12]


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Write manifest.json and manifest.sha256 into `folder`; gives the model id."""
    content = canonical_json(manifest.model_dump(mode="json"))
    (folder / MANIFEST_NAME).write_bytes(content)
    (folder / MANIFEST_SUM_NAME).write_bytes(_sum_line(hashlib.sha256(content).hexdigest()))
    return model_id_of(folder)


def list_entries(folder: Path) -> tuple[FileEntry, ...]:
    """Size and sha256 of every content file of `folder`, sorted by name; what a manifest lists.

    Raises:
        BundleDamaged: the folder holds something that no bundle may hold (a folder, a link, an unsafe name).
    """
    return tuple(
        FileEntry(name=name, size=(folder / name).stat().st_size, sha256=sha256_of(folder / name))
        for name in sorted(names_on_disk(folder) - set(SEAL_FILES))
    )


def read_manifest(folder: Path) -> Manifest:
    """manifest.json of `folder`, checked against its own checksum; the other files are not looked at.

    Raises:
        BundleMissing: there is no manifest.
        BundleDamaged: it is not JSON, not a manifest, or not the one that was sealed.
        BundleTooNew: a newer Feilun wrote it.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise BundleMissing(folder=str(folder), file=MANIFEST_NAME)
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise damaged(folder, MANIFEST_NAME, "too_large")
    content = path.read_bytes()
    sum_path = folder / MANIFEST_SUM_NAME
    if not sum_path.is_file():
        raise BundleMissing(folder=str(folder), file=MANIFEST_SUM_NAME)
    if sum_path.stat().st_size > 1024 or sum_path.read_bytes() != _sum_line(hashlib.sha256(content).hexdigest()):
        raise damaged(folder, MANIFEST_NAME, "sha256")
    return _parse(folder, content)


def verify_bundle(folder: Path) -> Manifest:
    """The manifest of a bundle that is whole: every file there, of the right size and sha256, and nothing else.

    A folder that is named like a model id must also be that model.

    Raises:
        BundleMissing, BundleTooNew: as in `read_manifest`.
        BundleDamaged: names the file and what is wrong with it.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if MODEL_ID.fullmatch(folder.name) and folder.name != model_id_of(folder):
        raise damaged(folder, MANIFEST_NAME, "another_model")
    listed = {entry.name for entry in manifest.files}
    on_disk = names_on_disk(folder) - set(SEAL_FILES)
    for name in sorted(on_disk - listed):
        raise damaged(folder, name, "unlisted")
    for entry in manifest.files:
        path = folder / entry.name
        if entry.name not in on_disk:
            raise damaged(folder, entry.name, "missing")
        if path.stat().st_size != entry.size:
            raise damaged(folder, entry.name, "size")
        if sha256_of(path) != entry.sha256:
            raise damaged(folder, entry.name, "sha256")
    return manifest


def names_on_disk(folder: Path) -> set[str]:
    """The file names in `folder`; refuses folders, links and unsafe names with BundleDamaged."""
    names = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
                raise damaged(folder, entry.name, "not_a_file")
            if not SAFE_NAME.fullmatch(entry.name):
                raise damaged(folder, repr(entry.name), "unsafe_name")
            names.add(entry.name)
    return names


def _parse(folder: Path, content: bytes) -> Manifest:
    try:
        raw = json.loads(content)
        found = raw["format_version"]
        if isinstance(found, int) and found > FORMAT_VERSION:
            raise BundleTooNew(folder=str(folder), found=found, known=FORMAT_VERSION)
        manifest = Manifest.model_validate_json(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(folder, MANIFEST_NAME, "not_a_manifest") from error
    _check_names(folder, (entry.name for entry in manifest.files))
    return manifest


def _check_names(folder: Path, names: Iterable[str]) -> None:
    seen: set[str] = set(SEAL_FILES)
    for name in names:
        if not SAFE_NAME.fullmatch(name) or name.casefold() in seen:
            raise damaged(folder, repr(name), "unsafe_name")
        seen.add(name.casefold())


def _sum_line(digest: str) -> bytes:
    return f"{digest}  {MANIFEST_NAME}\n".encode()


def damaged(folder: Path, file: str, what: str) -> BundleDamaged:
    """A BundleDamaged, ready to raise; `what` is a key of FAULTS."""
    return BundleDamaged(folder=str(folder), file=file, what=what)
