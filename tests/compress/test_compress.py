"""What ships is the trained network: smaller, compared on real rows, the same bytes every time."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from feilun.compress import compress
from feilun.compress.export import NetworkMismatch
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


def test_a_message_gets_the_same_answer_alone_and_in_any_batch(tmp_path, tiny_backbone):
    _, folder = run(tmp_path, tiny_backbone)
    encoder = encoder_of(folder)
    together, _ = encoder.run([*TEXTS, "x " * 30])
    alone = np.stack([encoder.run_one(text)[0] for text in TEXTS])
    np.testing.assert_allclose(together[:-1], alone, atol=1e-6)


def test_the_same_network_gives_the_same_bytes(tmp_path, tiny_backbone):
    result = network_of(tmp_path / "train", tiny_backbone)
    for int8 in (True, False):
        first = contents(run(tmp_path, tiny_backbone, result=result, folder=f"a{int8}", int8=int8)[1])
        assert contents(run(tmp_path, tiny_backbone, result=result, folder=f"b{int8}", int8=int8)[1]) == first


def test_float_ships_when_int8_loses_more_than_the_tolerance(tmp_path, tiny_backbone):
    """The head is drawn so close to one message that rounding alone carries it over the line."""
    dataset = dataset_of()
    result = network_of(tmp_path / "train", tiny_backbone)
    path = result.folder / "network.safetensors"
    network = load_file(path)
    _, float_folder = run(tmp_path, tiny_backbone, result=result, folder="float", int8=False)
    _, small_folder = run(tmp_path, tiny_backbone, result=result, folder="small")
    exact, small = (encoder_of(folder).run(TEXTS)[0] for folder in (float_folder, small_folder))
    # Along the direction in which int8 moves the first message, put the line between its two embeddings.
    moved = exact[0] - small[0]
    line = moved @ (exact[0] + small[0]) / 2
    weight = np.zeros((len(LABELS), exact.shape[1]), dtype=np.float32)
    bias = np.full(len(LABELS), -1e9, dtype=np.float32)
    weight[LABELS.index("refund")], bias[LABELS.index("refund")] = 1e4 * moved, -1e4 * line
    bias[LABELS.index("thanks")] = 0
    save_file({**network, "head.weight": weight, "head.bias": bias}, path)
    assert TEXTS[0] in MESSAGES["refund"]

    only = Dataset("d_one", train=dataset.train, holdout=dataset.holdout[:1], labels=LABELS)
    report, folder = run(tmp_path, tiny_backbone, result=result, dataset=only, folder="line", tolerance=0.0)
    assert (report.precision, report.n_rows) == ("float32", 1)
    assert (report.float_accuracy, report.shipped_accuracy, report.agreement) == (1.0, 1.0, 1.0)
    assert report.size_mb == report.float_size_mb
    assert "100.00% to 0.00%" in report.note_en and "100.00% 降到 0.00%" in report.note_zh
    assert encoder_of(folder).run(TEXTS[:1])[1].argmax() == LABELS.index("refund")


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
