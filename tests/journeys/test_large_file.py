"""100,000 rows: read, cleaned, split and searched for near duplicates in bounded memory."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.journey

N_ROWS = 100_000
MOST_MB = 600  # 450 were measured, 60 of them for the interpreter and its libraries
MOST_S = 900  # 10 CPU seconds were measured; a quadratic step would take hours
MEASURE = """
import json, sys
from pathlib import Path
from feilun.config import DataSettings, FeilunSettings, ProjectSettings, SourceSettings
from feilun.data import build_dataset, read_snapshot, write_snapshot
from feilun.tasks import get_task

folder = Path(sys.argv[1])
data = DataSettings(sources=(SourceSettings(path="big.csv"),))
settings = FeilunSettings(project=ProjectSettings(name="big"), data=data)
dataset, report = build_dataset(folder, settings, task=get_task(settings.task))
write_snapshot(dataset, folder / "big.jsonl")
assert read_snapshot(folder / "big.jsonl").dataset_id == dataset.dataset_id
# Not ru_maxrss: a child inherits that of the process that started it.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({
    "mb": int(peak.split()[1]) / 1024,
    "kept": report.n_train + report.n_holdout, "lost": report.n_exact_duplicates + report.n_set_aside,
}))
"""


def write_messages(path: Path, *, kind: str) -> None:
    rng = random.Random(0)
    syllables = [a + b for a in "bdfgklmnprstvw" for b in "aeiou"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(8000)]
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(N_ROWS):
            if kind == "varied":
                text = " ".join(rng.choices(words, k=rng.randint(4, 18)))
            else:
                due, number = rng.randrange(28), rng.randrange(10**9)
                text = f"订单 {i * 7919} 还没有到，应该在 {due} 号送达。 Where is order {number}?"
            writer.writerow([text, f"class {rng.randrange(77)}"])


@pytest.mark.parametrize("kind", ["varied", "template"])
def test_a_hundred_thousand_rows_take_bounded_memory(tmp_path, kind):
    write_messages(tmp_path / "big.csv", kind=kind)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_S,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "OMP_NUM_THREADS": "1", "FEILUN_LANG": "en"},
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["kept"] + measured["lost"] == N_ROWS
    assert measured["mb"] < MOST_MB
