"""collect → clean → split → near duplicates → report: the one function that the wheel calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from feilun.config import FeilunSettings
from feilun.data.advice import Findings, advise
from feilun.data.clean import Resolved, latest, resolve
from feilun.data.collect import Collected, collect, reference
from feilun.data.errors import (
    AllInHoldout,
    AllRowsBad,
    EmptyFile,
    NoLabels,
    NoSources,
    NothingToHoldOut,
    OneClassOnly,
)
from feilun.data.near import find_near
from feilun.data.reasons import set_aside
from feilun.data.snapshot import make_dataset
from feilun.data.split import MIN_ROWS_TO_HOLD_OUT, draw_holdout
from feilun.records import DataReport, Dataset, Example, SetAside
from feilun.tasks import Task, example_id

# Lists in a report are for people; counts are always whole.
MAX_LISTED = 1000


def build_dataset(
    folder: Path,
    settings: FeilunSettings,
    *,
    task: Task,
    corrections: Sequence[Example] = (),
    previous: Dataset | None = None,
    asked: Sequence[Example] = (),
) -> tuple[Dataset, DataReport]:
    """The dataset of a turn and what was found on the way.

    Args:
        folder: where feilun.toml is; the paths of the sources are relative to it.
        corrections: examples made from feedback; they train, win over the files, and are never held out. Of two
            on the same text the later one counts.
        previous: the dataset of the turn before; its holdout stays held out for ever, and what it trained on
            is never drawn into the holdout.
        asked: messages that users sent; those that are in no split yet join the unlabelled ones. The report is of the
            files alone.
    Raises:
        FeilunError: a file cannot be read (see `open_table`), a column is missing, or nothing can be trained or
            judged (NoSources, EmptyFile, AllRowsBad, NoLabels, OneClassOnly, NothingToHoldOut, AllInHoldout).
    """
    if not settings.data.sources:
        raise NoSources()
    known = latest(replace(c, example_id=example_id(task.text_of(c.inputs))) for c in corrections)
    found = collect(folder, settings.data.sources, settings, task=task)
    judged = collect(folder, [settings.data.holdout], settings, task=task) if settings.data.holdout else Collected()
    _refuse_unreadable(settings, found, judged)
    held = _judged_examples(judged)
    frozen = {example.example_id for example in previous.holdout} if previous else set()
    # A correction of a held-out message is left out below; it must not decide about the file's rows either.
    deciding = {key: c for key, c in known.items() if key not in frozen and key not in held.kept}
    pool = resolve(found.examples, decided=deciding)
    splits = _split(settings, pool, held, known=known, previous=previous)
    _refuse_unusable(settings, splits, task=task, n_rows=found.n_rows)
    dataset = make_dataset(
        train=splits.train,
        holdout=list(splits.holdout.values()),
        unlabelled=splits.unlabelled,
        labels=task.label_space(splits.train),
    )
    report = _report(settings, dataset, splits, (found, judged), task=task)
    known_ids = {example.example_id for example in (*dataset.train, *dataset.holdout, *dataset.unlabelled)}
    fresh = [example for example in asked if example.example_id not in known_ids]
    if fresh:
        dataset = make_dataset(
            train=list(dataset.train),
            holdout=list(dataset.holdout),
            unlabelled=[*dataset.unlabelled, *fresh],
            labels=dataset.labels,
        )
    return dataset, report


def check(folder: Path, settings: FeilunSettings, *, task: Task, previous: Dataset | None = None) -> DataReport:
    """The report of `build_dataset`, for `feilun data check`; nothing is written. Raises what it raises."""
    return build_dataset(folder, settings, task=task, previous=previous)[1]


@dataclass
class _Splits:
    """The examples by split, and the pairs and rows that did not make it."""

    holdout: dict[str, Example]
    resolved: tuple[Resolved, Resolved]
    train: list[Example] = field(default_factory=list)
    unlabelled: list[Example] = field(default_factory=list)
    leaks: list[tuple[str, str]] = field(default_factory=list)
    n_corrections: int = 0
    n_trained_before: int = 0


def _judged_examples(judged: Collected) -> Resolved:
    """The rows of the holdout file, one a text; rows without a label are set aside."""
    labelled = [example for example in judged.examples if example.target is not None]
    result = resolve(labelled, decided={})
    result.aside.extend(
        set_aside("holdout_unlabelled", source=example.source, row=example.row or 0)
        for example in judged.examples
        if example.target is None
    )
    return result


def _split(
    settings: FeilunSettings,
    pool: Resolved,
    judged: Resolved,
    *,
    known: Mapping[str, Example],
    previous: Dataset | None,
) -> _Splits:
    trained = {example.example_id for example in previous.train} if previous else set()
    splits = _Splits(holdout=_frozen(previous, pool), resolved=(pool, judged))
    splits.n_trained_before = len(trained & judged.kept.keys())
    splits.holdout.update(judged.kept)
    free = {key: example for key, example in pool.kept.items() if key not in splits.holdout}
    if settings.data.holdout is None:
        labelled = {key: example for key, example in free.items() if example.target is not None}
        fraction = settings.data.holdout_fraction
        for key in draw_holdout(labelled, held=splits.holdout, trained=trained, fraction=fraction):
            splits.holdout[key] = free.pop(key)
    for key, example in pool.kept.items():
        held = judged.kept.get(key)
        if held is not None:
            splits.leaks.append((reference(example), reference(held)))
    for key, correction in known.items():
        if key in splits.holdout:
            splits.leaks.append((reference(correction), reference(splits.holdout[key])))
        else:
            splits.train.append(correction)
            splits.n_corrections += 1
    splits.train.extend(example for example in free.values() if example.target is not None)
    splits.unlabelled.extend(example for example in free.values() if example.target is None)
    return splits


def _frozen(previous: Dataset | None, pool: Resolved) -> dict[str, Example]:
    """The holdout of the turn before; a row that still stands in the files brings its label and number."""
    frozen = {example.example_id: example for example in previous.holdout} if previous else {}
    for key, old in frozen.items():
        now = pool.kept.get(key)
        if now is not None:
            frozen[key] = replace(now, target=old.target if now.target is None else now.target)
    return frozen


def _refuse_unreadable(settings: FeilunSettings, found: Collected, judged: Collected) -> None:
    checked = [(found, settings.data.sources)]
    if settings.data.holdout is not None:
        checked.append((judged, (settings.data.holdout,)))
    for collected, sources in checked:
        paths = ", ".join(source.path for source in sources)
        if not collected.n_rows:
            raise EmptyFile(path=paths)
        if not collected.examples:
            en, zh = _commonest(collected.aside)
            raise AllRowsBad(n_rows=collected.n_rows, paths=paths, reasons_en=en, reasons_zh=zh, column=sources[0].text)


def _commonest(aside: Sequence[SetAside]) -> tuple[str, str]:
    code, n_rows = Counter(row.reason_code for row in aside).most_common(1)[0]
    first = next(row for row in aside if row.reason_code == code)
    return f"Row {first.row} and {n_rows - 1} more: {first.en}", f"第 {first.row} 行等 {n_rows} 行：{first.zh}"


def _refuse_unusable(settings: FeilunSettings, splits: _Splits, *, task: Task, n_rows: int) -> None:
    """Raise when there is nothing to learn from, nothing to tell apart, or nothing to judge by."""
    paths = ", ".join(source.path for source in settings.data.sources)
    column = settings.data.sources[0].label
    everything = [*splits.train, *splits.resolved[0].kept.values()]
    labelled = {example.example_id for example in everything if example.target is not None}
    if not labelled:
        raise NoLabels(n_rows=n_rows, paths=paths, column=column)
    if not splits.train:
        raise AllInHoldout(n_rows=len(labelled), paths=paths)
    labels = task.label_space(splits.train)
    if len({example.target for example in splits.train}) < 2 or (len(labels) < 2 and not settings.task.multi_label):
        label = labels[0] if labels else settings.task.out_of_scope_label
        raise OneClassOnly(n_rows=len(labelled), paths=paths, label=label, column=column)
    if not splits.holdout:
        raise NothingToHoldOut(**_nothing_held(settings))


def _nothing_held(settings: FeilunSettings) -> dict[str, str]:
    if settings.data.holdout is not None:
        path, column = settings.data.holdout.path, settings.data.holdout.label
        return {
            "cause_en": f"{path} has no usable row with a label in column {column!r}",
            "cause_zh": f"{path} 的列 {column!r} 中没有可用的带标签的行",
            "way_en": "Label its rows, or remove [data.holdout] from feilun.toml.",
            "way_zh": "请为其标注，或从 feilun.toml 中删去 [data.holdout]。",
        }
    return {
        "cause_en": f"no class has {MIN_ROWS_TO_HOLD_OUT} different messages",
        "cause_zh": f"没有一个类别有 {MIN_ROWS_TO_HOLD_OUT} 条不同的消息",
        "way_en": f"Label at least {MIN_ROWS_TO_HOLD_OUT} messages of each class, or name a holdout file.",
        "way_zh": f"请为每个类别至少标注 {MIN_ROWS_TO_HOLD_OUT} 条消息，或指定一个留出文件。",
    }


def _report(
    settings: FeilunSettings, dataset: Dataset, splits: _Splits, files: tuple[Collected, Collected], *, task: Task
) -> DataReport:
    found, judged = files
    pool, held = splits.resolved
    aside = [*found.aside, *judged.aside, *pool.aside, *held.aside]
    duplicates, conflicts = pool.duplicates + held.duplicates, pool.conflicts + held.conflicts
    near, near_leaks = _near(settings, dataset, task=task)
    report = DataReport(
        n_rows=found.n_rows + judged.n_rows,
        n_train=len(dataset.train),
        n_holdout=len(dataset.holdout),
        n_unlabelled=len(dataset.unlabelled),
        n_corrections=splits.n_corrections,
        encodings=found.encodings | judged.encodings,
        class_counts=_counts(dataset.train),
        holdout_counts=_counts(dataset.holdout),
        set_aside=tuple(aside[:MAX_LISTED]),
        n_set_aside=len(aside),
        n_exact_duplicates=len(duplicates),
        exact_duplicates=tuple(duplicates[:MAX_LISTED]),
        n_near_duplicates=len(near),
        near_duplicates=tuple(near[:MAX_LISTED]),
        n_conflicts=pool.n_conflicts + held.n_conflicts,
        conflicts=tuple(conflicts[:MAX_LISTED]),
        n_leaks=len(splits.leaks),
        leaks=tuple(splits.leaks[:MAX_LISTED]),
        n_near_leaks=len(near_leaks),
        near_leaks=tuple(near_leaks[:MAX_LISTED]),
    )
    findings = Findings(
        report=report,
        labels=dataset.labels,
        out_of_scope=settings.task.out_of_scope_label,
        n_trained_before=splits.n_trained_before,
        holdout_path=settings.data.holdout.path if settings.data.holdout else "",
    )
    en, zh = advise(findings)
    return report.model_copy(update={"advice_en": en, "advice_zh": zh})


def _near(
    settings: FeilunSettings, dataset: Dataset, *, task: Task
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """References of near duplicates within a split, and of those across train and holdout (train row first)."""
    examples = [*dataset.holdout, *dataset.train, *dataset.unlabelled]
    groups = [0] * len(dataset.holdout) + [1] * len(dataset.train) + [1] * len(dataset.unlabelled)
    texts = [task.text_of(example.inputs) for example in examples]
    found = find_near(texts, groups=groups, threshold=settings.data.near_duplicate)
    place = [(example.source, example.row or 0) for example in examples]
    within = sorted((tuple(sorted(pair, key=place.__getitem__)) for pair in found.within), key=lambda p: place[p[0]])
    across = [(max(pair), min(pair)) for pair in found.across if examples[max(pair)].target is not None]
    across.sort(key=lambda pair: place[pair[0]])
    return (
        [(reference(examples[i]), reference(examples[j])) for i, j in within],
        [(reference(examples[i]), reference(examples[j])) for i, j in across],
    )


def _counts(examples: Iterable[Example]) -> dict[str, int]:
    counts = Counter(label for example in examples for label in example.target or ())
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
