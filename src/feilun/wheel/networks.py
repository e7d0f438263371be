"""The float networks behind the latest models: kept beside the bundles, so that smaller forms can be made of them."""

from __future__ import annotations

import shutil
from pathlib import Path

from feilun.errors import FeilunError
from feilun.store import Store

N_KEPT = 3
"""Besides the champion's, the networks of so many latest models are kept."""


class NetworkGone(FeilunError):
    """The float network of a model is not there any more; only its bundle is."""

    code, kind = "wheel.network_gone", "missing"
    en = (
        "The float network of model {model_id} is not kept: only those of the champion and of the {n_kept} latest "
        "models are. Choose one of {known}, or turn again."
    )
    zh = (
        "模型 {model_id} 的浮点网络未保留：只保留冠军和最新 {n_kept} 个模型的网络。"
        "请从 {known} 中选择，或重新运行一轮。"
    )


def keep_network(store: Store, *, project: str, model_id: str, folder: Path) -> None:
    """Move what training left in `folder` to its place, and let go of networks that are neither live nor recent.

    Safe to repeat: a network that is in its place already stays.
    """
    place = store.network_path(model_id)
    if folder.is_dir() and not place.exists():
        folder.replace(place)
    models = [str(row["model_id"]) for row in store.list_models(project)]
    wanted = {store.find_champion(project), model_id, *models[:N_KEPT]}
    for other in models:
        if other not in wanted:
            shutil.rmtree(store.network_path(other), ignore_errors=True)


def find_network(store: Store, *, project: str, model_id: str) -> Path:
    """Where the float network of a model is.

    Raises:
        NetworkGone: it is kept no more; the models that have theirs are named.
    """
    place = store.network_path(model_id)
    if not place.is_dir():
        models = [str(row["model_id"]) for row in store.list_models(project)]
        known = ", ".join(other for other in models if store.network_path(other).is_dir()) or "-"
        raise NetworkGone(model_id=model_id, n_kept=N_KEPT, known=known)
    return place
