#!/usr/bin/env python3
"""Draw the bundled samples from the public data, byte for byte the same each time.

    python samples/draw.py --data FOLDER            write samples/*/*.csv
    python samples/draw.py --data FOLDER --check    only compare; exit 1 when a file differs

FOLDER holds the public data, which this repository does not carry:

    banking77/train.csv, test.csv           github.com/PolyAI-LDN/task-specific-datasets, folder banking_data
    massive_zh_cn/train.csv, dev.csv, test.csv, or massive_zh_cn/zh-CN.jsonl as released
                                            github.com/alexa/massive (MASSIVE 1.1, locale zh-CN)

CSV columns: text and label (or the source's own names: category, utt, intent); MASSIVE also has id.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEED = "feilun-samples-1"
SIZES = {"unseen": 1500, "holdout": 1000, "traffic": 1500}
Row = tuple[str, str, str]  # key (row number, or MASSIVE's id), text, label


def main() -> int:
    """Write the files, or say which of them differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data")
    parser.add_argument("--check", action="store_true", help="compare with the files here instead of writing them")
    options = parser.parse_args()
    start = json.loads((HERE / "start_rows.json").read_text("utf-8"))
    banking = {part: read_csv(options.data / "banking77" / f"{part}.csv") for part in ("train", "test")}
    massive = read_massive(options.data / "massive_zh_cn")
    drawn = {
        "banking77": draw(banking["train"], start["banking77"], gate=banking["train"], test=banking["test"]),
        "massive-zh-cn": draw(massive["train"], start["massive-zh-cn"], gate=massive["dev"], test=massive["test"]),
    }
    different = []
    for name, files in drawn.items():
        for part, rows in files.items():
            path, content = HERE / name / f"{part}.csv", as_csv(rows)
            if not options.check:
                path.write_bytes(content)
            elif path.read_bytes() != content:
                different.append(str(path))
            sys.stdout.write(f"{name}/{part}.csv: {len(rows)} rows, {len({label for _, _, label in rows})} classes\n")
    for one in different:
        sys.stderr.write(f"differs: {one}\n")
    return 1 if different else 0


def draw(train: list[Row], start_keys: list[str], *, gate: list[Row], test: list[Row]) -> dict[str, list[Row]]:
    """The four files. A text, once taken, is in no other file; `gate` is where the holdout comes from."""
    by_key = {row[0]: row for row in train}
    taken: set[str] = set()
    return {
        "start": list(take((by_key[key] for key in start_keys), taken, most=len(start_keys))),
        "unseen": list(take(shuffled(test, "unseen"), taken, most=SIZES["unseen"])),
        "holdout": list(take(shuffled(gate, "holdout"), taken, most=SIZES["holdout"])),
        "traffic": list(take(shuffled(train, "traffic"), taken, most=SIZES["traffic"])),
    }


def take(rows: Iterable[Row], taken: set[str], *, most: int) -> Iterator[Row]:
    """Up to `most` rows whose text nobody took yet."""
    n_rows = 0
    for row in rows:
        if n_rows == most:
            return
        text = comparable(row[1])
        if text not in taken:
            taken.add(text)
            n_rows += 1
            yield row


def comparable(text: str) -> str:
    """What is left of a text without case, width, spaces and punctuation."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum()) or text


def shuffled(rows: list[Row], purpose: str) -> list[Row]:
    """A fixed order that depends on nothing but the rows: that of a hash of key and text."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{SEED}:{purpose}:{row[0]}:{row[1]}".encode()).hexdigest())


def read_csv(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return [as_row(number, found) for number, found in enumerate(csv.DictReader(file))]


def read_massive(folder: Path) -> dict[str, list[Row]]:
    """MASSIVE by split: from three CSV files, or from the JSONL file of the release."""
    released = folder / "zh-CN.jsonl"
    if not released.exists():
        return {part: read_csv(folder / f"{part}.csv") for part in ("train", "dev", "test")}
    parts: dict[str, list[Row]] = {"train": [], "dev": [], "test": []}
    with released.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            found = json.loads(line)
            parts[found["partition"]].append(as_row(number, found))
    return parts


def as_row(number: int, found: dict[str, str]) -> Row:
    text = found["text"] if "text" in found else found["utt"]
    label = next(found[name] for name in ("label", "category", "intent") if name in found)
    return found.get("id", str(number)), text, label


def as_csv(rows: list[Row]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["text", "label"])
    writer.writerows((text, label) for _, text, label in rows)
    return buffer.getvalue().encode()


if __name__ == "__main__":
    raise SystemExit(main())
