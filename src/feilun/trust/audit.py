"""Whether the audit log is what was written: every entry, every link between two, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from feilun.errors import FeilunError, language
from feilun.records import AuditFault, AuditVerdict
from feilun.store import Store
from feilun.store.chain import GENESIS, Head, entry_hash, is_signed, parse_head

MOST_FAULTS = 20
FAULTS = {
    "changed": ("entry {seq} is not what was written", "第 {seq} 条与写入时不符"),
    "not_linked": ("entry {seq} does not follow the one before it", "第 {seq} 条与前一条不相连"),
    "missing": ("entries are missing behind entry {seq}", "第 {seq} 条之后缺少条目"),
    "marked": (
        "entry {seq} says that Feilun found the end of the log changed before it",
        "第 {seq} 条记录表明：飞轮在此之前已发现日志末尾被改动",
    ),
    "cut": (
        "the log ends at entry {seq}, which is not where its head says",
        "日志止于第 {seq} 条，与末端记录不符",
    ),
    "forged": ("the head at entry {seq} was not signed with this key", "第 {seq} 条处的末端记录并非由此密钥签名"),
    "emptied": ("the log is empty although it was begun", "日志曾经启用，现在却是空的"),
    "no_key": (
        "the key audit.key is missing, so the signature of the head at entry {seq} cannot be checked",
        "缺少密钥 audit.key，无法核对第 {seq} 条处末端记录的签名",
    ),
    "head_unknown": (
        "the log ends before entry {seq}, a head that was kept outside of it: an older log was put in its place",
        "日志在另处留存的末端（第 {seq} 条）之前就结束了：它已被换成较早的日志",
    ),
    "head_other": (
        "entry {seq} is another one than in a head that was kept outside of the log",
        "第 {seq} 条与另处留存的末端记录不同",
    ),
}


class HeadMalformed(FeilunError):
    """What was given as a head is none."""

    code, kind = "audit.head_malformed", "invalid"
    en = "A head looks like 42:0123…, a number and 64 hexadecimal digits. Print one with: feilun audit head"
    zh = "末端记录的格式为 42:0123…，即一个数字加 64 位十六进制数。可用 feilun audit head 输出。"


def describe(fault: AuditFault, lang: str | None = None) -> str:
    """A fault in words."""
    return FAULTS[fault.code][(lang or language()) == "zh"].format(seq=fault.seq)


def verify_audit(store: Store, *, head: str | None = None) -> AuditVerdict:
    """Whether the log of a workspace is whole.

    Args:
        head: one that was kept elsewhere; only with it a whole older workspace in the place of this one is found.
    Raises:
        HeadMalformed: `head` is none.
    """
    known = None if head is None else parse_head(head)
    if head is not None and known is None:
        raise HeadMalformed()
    kept = [store.ledger.kept_head.read(), known]  # read before the chain, which goes on meanwhile
    with store.audit_chain() as (entries, end, signature):
        keys = store.ledger.key_file.candidates()
        return check_chain(entries, end=end, signature=signature, keys=keys, kept=kept)


def check_chain(
    entries: Iterable[Mapping[str, Any]],
    *,
    end: Head,
    signature: str,
    keys: Sequence[bytes],
    kept: Iterable[Head | None] = (),
) -> AuditVerdict:
    """Go through a chain once.

    Args:
        entries: rows as they are stored, by seq.
        end, signature: the head that is stored beside them.
        keys: those that may have signed it.
        kept: heads that were kept elsewhere.
    """
    found = _Faults()
    known = {head.seq: head.hash for head in kept if head is not None and head.seq > 0}
    last, n_entries = Head(0, GENESIS), 0
    for row in entries:
        n_entries += 1
        found.add_all(row, last)
        last = Head(row["seq"], row["hash"])
        if known.pop(row["seq"], row["hash"]) != row["hash"]:
            found.add("head_other", row["seq"])
    for seq in known:
        found.add("head_unknown", seq)
    _check_end(found, last, end=end, signature=signature, keys=keys)
    return AuditVerdict(
        is_whole=found.n == 0, n_entries=n_entries, head=str(last), faults=tuple(found.first), n_faults=found.n
    )


def _check_end(found: _Faults, last: Head, *, end: Head, signature: str, keys: Sequence[bytes]) -> None:
    if last != end:
        found.add("cut", last.seq)
    if last.seq == 0 and end.seq == 0:
        if keys:
            found.add("emptied", 0)
    elif not keys:
        found.add("no_key", end.seq)
    elif not any(is_signed(end, key, signature) for key in keys):
        found.add("forged", end.seq)


class _Faults:
    """The first faults, and how many there are."""

    def __init__(self) -> None:
        self.first: list[AuditFault] = []
        self.n = 0

    def add(self, code: Any, seq: Any) -> None:
        self.n += 1
        if len(self.first) < MOST_FAULTS:
            self.first.append(AuditFault(code=code, seq=seq if isinstance(seq, int) else 0))

    def add_all(self, row: Mapping[str, Any], last: Head) -> None:
        """What is wrong with an entry behind `last`."""
        if row["seq"] != last.seq + 1:
            self.add("missing", last.seq)
        if row["prev_hash"] != last.hash:
            self.add("not_linked", row["seq"])
        if row["hash"] != entry_hash(row):
            self.add("changed", row["seq"])
        if row["action"] == "audit.broken":
            self.add("marked", row["seq"])
