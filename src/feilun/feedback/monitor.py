"""From counts to what a monitor shows: buckets of time, percentiles, and how far the traffic has moved."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from feilun.errors import FeilunError
from feilun.records import Drift, LabelShare, Monitor, MonitorBucket
from feilun.store import N_CONFIDENCE_BINS, latency_of

WIDTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
MOST_BUCKETS = 1000
MIN_MESSAGES = 200  # with fewer, chance alone moves the index beyond SHIFTED
SHIFTED, DRIFTED = 0.1, 0.25  # the usual reading of the index
FIRST_YEAR, LAST_YEAR = 2000, 2999
N_BANDS = 5  # of confidence, that are shown over time
ORIGIN = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday: weeks begin there

Counts = Mapping[str, Counter[str]]


class MonitorInvalid(FeilunError):
    """The interval that is to be shown is empty, or has too many buckets."""

    code, kind = "monitor.interval_invalid", "invalid"
    en = "From {since} to {until} there are {found} {bucket} buckets; ask for 1 to {most} of them."
    zh = "从 {since} 到 {until} 按 {bucket} 划分共有 {found} 个时间段；请查询 1 到 {most} 个。"


class MonitorTimeInvalid(FeilunError):
    """A time at which nothing was ever answered, nor will be."""

    code, kind = "monitor.time_invalid", "invalid"
    en = "A time to monitor lies in the years {first} to {last}; {at} does not."
    zh = "监控的时间须在 {first} 年至 {last} 年之间；{at} 不在此范围内。"


def in_utc(at: datetime) -> datetime:
    """`at` in UTC, which it is taken to be without a time zone.

    Raises:
        MonitorTimeInvalid: it is not of our age.
    """
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise MonitorTimeInvalid(first=FIRST_YEAR, last=LAST_YEAR, at=at.isoformat())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def floor(at: datetime, bucket: str) -> datetime:
    """The beginning of the bucket that `at` lies in; days and weeks are those of UTC, weeks begin on Monday."""
    return ORIGIN + (at.astimezone(UTC) - ORIGIN) // WIDTHS[bucket] * WIDTHS[bucket]


def check_interval(since: datetime, until: datetime, *, bucket: str) -> None:
    """Whether so much can be shown.

    Raises:
        MonitorInvalid: it is nothing, or too much.
    """
    found = math.ceil((until - since) / WIDTHS[bucket])
    if not 1 <= found <= MOST_BUCKETS:
        raise MonitorInvalid(
            since=since.isoformat(), until=until.isoformat(), bucket=bucket, found=max(found, 0), most=MOST_BUCKETS
        )


def monitor(
    rows: Iterable[Mapping[str, Any]],
    *,
    earlier: Iterable[Mapping[str, Any]],
    since: datetime,
    until: datetime,
    bucket: str,
) -> Monitor:
    """What was answered from `since`, the beginning of a bucket, to `until`.

    Args:
        rows: with at (the beginning of an ISO time; not coarser than a bucket), part, value and n.
        earlier: the same, without regard to `at`, of the interval of equal length before.
    """
    by_bucket: defaultdict[datetime, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    whole, before = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    begins: dict[str, datetime] = {}
    for row in rows:
        at = row["at"]
        if at not in begins:
            begins[at] = floor(_begin(at), bucket)
        whole[row["part"]][row["value"]] += row["n"]
        by_bucket[begins[at]][row["part"]][row["value"]] += row["n"]
    for row in earlier:
        before[row["part"]][row["value"]] += row["n"]
    n_buckets = math.ceil((until - since) / WIDTHS[bucket])
    starts = [since + i * WIDTHS[bucket] for i in range(n_buckets)]
    return Monitor.model_validate(
        {
            "since": since,
            "until": until,
            "bucket": bucket,
            "buckets": [_bucket(start, by_bucket[start]) for start in starts],
            "whole": _bucket(since, whole),
            "labels": _labels(whole["label"], before["label"]),
            "drift": _drift(whole, before),
        }
    )


def percentile(bins: Mapping[str, int], share: float) -> float | None:
    """The answer time that `share` of the messages did not exceed, to within 5 %; None of none."""
    n, seen = sum(bins.values()), 0
    for bin_ in sorted(map(int, bins)):
        seen += bins[str(bin_)]
        if seen >= share * n:
            return round(latency_of(bin_), 2)
    return None


def population_stability_index(now: Sequence[int], before: Sequence[int]) -> float:
    """How far one distribution over the same categories has moved from another: 0 is not at all.

    Args:
        now, before: counts, of equal length. Half a message is added to each, so that an empty category is no infinity.
    Source:
        Siddiqi 2006, "Credit Risk Scorecards", ch. 9; its distribution: Yurdakul 2018, "Statistical Properties of
        Population Stability Index".
    """
    p, q = (_shares(counts) for counts in (now, before))
    return sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))


def _shares(counts: Sequence[int]) -> list[float]:
    n = sum(counts) + 0.5 * len(counts)
    return [(count + 0.5) / n for count in counts]


def _begin(at: str) -> datetime:
    day, _, hour = at.partition("T")
    return datetime.fromisoformat(f"{day}T{hour or '00'}:00:00+00:00")


def _bucket(at: datetime, counts: Counts) -> MonitorBucket:
    decisions, latency = counts["decision"], counts["latency"]
    bands = [0] * N_BANDS
    for bin_, n in counts["confidence"].items():
        bands[int(bin_) * N_BANDS // N_CONFIDENCE_BINS] += n
    return MonitorBucket(
        at=at,
        n_messages=sum(decisions.values()),
        n_handed_over=decisions["hand_over"],
        n_feedback=counts["feedback"]["given"],
        n_contradicted=counts["feedback"]["contradicted"],
        p50_ms=percentile(latency, 0.5),
        p95_ms=percentile(latency, 0.95),
        p99_ms=percentile(latency, 0.99),
        confidence=tuple(bands),
    )


def _labels(now: Counter[str], before: Counter[str]) -> list[LabelShare]:
    """The most frequent first."""
    names = sorted(now.keys() | before.keys(), key=lambda name: (-now[name], -before[name], name))
    return [LabelShare(label=name, n=now[name], n_before=before[name]) for name in names]


def _drift(whole: Counts, before: Counts) -> Drift:
    n, n_before = (sum(counts["decision"].values()) for counts in (whole, before))
    if min(n, n_before) < MIN_MESSAGES:
        return Drift(state="too_few", n_before=n_before, n_needed=MIN_MESSAGES)
    names = sorted(whole["label"].keys() | before["label"].keys())
    bins = [str(i) for i in range(N_CONFIDENCE_BINS)]
    labels = population_stability_index(*([counts["label"][name] for name in names] for counts in (whole, before)))
    confidence = population_stability_index(*([counts["confidence"][b] for b in bins] for counts in (whole, before)))
    worst = max(labels, confidence)
    state = "drifted" if worst >= DRIFTED else "shifted" if worst >= SHIFTED else "steady"
    return Drift(state=state, n_before=n_before, n_needed=MIN_MESSAGES, labels=labels, confidence=confidence)
