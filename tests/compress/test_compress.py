"""What ships is the trained network: smaller, compared on real rows, the same bytes every time."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from feilun.compress import compress
from feilun.compress.export import NetworkMismatch, export_float, read_network
from feilun.compress.quantise import METHODS, Method, quantise
from feilun.models import Encoder, build_graph, read_config, read_tensors
from feilun.records import Dataset
from feilun.tasks import get_task
from tests.bundles import LABELS, MESSAGES, contents, dataset_of, network_of, settings_of

TEXTS = [text for texts in MESSAGES.values() for text in texts]


def run(tmp_path, backbone, *, result=None, dataset=None, folder="bundle", events=None, task=None, **settings):
    """compress() of a small network with these [compress] settings; the report and the folder."""
    result = result or network_of(tmp_path / "train", backbone)
    tables = settings_of(compress={"tolerance": 0.5, **settings}, task=task or {}, backbone={"max_tokens": 32})
    report = compress(
        result,
        backbone,
        dataset or dataset_of(),
        tables,
        task=get_task(tables.task),
        folder=tmp_path / folder,
        on_event=None if events is None else lambda kind, data: events.append(kind),
    )
    return report, tmp_path / folder


def encoder_of(folder) -> Encoder:
    return Encoder(folder / "model.onnx", folder / "tokenizer.json", max_tokens=32)


def test_the_float_graph_is_backbone_tuned_tensors_and_head(tmp_path, tiny_backbone):
    report, folder = run(tmp_path, tiny_backbone, int8=False)
    network = load_file(tmp_path / "train" / "network.safetensors")
    head = network.pop("head.weight"), network.pop("head.bias")
    tensors = {**read_tensors(tiny_backbone.folder), **network}
    tuned = build_graph(read_config(tiny_backbone.folder), tensors, pooling="mean").SerializeToString()
    expected, _ = Encoder(tuned, tiny_backbone.folder / "tokenizer.json", max_tokens=32).run(TEXTS)
    plain = build_graph(read_config(tiny_backbone.folder), read_tensors(tiny_backbone.folder), pooling="mean")
    untuned, _ = Encoder(plain.SerializeToString(), tiny_backbone.folder / "tokenizer.json", max_tokens=32).run(TEXTS)

    embeddings, logits = encoder_of(folder).run(TEXTS)
    np.testing.assert_allclose(embeddings, expected, atol=1e-6)
    np.testing.assert_allclose(logits, embeddings @ head[0].T + head[1], atol=1e-4)
    assert np.abs(embeddings - untuned).max() > 1e-3  # the tuned tensor is really in the graph
    assert (report.precision, report.agreement, report.max_logit_difference) == ("float32", 1.0, 0.0)
    assert report.float_size_mb == report.size_mb and "switched off" in report.note_en and "关闭" in report.note_zh


def test_int8_is_a_fraction_of_the_size_and_says_the_same(tmp_path, tiny_backbone):
    events: list[str] = []
    report, folder = run(tmp_path, tiny_backbone, events=events)
    shipped = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    assert sorted(contents(folder)) == ["labels.json", "model.onnx", "tokenizer.json"]
    assert report.precision == "int8" and report.size_mb == pytest.approx(shipped)
    graph_mb = (folder / "model.onnx").stat().st_size / 1e6
    assert graph_mb < 0.35 * (graph_mb + report.float_size_mb - report.size_mb)
    assert (report.n_rows, report.float_accuracy, report.shipped_accuracy, report.agreement) == (15, 1.0, 1.0, 1.0)
    assert 0 < report.max_logit_difference < 1.0
    assert 0 < report.p50_ms <= report.p99_ms
    assert (report.note_en, report.note_zh) == ("", "")
    assert events == ["compress.export", "compress.quantise", "compress.parity"]
    assert not list(tmp_path.glob(".compress-*"))


@pytest.mark.parametrize("method", METHODS)
def test_a_message_gets_the_same_answer_alone_and_in_any_batch(tmp_path, tiny_backbone, method):
    model = export_float(read_network(network_of(tmp_path / "train", tiny_backbone), tiny_backbone))
    tokenizer = tiny_backbone.folder / "tokenizer.json"
    exact, _ = Encoder(model.SerializeToString(), tokenizer, max_tokens=32).run(TEXTS)
    quantise(model, method=method)
    encoder = Encoder(model.SerializeToString(), tokenizer, max_tokens=32)
    together, _ = encoder.run([*TEXTS, "x " * 30])
    alone = np.stack([encoder.run_one(text)[0] for text in TEXTS])
    np.testing.assert_allclose(together[:-1], alone, atol=1e-6)
    cosines = (alone * exact).sum(axis=1)
    assert (
        0.9998 < cosines.min() < 1 - 1e-7
    )  # near the float graph (0.9997 without rounding), really computed in eight bits


def test_the_same_network_gives_the_same_bytes(tmp_path, tiny_backbone):
    result = network_of(tmp_path / "train", tiny_backbone)
    for int8 in (True, False):
        first = contents(run(tmp_path, tiny_backbone, result=result, folder=f"a{int8}", int8=int8)[1])
        assert contents(run(tmp_path, tiny_backbone, result=result, folder=f"b{int8}", int8=int8)[1]) == first


def hairline(tmp_path, backbone, *, refuses: tuple[Method, ...]):
    """A network whose head draws its line between where the float graph and these int8 graphs put the first message."""
    result = network_of(tmp_path / "train", backbone)
    path, tokenizer = result.folder / "network.safetensors", backbone.folder / "tokenizer.json"

    def embed(method: Method | None) -> np.ndarray:
        model = export_float(read_network(result, backbone))
        if method is not None:
            quantise(model, method=method)
        return Encoder(model.SerializeToString(), tokenizer, max_tokens=32).run_one(TEXTS[0])[0]

    exact = embed(None)
    off = {method: exact - embed(method) for method in METHODS}
    across = sum(off[method] / np.linalg.norm(off[method]) for method in refuses)
    for method in set(METHODS) - set(refuses):  # the line runs along what the others move
        across = across - (across @ off[method]) / (off[method] @ off[method]) * off[method]
    margin = min(across @ off[method] for method in refuses)
    assert margin > 0
    weight = np.zeros((len(LABELS), len(exact)), dtype=np.float32)
    bias = np.array([-1e9, 0, 0], dtype=np.float32)
    weight[LABELS.index("refund")] = 1e5 * across
    bias[LABELS.index("refund")] = -1e5 * (across @ exact - margin / 2)
    save_file({**load_file(path), "head.weight": weight, "head.bias": bias}, path)
    dataset = dataset_of()
    assert LABELS[1] == "refund" == dataset.holdout[0].target[0]
    return result, Dataset("d_one", train=dataset.train, holdout=dataset.holdout[:1], labels=LABELS)


def test_float_ships_when_every_int8_loses_more_than_the_tolerance(tmp_path, tiny_backbone):
    result, dataset = hairline(tmp_path, tiny_backbone, refuses=METHODS)
    report, folder = run(tmp_path, tiny_backbone, result=result, dataset=dataset, tolerance=0.0)
    assert (report.precision, report.n_rows) == ("float32", 1)
    assert (report.float_accuracy, report.shipped_accuracy, report.agreement) == (1.0, 1.0, 1.0)
    assert report.size_mb == report.float_size_mb
    assert "100.00% to 0.00%" in report.note_en and "100.00% 降到 0.00%" in report.note_zh
    assert encoder_of(folder).run_one(TEXTS[0])[1].argmax() == LABELS.index("refund")
    report, folder = run(tmp_path, tiny_backbone, result=result, dataset=dataset, tolerance=0.999, folder="lax")
    assert report.precision == "float32"  # it lost everything: 1.0 > 0.999


def test_the_finer_int8_ships_when_only_the_fast_one_loses(tmp_path, tiny_backbone):
    result, dataset = hairline(tmp_path, tiny_backbone, refuses=("token",))
    report, folder = run(tmp_path, tiny_backbone, result=result, dataset=dataset, tolerance=0.0)
    assert (report.precision, report.shipped_accuracy, report.note_en) == ("int8", 1.0, "")
    assert report.size_mb < 0.6 * report.float_size_mb
    operators = {node.op_type for node in onnx.load(folder / "model.onnx").graph.node}
    assert "MatMulNBits" in operators and "MatMulInteger" not in operators


def test_out_of_scope_rows_do_not_dilute_the_accuracy(tmp_path, tiny_backbone):
    base = dataset_of()
    strange = dataset_of({"oos": ["天气怎么样", "tell me a joke"]}).train
    mixed = Dataset("d_oos", train=base.train, holdout=base.holdout + strange, labels=LABELS)
    report, _ = run(tmp_path, tiny_backbone, dataset=mixed, task={"out_of_scope_label": "oos"})
    assert (report.n_rows, report.shipped_accuracy) == (15, 1.0)


def test_a_network_of_another_backbone_is_refused(tmp_path, tiny_backbone):
    result = network_of(tmp_path / "train", tiny_backbone)
    path = result.folder / "network.safetensors"
    network = load_file(path)
    save_file({**network, "encoder.layer.9.output.dense.bias": np.zeros(32, np.float32)}, path)
    with pytest.raises(NetworkMismatch, match=r"encoder\.layer\.9\.output\.dense\.bias"):
        run(tmp_path, tiny_backbone, result=result)
    path.write_bytes(b"cut short")
    with pytest.raises(NetworkMismatch):
        run(tmp_path, tiny_backbone, result=result)
