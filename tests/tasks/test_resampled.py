import numpy as np
import pytest

from feilun.config import TaskSettings
from feilun.tasks import get_task


@pytest.mark.parametrize("multi_label", [False, True], ids=["one label", "several labels"])
def test_resampled_metrics_are_the_metrics_of_the_rows_drawn(multi_label):
    rng, task = np.random.default_rng(0), get_task(TaskSettings(multi_label=multi_label))
    n, c = 240, 5
    targets = (rng.random((n, c)) < 0.3) if multi_label else np.eye(c)[rng.integers(0, c, n)]
    probs = task.probs(rng.normal(size=(n, c)) + 2 * targets)
    drawn = [rng.integers(0, n, n) for _ in range(20)]
    weights = np.stack([np.bincount(rows, minlength=n) for rows in drawn]).astype(np.float32)
    found = task.resampled_metrics(probs, targets, weights=[weights[:13], weights[13:]])
    reference = [task.metrics(probs[rows], targets[rows]) for rows in drawn]
    assert list(found) == list(reference[0])
    for name in ("accuracy", "macro_f1", "micro_f1"):
        assert found[name] == pytest.approx([metrics[name] for metrics in reference], abs=1e-5)
    # the area under the curve is taken to first order: right on average, and in how far it spreads
    exact = np.array([metrics["roc_auc"] for metrics in reference])
    assert np.corrcoef(found["roc_auc"], exact)[0, 1] > 0.97
    assert found["roc_auc"] == pytest.approx(exact, abs=0.005)
