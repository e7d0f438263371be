"""A smaller vocabulary reads as before whatever it can, and everything else somehow."""

from __future__ import annotations

import json
import string

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from feilun.compress import compress, vocabulary
from feilun.compress.export import read_network
from feilun.compress.vocabulary import choose_pieces, cut_tokenizer
from feilun.models import Encoder, build_graph
from feilun.records import Backbone
from feilun.tasks import get_task
from tests.bundles import dataset_of, network_of, settings_of
from tests.conftest import write_tiny_bert

LATIN = ["▁refund", "▁my", "▁order", "▁zug", "fund", "▁re", "order", "▁parcel"]
HAN = ["退款", "我要", "▁快递", "包裹", "iPhone手机"]
OTHER = ["возврат", "▁заказ", "こんにちは", "환불"]
SINGLE = [*string.ascii_lowercase, *"ÀéЖあ환我要退款快递包裹", "▁", "😀", ","]
MARKS = ["2024", "!!", "▁—"]


@pytest.fixture
def small_is_large(monkeypatch):
    """A vocabulary of a few pieces counts as large, and two Latin ones as enough."""
    monkeypatch.setattr(vocabulary, "LARGE", 10)
    monkeypatch.setitem(vocabulary._SCRIPTS, "zh", (vocabulary._SCRIPTS["zh"][0], 2))


def unigram() -> Tokenizer:
    """A SentencePiece vocabulary like that of multilingual backbones, most frequent pieces first."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *LATIN, *HAN, *OTHER, *MARKS, *SINGLE, "<mask>"]
    scores = [0.0] * 4 + [-3.0 - 0.1 * i for i in range(len(pieces) - 5)] + [0.0]
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def wordpiece() -> Tokenizer:
    """A BERT vocabulary whose special tokens stand among the pieces."""
    pieces = ["[PAD]", *string.ascii_lowercase, *(f"##{c}" for c in string.ascii_lowercase), "[UNK]", "[CLS]", "[SEP]"]
    pieces += ["refund", "parcel", "re", "##fund", "возврат", "退", "款", "환불"]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    return tokenizer


def cut(tokenizer: Tokenizer, *, language: str = "zh", used: list[int] | None = None) -> tuple[Tokenizer, np.ndarray]:
    content = tokenizer.to_str().encode()
    kept = choose_pieces(content, language=language, used=used or [])
    assert kept is not None
    return Tokenizer.from_str(cut_tokenizer(content, kept).decode()), kept


def pieces_of(tokenizer: Tokenizer, kept: np.ndarray) -> set[str]:
    return {tokenizer.id_to_token(int(i)) for i in kept}


@pytest.mark.usefixtures("small_is_large")
def test_a_chinese_project_keeps_its_script_every_character_and_the_most_frequent_latin_pieces():
    tokenizer = unigram()
    _, kept = cut(tokenizer, used=[tokenizer.token_to_id("▁заказ")])
    gone = {*LATIN[2:], "возврат", "こんにちは", "환불"}
    everything = {*LATIN, *HAN, *OTHER, *MARKS, *SINGLE, "<s>", "<pad>", "</s>", "<unk>", "<mask>"}
    assert pieces_of(tokenizer, kept) == everything - gone


@pytest.mark.usefixtures("small_is_large")
def test_an_english_project_keeps_every_latin_piece():
    tokenizer = unigram()
    assert pieces_of(tokenizer, cut(tokenizer, language="en")[1]).isdisjoint({*HAN, *OTHER})
    assert pieces_of(tokenizer, cut(tokenizer, language="en")[1]) > {*LATIN, *SINGLE, *MARKS}


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("tokenizer", [unigram(), wordpiece()], ids=["unigram", "wordpiece"])
def test_a_text_of_kept_pieces_is_read_as_before(tokenizer):
    small, kept = cut(tokenizer)
    for text in ["我要退款", "refund", "2024!!", "a b c", "款", "", "ж я", "退 款", "😀", "\u3000退款", "𠮷"]:
        before, after = tokenizer.encode(text), small.encode(text)
        if set(before.ids) <= set(kept.tolist()):
            assert after.tokens == before.tokens, text
            assert [int(kept[i]) for i in after.ids] == before.ids, text


@pytest.mark.usefixtures("small_is_large")
def test_a_word_that_lost_its_piece_falls_into_shorter_ones_and_an_unknown_sign_stays_unknown():
    small, _ = cut(unigram())
    assert small.encode("parcel").tokens == ["<s>", "▁", *"parcel", "</s>"]
    assert small.encode("龘").ids[2] == small.token_to_id("<unk>") == 3


@pytest.mark.parametrize("language", ["multi", "zh"])
def test_nothing_is_cut_where_any_language_may_come_or_the_vocabulary_is_small(monkeypatch, language):
    if language == "multi":
        monkeypatch.setattr(vocabulary, "LARGE", 10)
    assert choose_pieces(unigram().to_str().encode(), language=language, used=[]) is None


@pytest.mark.usefixtures("small_is_large")
def test_byte_pairs_and_tokens_behind_the_vocabulary_are_left_alone():
    pairs = Tokenizer(models.BPE({letter: i for i, letter in enumerate(string.printable)}, []))
    assert choose_pieces(pairs.to_str().encode(), language="zh", used=[]) is None
    longer = unigram()
    longer.add_tokens(["<order-number>"])
    assert choose_pieces(longer.to_str().encode(), language="zh", used=[]) is None


@pytest.fixture
def multilingual(tmp_path) -> Backbone:
    """A random encoder on the Unigram vocabulary, whose word table has rows behind the vocabulary as e5's has."""
    from feilun.records import BackboneInfo

    folder = tmp_path / "multilingual"
    folder.mkdir()
    tokenizer = unigram()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_tiny_bert(folder, vocab_size=tokenizer.get_vocab_size() + 7, seed=0)
    info = BackboneInfo(alias="m", fingerprint="f", source="dir:m", licence="MIT", languages=("zh", "en"))
    return Backbone(folder=folder, info=info)


@pytest.mark.usefixtures("small_is_large")
def test_a_pruned_network_says_the_same_of_texts_it_reads_as_before(tmp_path, multilingual):
    whole = read_network(network_of(tmp_path / "train", multilingual), multilingual)
    kept = choose_pieces(whole.tokenizer, language="zh", used=[])
    small = whole.with_pieces(kept)
    texts = ["我要退款", "快递", "2024 !!", "包裹 a b"]
    answers = []
    for name, network in (("whole", whole), ("small", small)):
        path = tmp_path / f"{name}.json"
        path.write_bytes(network.tokenizer)
        graph = build_graph(network.config, network.tensors, pooling="mean", head=network.head)
        answers.append(Encoder(graph.SerializeToString(), path, max_tokens=32).run(texts))
    assert small.tensors["embeddings.word_embeddings.weight"].shape[0] == len(kept) < whole.config.vocab_size
    np.testing.assert_allclose(answers[1][0], answers[0][0], atol=1e-6)
    np.testing.assert_allclose(answers[1][1], answers[0][1], atol=1e-5)


def ship(tmp_path, backbone, **settings):
    tables = settings_of(project={"name": "support", "language": "zh"}, compress=settings, backbone={"max_tokens": 32})
    folder = tmp_path / "bundle"
    result = network_of(tmp_path / "train", backbone)
    report = compress(result, backbone, dataset_of(), tables, task=get_task(tables.task), folder=folder)
    return report, len(json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"])


@pytest.mark.usefixtures("small_is_large")
def test_the_smaller_vocabulary_ships_and_the_report_says_so(tmp_path, multilingual):
    report, n_shipped = ship(tmp_path, multilingual, int8=False, tolerance=0.0)
    assert n_shipped == report.n_pieces < report.n_pieces_all
    assert f"to the {n_shipped:,} of the project" in report.note_en and f"{n_shipped:,} 个" in report.note_zh
    assert report.size_mb < report.float_size_mb
    assert report.max_logit_difference == 0.0  # training texts are the holdout here: all their pieces are kept


@pytest.mark.usefixtures("small_is_large")
def test_all_pieces_ship_when_the_settings_say_all(tmp_path, multilingual):
    report, n_shipped = ship(tmp_path, multilingual, int8=False, vocabulary="all")
    assert report.n_pieces == report.n_pieces_all == n_shipped + 7
    assert report.size_mb == report.float_size_mb
