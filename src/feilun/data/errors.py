"""What can go wrong between a file of messages and a dataset. Messages name files, rows and columns, never a text."""

from __future__ import annotations

from feilun.errors import FeilunError


class NoSources(FeilunError):
    """feilun.toml lists no data file."""

    code, kind = "data.no_sources", "missing"
    en = "feilun.toml lists no data. Add a [[data.sources]] table with the path of your file."
    zh = "feilun.toml 中没有数据来源。请添加 [[data.sources]] 表并写上文件路径。"


class FileMissing(FeilunError):
    """A data file is not where feilun.toml says."""

    code, kind = "data.file_missing", "missing"
    en = "There is no file {path} (looked in {folder}). Correct the path; it is relative to feilun.toml."
    zh = "找不到文件 {path}（已在 {folder} 中查找）。请改正路径；路径相对于 feilun.toml 所在的文件夹。"


class UnknownFormat(FeilunError):
    """The bytes are none of the formats we read."""

    code, kind = "data.unknown_format", "invalid"
    en = "{path} is {found_en}. Save it as CSV, TSV, JSONL (one object a line), XLSX or Parquet."
    zh = "{path} 是{found_zh}。请另存为 CSV、TSV、JSONL（每行一个对象）、XLSX 或 Parquet。"


class TooBig(FeilunError):
    """A compressed file would unpack to more than we accept: damaged, or made to exhaust the machine."""

    code, kind = "data.too_big", "invalid"
    en = "{path} unpacks to {size_mb} MB ({ratio} times its size); at most {limit_mb} MB are read. Save it as CSV."
    zh = "{path} 解压后为 {size_mb} MB（是文件大小的 {ratio} 倍），上限为 {limit_mb} MB。请另存为 CSV。"


TOO_MUCH = {
    "memory": ("more memory than a parser is given", "内存超过解析程序的上限"),
    "time": ("more time than a parser is given", "耗时超过解析程序的上限"),
    "cells": ("more rows or cells than its size can honestly hold", "行数或单元格数与文件大小不相称"),
    "members": ("more parts than a workbook has", "所含部件多于正常的工作簿"),
}


class TooMuch(FeilunError):
    """Reading a file would take more than we give a stranger's file. `what` is a key of TOO_MUCH."""

    code, kind = "data.too_much", "invalid"
    en = "{path} was not read to its end: {what}. Save it as CSV, or split it."
    zh = "{path} 未能读完：{what}。请另存为 CSV，或拆分该文件。"
    reasons = TOO_MUCH


class FileBroken(FeilunError):
    """The file starts like its format but cannot be read."""

    code, kind = "data.file_broken", "invalid"
    en = "{path} starts like {format} but cannot be read ({cause}). Open it in its program and save it anew."
    zh = "{path} 看似 {format} 文件，但无法读取（{cause}）。请用原来的软件打开后重新保存。"


class UnknownEncoding(FeilunError):
    """The encoding named in feilun.toml does not exist, or none could be recognised."""

    code, kind = "data.unknown_encoding", "invalid"
    en = '{path}: {found_en}. Set encoding = "…" for this file in feilun.toml: utf-8, gb18030, big5, utf-16, cp1252 …'
    zh = "{path}：{found_zh}。请在 feilun.toml 中为该文件设置 encoding，例如 utf-8、gb18030、big5、utf-16、cp1252。"


class WrongEncoding(FeilunError):
    """The encoding named in feilun.toml does not fit the bytes."""

    code, kind = "data.wrong_encoding", "invalid"
    en = '{path} is not {declared}; it looks like {recognised}. Set encoding = "{recognised}", or leave it empty.'
    zh = '{path} 不是 {declared} 编码，看起来是 {recognised}。请设置 encoding = "{recognised}"，或将其留空。'


class NoSuchColumn(FeilunError):
    """A column named in feilun.toml is not in the file."""

    code, kind = "data.no_such_column", "invalid"
    en = "{path} has no column {column!r}; it has {columns}. {hint_en}"
    zh = "{path} 中没有列 {column!r}；现有的列：{columns}。{hint_zh}"


class AmbiguousColumn(FeilunError):
    """The column named in feilun.toml stands twice in the header."""

    code, kind = "data.ambiguous_column", "invalid"
    en = "{path} has the column {column!r} more than once. Rename one of them in the file."
    zh = "{path} 中列 {column!r} 出现了不止一次。请在文件中改名。"


class NoSuchSheet(FeilunError):
    """The Excel file has no such sheet."""

    code, kind = "data.no_such_sheet", "invalid"
    en = '{path} has no sheet {sheet!r}; it has {sheets}. Correct sheet = "…" in feilun.toml.'
    zh = "{path} 中没有工作表 {sheet!r}；现有：{sheets}。请改正 feilun.toml 中的 sheet。"


class EmptyFile(FeilunError):
    """No rows at all."""

    code, kind = "data.empty_file", "invalid"
    en = "{path} has no rows. It needs a header line with column names and one message a line below it."
    zh = "{path} 中没有数据行。首行应为列名，其下每行一条消息。"


class AllRowsBad(FeilunError):
    """Every row was set aside."""

    code, kind = "data.all_rows_bad", "invalid"
    en = "All {n_rows} rows of {paths} had to be set aside. {reasons_en} Check that the text column is {column!r}."
    zh = "{paths} 的全部 {n_rows} 行都无法使用。{reasons_zh}请检查文本列是否为 {column!r}。"


class NoLabels(FeilunError):
    """Rows, but not one label to learn from."""

    code, kind = "data.no_labels", "invalid"
    en = (
        "None of the {n_rows} rows of {paths} has a label in column {column!r}. Label 5 or more of each class, "
        "or let Feilun propose classes: feilun label start --data FILE"
    )
    zh = (
        "{paths} 的 {n_rows} 行在列 {column!r} 中都没有标签。请为每个类别至少标注 5 条消息，"
        "或让飞轮先提出类别：feilun label start --data 文件"
    )


class OneClassOnly(FeilunError):
    """There is nothing to tell apart."""

    code, kind = "data.one_class_only", "invalid"
    en = "All {n_rows} labelled rows of {paths} have the label {label!r} ({column!r}). Add rows of a second class."
    zh = "{paths} 中 {n_rows} 条已标注的行在列 {column!r} 中都是标签 {label!r}。请再加入至少一个类别的消息。"


class NothingToHoldOut(FeilunError):
    """No row is left to judge a model on."""

    code, kind = "data.nothing_to_hold_out", "invalid"
    en = "No row can be held out to judge the model: {cause_en}. {way_en}"
    zh = "没有可以留出来评估模型的行：{cause_zh}。{way_zh}"


class AllInHoldout(FeilunError):
    """Every labelled row is in the holdout too, so that none may be trained on."""

    code, kind = "data.all_in_holdout", "conflict"
    en = "All {n_rows} labelled messages of {paths} are in the holdout too, so none may train. Give another file."
    zh = "{paths} 中全部 {n_rows} 条已标注消息也都在留出集中，因此都不能用于训练。请换一个训练文件。"


class SnapshotDamaged(FeilunError):
    """A stored dataset is not what was written."""

    code, kind = "data.snapshot_damaged", "invalid"
    en = "The dataset snapshot {path} is damaged: {cause}. Restore it from a backup, or delete it and turn again."
    zh = "数据集快照 {path} 已损坏：{cause}。请从备份恢复，或删除后重新运行这一轮。"


class CannotTellColumns(FeilunError):
    """Inspection found no column, or several, that could be meant."""

    code, kind = "data.cannot_tell_columns", "invalid"
    en = "{path}: cannot tell which column holds the {role_en}; the columns are {columns}. Name it with {flag} COLUMN."
    zh = "{path}：无法判断哪一列是{role_zh}；现有的列：{columns}。请用 {flag} 列名 指定。"


class NoLabelColumn(FeilunError):
    """No column of the file can hold labels: perhaps nothing is labelled yet."""

    code, kind = "data.no_label_column", "invalid"
    en = (
        "{path}: no column looks like labels; the columns are {columns}. If one is, name it with --label COLUMN. "
        "If nothing is labelled yet, let Feilun propose classes: feilun label start --data {path}"
    )
    zh = (
        "{path}：没有像标签的列；现有的列：{columns}。如果其中有标签列，请用 --label 列名 指定。"
        "如果还没有任何标签，可让飞轮先提出类别：feilun label start --data {path}"
    )


class NoHeader(FeilunError):
    """The first row looks like data."""

    code, kind = "data.no_header", "invalid"
    en = "The first row of {path} looks like data, not like column names. Add a first row such as: text,label"
    zh = "{path} 的第一行像是数据而不是列名。请在最前面加一行列名，例如：text,label"


class BadRows(FeilunError):
    """A file of corrections has rows that cannot be read; all are told at once, none is taken."""

    code, kind = "data.bad_rows", "invalid"
    en = "{path}: {n_bad} rows cannot be read, nothing was taken. Mend them and try again:\n{rows_en}"
    zh = "{path}：有 {n_bad} 行无法读取，未采用任何一行。请改正后重试：\n{rows_zh}"


class UnknownOutput(FeilunError):
    """The output file's extension is none we write."""

    code, kind = "data.unknown_output", "invalid"
    en = "Cannot write {path}: the name must end in .csv, .tsv, .jsonl or .xlsx."
    zh = "无法写入 {path}：文件名须以 .csv、.tsv、.jsonl 或 .xlsx 结尾。"


class SheetFull(FeilunError):
    """More rows than an Excel sheet holds."""

    code, kind = "data.sheet_full", "invalid"
    en = "{path}: an Excel sheet holds {limit} rows. Write to a .csv file."
    zh = "{path}：一张 Excel 工作表最多容纳 {limit} 行。请改为写入 .csv 文件。"
