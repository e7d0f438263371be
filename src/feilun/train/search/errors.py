"""What can go wrong in a search."""

from __future__ import annotations

from feilun.errors import FeilunError


class StudyUnreadable(FeilunError):
    """The tables of earlier searches were written by an Optuna with another schema."""

    code, kind = "train.study_unreadable", "conflict"
    en = "The searches kept in {where} were made by another Optuna: {told}. Install that version, or remove them."
    zh = "{where} 中保存的搜索由其他版本的 Optuna 写成：{told}。请安装该版本，或删除这些记录。"


class SearchIsRunning(FeilunError):
    """Another turn is searching on the very same rows."""

    code, kind = "train.search_is_running", "conflict"
    en = "Another turn is searching on the same rows (study {study}). Wait for it: what it finds is then used here."
    zh = "另一轮正在相同的数据上搜索（研究 {study}）。请等它结束，其结果会直接用于此处。"


class RayIsOpen(FeilunError):
    """Ray would listen on an address that others can reach; it runs whatever it is sent."""

    code, kind = "train.ray_is_open", "conflict"
    en = (
        "Ray would listen on {address}, not on loopback alone, so nothing was started; another part of this program "
        'has loaded Ray first. Run the turn in a process of its own, or set executor = "processes" in [train.search].'
    )
    zh = (
        "Ray 会监听 {address} 而不仅是本机回环地址，因此未启动；程序的其他部分已先加载了 Ray。"
        '请在单独的进程中运行这一轮，或在 [train.search] 中设置 executor = "processes"。'
    )
