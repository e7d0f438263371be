"""What every room's tests share: backbones, a cache of their own, and a watch on pickles."""

from __future__ import annotations

import hashlib
import json
import os
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from feilun.records import Backbone, BackboneInfo
from tests.postgres import Postgres, find_binaries

settings.register_profile("feilun", deadline=None, derandomize=True, database=None)  # timings never decide a test
settings.load_profile("feilun")

TINY = {"n_layers": 2, "n_hidden": 32, "n_heads": 4, "n_ffn": 64, "max_positions": 512}
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# ---------------------------------------------------------------------------------------------------- pickles

_LOADERS = {"pickle", "numpy", "torch", "joblib", "pandas", "sklearn", "shelve", "copyreg"}
_unpickled_by_feilun: list[str] = []


def _asker() -> str:
    """The module that asked for the unpickling: the nearest frame outside the libraries that do it for others."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in _LOADERS:
            return module
        frame = frame.f_back
    return ""


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "pickle.find_class" and _asker().partition(".")[0] == "feilun":
        _unpickled_by_feilun.append(f"{args[0]}.{args[1]} unpickled by {_asker()}")
        raise AssertionError(_unpickled_by_feilun[-1])


sys.addaudithook(_watch)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys first, in whatever order: at the end of a run with several workers one long test would keep them all."""
    items.sort(key=lambda item: item.get_closest_marker("journey") is None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Feilun code that unpickles fails the whole run, even where a test swallowed the error."""
    if _unpickled_by_feilun:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in dict.fromkeys(_unpickled_by_feilun):
        terminalreporter.write_line(f"NEVER PICKLE: {line}", red=True)


# -------------------------------------------------------------------------------------------------- databases


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for this run. Without its programs tests are skipped, unless FEILUN_TEST_POSTGRES is `required`."""
    binaries = find_binaries()
    if binaries is None:
        assert os.environ.get("FEILUN_TEST_POSTGRES") != "required", "no initdb: install the package postgresql"
        pytest.skip("PostgreSQL is not installed: no initdb on PATH or in /usr/lib/postgresql")
    server = Postgres(binaries)
    yield server
    server.end()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database of the test's own."""
    url = postgres.take_database()
    yield url
    postgres.give_back(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """[store] url of an empty database, of either kind: the file in the workspace, or one on PostgreSQL."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


# -------------------------------------------------------------------------------------------------- backbones


@pytest.fixture(scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feilun-home")


@pytest.fixture(autouse=True)
def _model_cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _own_home: Path) -> None:
    """Tests keep out of the user's model cache, unless they are marked `backbone` and so need what is in it."""
    if request.node.get_closest_marker("backbone") is None:
        monkeypatch.setenv("FEILUN_HOME", str(_own_home))


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """A random BERT of 2 layers and 32 hidden units that reads Chinese by character and English by letter or word."""
    return _write_tiny(tmp_path_factory.mktemp("tiny"), "tiny", family="bert")


@pytest.fixture(scope="session")
def tiny_mpnet(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """As `tiny_backbone`, of a family that scores tokens by their distance too."""
    return _write_tiny(tmp_path_factory.mktemp("tiny-mpnet"), "tiny-mpnet", family="mpnet")


def _write_tiny(folder: Path, alias: str, *, family: str) -> Backbone:
    vocab = _tiny_vocab()
    write_tiny_tokenizer(folder, vocab)
    write_tiny_bert(folder, vocab_size=len(vocab), seed=0, family=family)
    return Backbone(
        folder=folder,
        info=BackboneInfo(
            alias=alias,
            fingerprint=_fingerprint(folder),
            source=f"dir:{folder}",
            licence="Apache-2.0",
            languages=("en", "zh"),
        ),
    )


def write_tiny_bert(folder: Path, *, vocab_size: int, seed: int, family: str = "bert") -> None:
    """config.json and random model.safetensors of a tiny encoder; loud enough weights that every part shows.

    MPNet's has the names and the table of scores by distance that MPNet's files have, and no token types.
    """
    from safetensors.numpy import save_file

    from feilun.models.mpnet import mpnet_name

    rng = np.random.default_rng(seed)
    width, wide, offset = TINY["n_hidden"], TINY["n_ffn"], 0 if family == "bert" else 2
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocab_size, width),
        "embeddings.position_embeddings.weight": (TINY["max_positions"] + offset, width),
        "embeddings.token_type_embeddings.weight": (2 if family == "bert" else 1, width),
        "embeddings.LayerNorm": (width,),
    }
    for layer in range(TINY["n_layers"]):
        prefix = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{prefix}.attention.{part}.weight"] = (width, width)
            shapes[f"{prefix}.attention.{part}.bias"] = (width,)
        shapes[f"{prefix}.intermediate.dense.weight"] = (wide, width)
        shapes[f"{prefix}.intermediate.dense.bias"] = (wide,)
        shapes[f"{prefix}.output.dense.weight"] = (width, wide)
        shapes[f"{prefix}.output.dense.bias"] = (width,)
        shapes[f"{prefix}.attention.output.LayerNorm"] = shapes[f"{prefix}.output.LayerNorm"] = (width,)
    tensors: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        if name.endswith("LayerNorm"):
            tensors[f"{name}.weight"] = 1 + 0.1 * rng.standard_normal(shape, dtype=np.float32)
            tensors[f"{name}.bias"] = 0.1 * rng.standard_normal(shape, dtype=np.float32)
        else:
            scale = 0.02 if "position" in name or "token_type" in name else 0.1
            tensors[name] = scale * rng.standard_normal(shape, dtype=np.float32)
    if family == "mpnet":
        del tensors["embeddings.token_type_embeddings.weight"]
        tensors = {mpnet_name(name): tensor for name, tensor in tensors.items()}
        by_distance = rng.standard_normal((32, TINY["n_heads"]), dtype=np.float32)
        tensors["encoder.relative_attention_bias.weight"] = by_distance
    save_file(tensors, folder / "model.safetensors")
    config = {
        "model_type": family,
        "hidden_size": width,
        "num_hidden_layers": TINY["n_layers"],
        "num_attention_heads": TINY["n_heads"],
        "intermediate_size": wide,
        "vocab_size": vocab_size,
        "max_position_embeddings": TINY["max_positions"] + offset,
        "type_vocab_size": 2 if family == "bert" else 1,
        "pad_token_id": 0 if family == "bert" else 1,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


def write_tiny_tokenizer(folder: Path, vocab: dict[str, int]) -> None:
    """tokenizer.json of a WordPiece tokenizer that splits Chinese characters, as BERT's does."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def _tiny_vocab() -> dict[str, int]:
    """Special tokens, letters (whole words fall apart into them), digits, punctuation and every common 汉字."""
    letters = string.ascii_lowercase + string.digits
    pieces = [*_SPECIAL, *letters, *(f"##{c}" for c in letters), *string.punctuation, *",。?!、:;"]
    pieces += [
        "i",
        "my",
        "the",
        "is",
        "where",
        "refund",
        "parcel",
        "order",
        "card",
        "cancel",
        "delivery",
        "thanks",
        "late",
    ]
    pieces += [chr(code) for code in range(0x4E00, 0x9FA6)]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def _fingerprint(folder: Path) -> str:
    """As the model cache computes it: the hash of the sorted "name sha256" lines."""
    lines = [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sorted(folder.iterdir())]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


@pytest.fixture(scope="session")
def english_backbone() -> Iterator[Backbone]:
    """The English default; pulled when it is not in the cache. For tests marked `backbone`."""
    yield _default_backbone("en")


@pytest.fixture(scope="session")
def chinese_backbone() -> Iterator[Backbone]:
    """The Chinese and multilingual default; pulled when it is not in the cache. For tests marked `backbone`."""
    yield _default_backbone("zh")


def _default_backbone(language: str) -> Backbone:
    from feilun.models import pull, resolve
    from feilun.models.errors import ModelMissing

    try:
        return resolve("", language=language)
    except ModelMissing:
        return pull("", language=language)
