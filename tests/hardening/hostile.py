"""Files that a stranger might send, made here: archives, spreadsheets, pickles, Parquet and text that mean harm."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
Make = Callable[[], bytes]


class Marker:
    """Pickles to an order: make the file at `path`. Whoever unpickles it leaves a trace."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def pickles(marker: Path) -> dict[str, bytes]:
    """Pickles of every protocol under the names of formats that we read, bare, in a zip and as torch and numpy do."""
    found = {}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        bare = pickle.dumps(Marker(str(marker)), protocol=protocol)
        for suffix in ("safetensors", "onnx", "parquet", "csv", "jsonl", "xlsx", "zip", "tar.gz"):
            found[f"pickle{protocol}.{suffix}"] = bare
        found[f"wrapped{protocol}.zip"] = zipped({"bundle/model.onnx": bare, "bundle/manifest.json": bare})
        found[f"torch{protocol}.xlsx"] = zipped({"archive/data.pkl": bare, "archive/version": b"3\n"})
    last = pickle.dumps(Marker(str(marker)))
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    found["objects.csv"] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + last
    found["dressed.parquet"] = b"PAR1" + last + b"PAR1"
    return found


def zipped(members: dict[str, bytes], *, mode: int = 0o100644, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members, in order; the names are written as they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.filename, info.external_attr, info.compress_type = name, mode << 16, method
            archive.writestr(info, data)
    return out.getvalue()


def workbook(sheet: bytes, *, parts: dict[str, bytes] | None = None) -> bytes:
    """The least that is an Excel file, with this XML as its one sheet and `parts` put in the place of others."""
    types = "".join(
        f'<Override PartName="/xl/{part}.xml" '
        f'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"/>'
        for part, kind in (
            ("workbook", "sheet.main"),
            ("worksheets/sheet1", "worksheet"),
            ("sharedStrings", "sharedStrings"),
        )
    )
    whole = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">{types}</Types>'.encode(),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="s" sheetId="1" r:id="rId1"/></sheets></workbook>'.encode(),
        "xl/_rels/workbook.xml.rels": _relations(
            [("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml")]
        ),
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>text</t></si></sst>'.encode(),
        "xl/worksheets/sheet1.xml": sheet,
    }
    return zipped(whole | (parts or {}))


def _relations(pairs: list[tuple[str, str]]) -> bytes:
    inner = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(pairs, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{inner}</Relationships>'.encode()


def sheet(rows: bytes, *, before: bytes = b"") -> bytes:
    """A sheet with the header text, label and these rows."""
    names = ((b"A1", b"text"), (b"B1", b"label"))
    inner = b"".join(b'<c r="%s" t="inlineStr"><is><t>%s</t></is></c>' % pair for pair in names)
    head = b'<row r="1">%s</row>' % inner
    opening = before + f'<worksheet xmlns="{MAIN}"><sheetData>'.encode()
    return opening + head + rows + b"</sheetData></worksheet>"


def cells(text: bytes, *, row: int = 2) -> bytes:
    """One row whose first cell has this text."""
    return b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>%s</t></is></c></row>' % (row, row, text)


def doctype(entities: str) -> bytes:
    return f"<!DOCTYPE worksheet [{entities}]>".encode()


def laughs() -> bytes:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return workbook(sheet(cells(b"&a11;"), before=doctype(entities)))


SPREADSHEETS: dict[str, Make] = {
    "twenty-million-rows.xlsx": lambda: workbook(sheet(b"<row/>" * 20_000_000)),
    "twenty-millionth-row.xlsx": lambda: workbook(sheet(cells(b"x", row=20_000_000))),
    "just-below-the-ratio.xlsx": lambda: workbook(sheet(b'<row><c r="XFD1"/></row>' * 20_000)),
    "beyond-the-last-column.xlsx": lambda: workbook(sheet(b'<row r="2"><c r="ZZZ2"/></row>' * 40_000)),
    "entity-from-a-file.xlsx": lambda: workbook(
        sheet(cells(b"&x;"), before=doctype('<!ENTITY x SYSTEM "file:///etc/passwd">'))
    ),
    "entity-from-the-net.xlsx": lambda: workbook(
        sheet(cells(b"&x;"), before=doctype('<!ENTITY x SYSTEM "http://127.0.0.1:9/x">'))
    ),
    "entities-that-multiply.xlsx": laughs,
    "entity-of-a-megabyte.xlsx": lambda: workbook(
        sheet(cells(b"&x;" * 10_000), before=doctype(f'<!ENTITY x "{"y" * 1_000_000}">'))
    ),
    "parameter-entity.xlsx": lambda: workbook(
        sheet(cells(b"x"), before=doctype('<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;'))
    ),
    "a-hundred-thousand-deep.xlsx": lambda: workbook(sheet(b"<row>" * 100_000)),
    "string-that-is-not-there.xlsx": lambda: workbook(sheet(b'<row r="2"><c r="A2" t="s"><v>999999</v></c></row>')),
    "a-billion-strings.xlsx": lambda: workbook(sheet(b""), parts={"xl/sharedStrings.xml": _strings(b"<si/>" * 50_000)}),
    "sheet-elsewhere.xlsx": lambda: workbook(
        sheet(b""), parts={"xl/_rels/workbook.xml.rels": _relations([("worksheet", "../../../../../etc/passwd")])}
    ),
    "sheet-on-the-net.xlsx": lambda: workbook(
        sheet(b""), parts={"xl/_rels/workbook.xml.rels": _relations([("worksheet", "http://127.0.0.1:9/sheet1.xml")])}
    ),
    "not-xml.xlsx": lambda: workbook(b"\x00\xff not xml"),
    "lying-encoding.xlsx": lambda: workbook(b'<?xml version="1.0" encoding="UTF-16"?>' + sheet(cells(b"x"))),
    "endless-number.xlsx": lambda: workbook(sheet(b'<row r="2"><c r="A2"><v>' + b"9" * 100_000 + b"</v></c></row>")),
    "impossible-date.xlsx": lambda: workbook(sheet(b'<row r="2"><c r="A2" t="d"><v>99999-99-99</v></c></row>')),
    "no-sheet.xlsx": lambda: workbook(b"", parts={"xl/workbook.xml": f'<workbook xmlns="{MAIN}"/>'.encode()}),
    "hollow.xlsx": lambda: zipped({"xl/workbook.xml": b"x"}),
    "binary-excel.xlsx": lambda: zipped({"xl/workbook.bin": b"x"}),
    "a-letter.xlsx": lambda: zipped({"word/document.xml": b"x"}),
}


def _strings(inner: bytes) -> bytes:
    return f'<sst xmlns="{MAIN}" count="1000000000" uniqueCount="1000000000">'.encode() + inner + b"</sst>"


# -------------------------------------------------------------------------------------------------------- archives


def patched(data: bytes, *, flags: int | None = None, method: int | None = None, size: int | None = None) -> bytes:
    """A zip whose table of contents says something else than its members are."""
    changed = bytearray(data)
    at = changed.find(b"PK\x01\x02")
    while at >= 0:
        for offset, kind, value in ((8, "<H", flags), (10, "<H", method), (24, "<I", size)):
            if value is not None:
                struct.pack_into(kind, changed, at + offset, value)
        at = changed.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


def overlapping(n: int = 500) -> bytes:
    """Many entries of the table that are one and the same megabyte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(1 << 20))
        (first,) = archive.infolist()
        for number in range(n):
            info = zipfile.ZipInfo(f"copy{number}")
            for name in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "flag_bits"):
                setattr(info, name, getattr(first, name))
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info
    return out.getvalue()


def table_of_gigabytes() -> bytes:
    """The end of a zip that claims a table of contents of four gigabytes."""
    whole = bytearray(zipped({"xl/workbook.xml": b"x"}))
    struct.pack_into("<I", whole, whole.rfind(b"PK\x05\x06") + 12, 0xFFFFFFF0)
    return bytes(whole)


def one(name: str, **options: Any) -> Make:
    """A zip whose first member claims to be part of a workbook and whose second one is called `name`."""
    return lambda: zipped({"xl/workbook.xml": b"<x/>", name: b"evil"}, **options)


ZIPS: dict[str, Make] = {
    "climbs": one("../../evil"),
    "absolute": one("/tmp/feilun-evil"),
    "drive": one("C:\\evil"),
    "backslash": one("..\\..\\evil"),
    "nul": one("good\0../../evil"),
    "links": one("link", mode=0o120777),
    "device": one("device", mode=0o020666),
    "twice": one("XL/workbook.xml"),
    "long-name": one("a/" * 30_000 + "x"),
    "members": lambda: zipped({f"xl/m{n}": b"" for n in range(20_000)} | {"xl/workbook.xml": b""}),
    "bomb": lambda: zipped({"xl/workbook.xml": b"<x/>", "xl/sheet": bytes(64 << 20)}),
    "bomb-in-bomb": lambda: zipped({"xl/workbook.xml": zipped({"x": zipped({"x": bytes(8 << 20)})})}),
    "bzip2-bomb": lambda: zipped({"xl/workbook.xml": bytes(64 << 20)}, method=zipfile.ZIP_BZIP2),
    "lzma-bomb": lambda: zipped({"xl/workbook.xml": bytes(64 << 20)}, method=zipfile.ZIP_LZMA),
    "says-less": lambda: patched(zipped({"xl/workbook.xml": bytes(8 << 20)}), size=10),
    "says-more": lambda: patched(zipped({"xl/workbook.xml": b"x"}), size=0x7FFFFFFF),
    "encrypted": lambda: patched(zipped({"xl/workbook.xml": b"x"}), flags=1),
    "unknown-method": lambda: patched(zipped({"xl/workbook.xml": b"x"}), method=97),
    "overlap": overlapping,
    "huge-table": table_of_gigabytes,
    "half": lambda: zipped({"xl/workbook.xml": bytes(range(256)) * 50})[:300],
    "no-table": lambda: zipped({"xl/workbook.xml": b"x"}).replace(b"PK\x05\x06", b"PK\x05\x07"),
    "empty": lambda: zipped({}),
    "junk-before": lambda: b"PK\x03\x04" + bytes(1000) + zipped({"xl/workbook.xml": b"x"}),
    "end-in-comment": lambda: zipped({"xl/workbook.xml": b"x"})[:-2] + b"\x16\x00PK\x05\x06" + bytes(18),
}


def tarred(
    name: str, data: bytes = b"evil", *, kind: bytes = tarfile.REGTYPE, form: int = tarfile.USTAR_FORMAT
) -> Make:
    def make() -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz", format=form) as archive:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data) if kind == tarfile.REGTYPE else 0
            info.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            archive.addfile(info, io.BytesIO(data))
        return out.getvalue()

    return make


def header_of(size: bytes) -> bytes:
    """A tar member whose size is written as `size`."""
    info = bytearray(tarfile.TarInfo("a/x").tobuf(tarfile.USTAR_FORMAT))
    info[124 : 124 + len(size)] = size
    info[148:156] = b" " * 8
    info[148:156] = b"%06o\0 " % sum(info)
    return gzip.compress(bytes(info) + bytes(4096))


TARS: dict[str, Make] = {
    "climbs": tarred("../evil"),
    "absolute": tarred("/tmp/feilun-evil"),
    "symlink": tarred("a/x", kind=tarfile.SYMTYPE),
    "hardlink": tarred("a/x", kind=tarfile.LNKTYPE),
    "device": tarred("a/x", kind=tarfile.CHRTYPE),
    "pipe": tarred("a/x", kind=tarfile.FIFOTYPE),
    "pax": tarred("a/" + "x" * 300, form=tarfile.PAX_FORMAT),
    "gnu-long": tarred("a/" + "x" * 300, form=tarfile.GNU_FORMAT),
    "sparse": tarred("a/x", kind=tarfile.GNUTYPE_SPARSE),
    "bomb": tarred("a/x", bytes(64 << 20)),
    "negative": lambda: header_of(b"\xff" * 12),
    "endless": lambda: header_of(b"\x80" + b"\xff" * 11),
    "not-octal": lambda: header_of(b"99999999999\0"),
    "half": lambda: tarred("a/x", bytes(range(256)) * 100)()[:200],
    "not-gzip": lambda: b"hello",
    "gzip-of-gzip": lambda: gzip.compress(gzip.compress(bytes(1 << 20))),
}


# ------------------------------------------------------------------------------------------------------ text, binary


def parquet_of_equal_rows(n: int) -> bytes:
    """A small Parquet file of very many rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    column = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int8()), pa.array(["x"]))
    pq.write_table(pa.table({"text": column, "label": column}), out, row_group_size=n)
    return out.getvalue()


def parquet_with_a_pickled_type(marker: Path) -> bytes:
    """A Parquet file whose schema asks for an extension type that used to be unpickled."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = pickle.dumps(Marker(str(marker)))
    field = pa.field(
        "text",
        pa.string(),
        metadata={"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": order},
    )
    out = io.BytesIO()
    pq.write_table(pa.table([pa.array(["hello"])], schema=pa.schema([field])), out)
    return out.getvalue()


TEXTS: dict[str, Make] = {
    "one-line.csv": lambda: b"text,label\n" + b"x" * 30_000_000,
    "one-cell.csv": lambda: b'text,label\n"' + b"x\n" * 200_000,
    "wide.csv": lambda: b"," * 200_000 + b"\n1",
    "deep.jsonl": lambda: b'{"text": ' + b"[" * 200_000 + b"\n",
    "deep-keys.jsonl": lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
    "many-keys.jsonl": lambda: (b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}\n") * 3,
    "long-number.jsonl": lambda: b'{"text": ' + b"9" * 100_000 + b', "label": "a"}\n',
    "half-characters.jsonl": lambda: b'{"text": "\\ud800", "label": "a"}\n',
    "zeros.csv": lambda: bytes(1 << 20),
    "nul.csv": lambda: b"text,label\na\0b,c\n",
    "overlong.csv": lambda: b"text,label\n\xc0\xae\xc0\xae/,a\n\xf8\x88\x80\x80\x80,b\n",
    "utf7.csv": lambda: b"text,label\n+ADw-script+AD4-,a\n",
    "only-a-mark.csv": lambda: b"\xef\xbb\xbf",
    "gzip.csv": lambda: gzip.compress(bytes(10 << 20)),
    "pdf.csv": lambda: b"%PDF-1.7\n" + bytes(range(256)) * 20,
    "page.csv": lambda: b"<!DOCTYPE html><script>alert(1)</script>",
    "database.csv": lambda: b"SQLite format 3\0" + bytes(4000),
    "program.csv": lambda: b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 20,
    "old-office.xlsx": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "marks-only.parquet": lambda: b"PAR1PAR1",
    "long-footer.parquet": lambda: b"PAR1" + bytes(100) + struct.pack("<I", 0x7FFFFFFF) + b"PAR1",
    "footer-of-noise.parquet": lambda: b"PAR1" + bytes(range(256)) * 4 + struct.pack("<I", 1000) + b"PAR1",
    "equal-rows.parquet": lambda: parquet_of_equal_rows(300_000),
    "half.parquet": lambda: parquet_of_equal_rows(1000)[:150],
}
