"""Which encoding a text file is in: BOM, then UTF-8 throughout, then Chinese by character frequency, then the rest.

A file that fails as UTF-8 in a few lines only is still UTF-8; those lines are set aside by the reader.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from feilun.data.errors import UnknownEncoding, WrongEncoding

SAMPLE_BYTES = 64 * 1024
CHUNK_BYTES = 1 << 20
# U+DCFF cannot come out of a sound decoder, so one in a cell says: bytes here were not valid.
MARK = "\udcff"
MARK_ERRORS = "feilun.mark"
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16 LE, whose BOM it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CHINESE = ("gb18030", "big5", "cp950", "big5hkscs")
OTHERS = ["cp1252", "cp1250", "cp1251", "mac_roman", "shift_jis", "euc_jp", "euc_kr"]
# Frequent characters, simplified and traditional alike, with those of everyday service messages.
FREQUENT = frozenset(
    "的一是不了在人有我他这这個个们們中来來上大为為和国國地到以说說时時要就出会會可也你对對生能而子那得于着下自之年过過"
    "发發后後作里裡用道行所然家种種事成方多经經么麼去法学學如都同现現当當没沒动動面起看定天分还還进進好小部其些主样樣理心"
    "她本前开開但因只从從想实實日军者意无無力它与與长長把机機十民第公此已工使情明性知全三又关關点點正业業外将將两兩高"
    "间間由问問很最重并物手应應战向头頭文体體政美相见見被利什二等产產或新己制身果加西斯月话話合回特代内信表化老给給世"
    "位次度门門任常先海通教儿兒东東原声聲提立及比员員解水名真论論处處走义義各入几幾口认認条條平系气氣题題活尔更别別打"
    "女变變四神总總何电電数數安少报報才结結反受目太量再感建务務做接必场場件计計管期市直德资資命山金指许許统統区區保至"
    "队隊形社便空决決治展马馬科司五基眼书書非则則听聽白却卻界达達光放强強即像难難且权權思王象完设設式色路记記南品住告"
    "类類求据據程北边邊死张張该該交规規万萬取拉格望觉覺术術领領共确確传傳师師观觀清今切院让讓识識候带帶导導争爭运運"
    "吗嗎呢吧啊您请請谢謝退款货貨单單订訂购購买買卖賣快递遞物流客服账帳户戶号號码碼密忘修改收查询詢付钱錢卡银銀支充值"
    "额額余餘失败敗功登录錄注册冊取消换換地址快慢找帮幫助怎哪谁誰卡支持价價格优優惠折扣券积積级級标標签籤帖文本信息类别"
)
# CJK punctuation, full-width forms, and the dashes and quotation marks of running text.
PUNCTUATION = tuple(map(range, (0x3000, 0xFF01, 0x2010), (0x3020, 0xFF5F, 0x2028)))

WESTERN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøœùúûüýßÀÁÂÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖØŒÙÚÛÜ‘’“”–—…«»¡¿£€¥°©®·•½¼§ª\xa0")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error(MARK_ERRORS, _mark)


def recognise(path: Path, *, name: str, declared: str = "") -> str:
    """The codec to read `path` with; `declared` wins when it fits.

    Args:
        name: the path as the user wrote it, for messages.
        declared: encoding from the settings; empty means: recognise.
    Raises:
        UnknownEncoding: `declared` is no encoding, or nothing fits.
        WrongEncoding: `declared` does not fit the bytes; names what does.
    """
    if not declared:
        return _recognise(path, name)
    codec = _text_codec(declared, name)
    if not _fits(path, codec):
        raise WrongEncoding(path=name, declared=declared, recognised=_recognise(path, name))
    return codec


def _text_codec(declared: str, name: str) -> str:
    try:
        "a".encode(declared)
        return codecs.lookup(declared).name
    except (LookupError, UnicodeError) as error:
        raise UnknownEncoding(
            path=name, found_en=f"there is no encoding {declared!r}", found_zh=f"没有名为 {declared!r} 的编码"
        ) from error


def _recognise(path: Path, name: str) -> str:
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    by_bom = next((codec for bom, codec in BOMS if head.startswith(bom)), "")
    if by_bom:
        return by_bom
    wide = utf16_without_bom(head)
    if wide:
        return wide
    if _is_utf8(path):
        return "utf-8"
    lines = _high_lines(path)
    if lines.n_utf8 * 2 >= lines.n_high:
        return "utf-8"  # all but a few lines are; those few are damaged
    return _chinese(lines.sample) or _western(lines.sample) or _other(lines.sample, name)


def utf16_without_bom(head: bytes) -> str:
    """ "utf-16-le" or "utf-16-be" when NULs stand on one side of the pairs and the text then reads; else ""."""
    n_even, n_odd = head[0::2].count(0), head[1::2].count(0)
    if max(n_even, n_odd) * 50 < len(head) or min(n_even, n_odd) * 2 > max(n_even, n_odd):
        return ""
    codec = "utf-16-le" if n_odd > n_even else "utf-16-be"
    text = head[: len(head) // 2 * 2].decode(codec, errors="replace")
    n_strange = sum(c == "\ufffd" or (not c.isprintable() and c not in "\r\n\t") for c in text)
    return codec if n_strange * 50 < len(text) and "\n" in text else ""


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


@dataclass(frozen=True)
class _HighLines:
    """The lines with bytes beyond ASCII: how many, how many of them are UTF-8, and the first 64 kB of them."""

    n_high: int
    n_utf8: int
    sample: bytes


def _high_lines(path: Path) -> _HighLines:
    n_high = n_utf8 = 0
    sample = bytearray()
    with path.open("rb") as file:
        while line := file.readline(CHUNK_BYTES):
            if line.isascii():
                continue
            n_high += 1
            try:
                line.decode("utf-8")
                n_utf8 += 1
            except UnicodeDecodeError:
                if len(sample) < SAMPLE_BYTES:
                    sample += line[:SAMPLE_BYTES]
    return _HighLines(n_high=n_high, n_utf8=n_utf8, sample=bytes(sample[: SAMPLE_BYTES * 2]))


def _chinese(sample: bytes) -> str:
    """The Chinese encoding under which the sample reads like Chinese; "" when under none."""
    scores = {codec: _score(sample, codec) for codec in CHINESE}
    best = max(CHINESE, key=lambda codec: scores[codec])  # max keeps the first: GB18030 wins ties
    return best if scores[best] >= 0.45 else ""


def _score(sample: bytes, codec: str) -> float:
    """How much the sample reads like Chinese under `codec`, from -1 to 1: the mean over characters beyond ASCII."""
    text = sample.decode(codec, errors=MARK_ERRORS)
    high = [c for c in text if c > "\x7f"]
    if not high:
        return 0.0
    return sum(_worth(c, codec) for c in high) / len(high)


def _worth(char: str, codec: str) -> float:
    if char in FREQUENT:
        return 1.0
    if char == MARK:
        return -4.0  # one invalid pair tells more than one odd character
    if any(ord(char) in block for block in PUNCTUATION):
        return 0.8
    if not "\u4e00" <= char <= "\u9fff":
        return 0.5 if ord(char) >= 0x1F300 else -0.5  # emoji (GB18030 has them), or kana, Greek, private use …
    pair = char.encode(codec, errors="ignore")
    common = (
        (b"\xb0\xa1" <= pair <= b"\xd7\xf9" and pair[1] >= 0xA1)
        if codec == "gb18030"
        else b"\xa4\x40" <= pair <= b"\xc6\x7e"
    )
    return 0.5 if common else 0.0


def _western(sample: bytes) -> str:
    """ "cp1252", Excel's encoding in Western Europe and America, when nearly all characters are usual there."""
    try:
        high = [c for c in sample.decode("cp1252") if c > "\x7f"]
    except UnicodeDecodeError:
        return ""
    return "cp1252" if sum(c in WESTERN for c in high) >= 0.9 * len(high) else ""


def _other(sample: bytes, name: str) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample[:SAMPLE_BYTES], cp_isolation=OTHERS).best()
    if best is None:
        raise UnknownEncoding(path=name, found_en="its encoding cannot be recognised", found_zh="无法识别其编码")
    return best.encoding


def _fits(path: Path, codec: str) -> bool:
    """Whether the bytes can be meant as `codec`.

    No when a BOM says otherwise, when the file is UTF-8 (or plain ASCII read as a wide encoding) throughout
    with enough characters beyond ASCII to rule out chance, or when many lines are invalid.
    """
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    by_bom = next((name for bom, name in BOMS if head.startswith(bom)), "")
    if by_bom:
        return codec.startswith(by_bom.removesuffix("-sig"))
    is_wide = codec.startswith(("utf-16", "utf-32"))
    if not codec.startswith("utf-8") and _is_utf8(path):
        n_high = sum(byte >= 0xC0 for byte in head)
        if n_high >= 10 or (is_wide and 0 not in head):
            return False
    return _share_invalid(path, codec) <= 0.1


def _share_invalid(path: Path, codec: str) -> float:
    """Share of the lines beyond ASCII that hold bytes invalid in `codec`."""
    n_high = n_invalid = 0
    with path.open(encoding=codec, errors=MARK_ERRORS, newline="") as file:
        while line := file.readline(CHUNK_BYTES):
            if not line.isascii():
                n_high += 1
                n_invalid += MARK in line
    return n_invalid / n_high if n_high else 0.0
