"""Messages without labels fall into groups that a person can recognise by name and by examples, in both languages."""

from __future__ import annotations

import numpy as np
import pytest

from feilun.feedback import find_groups
from feilun.feedback.cold_start import best_number
from feilun.feedback.errors import TooFewMessages
from feilun.feedback.groups import group_rows
from feilun.feedback.naming import group_names, keywords, pieces

TOPICS = {
    "退款": ["我要退款", "请给我退款", "退款何时到账", "申请退款", "退款到哪里了", "想退款怎么办", "退款失败了"],
    "快递": ["快递到哪里了", "我的快递还没到", "快递太慢了", "催一下快递", "快递丢了", "快递员没来", "快递破损"],
    "refund": [
        "i want a refund",
        "refund please",
        "refund my order",
        "where is my refund",
        "a refund now",
        "refund it",
    ],
}


def corpus(*topics: str, n: int = 10) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Messages of the topics, each in n variants; embeddings are noisy corners, one a topic."""
    texts = [f"{text} {i}" for topic in topics for text in TOPICS[topic] for i in range(n)]
    of = np.array([t for t, topic in enumerate(topics) for _ in TOPICS[topic] for _ in range(n)])
    rows = np.eye(12)[of] + 0.12 * np.random.default_rng(0).standard_normal((len(of), 12))
    return texts, of, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_topics_become_groups_named_by_what_sets_them_apart():
    texts, of, embeddings = corpus("退款", "快递", "refund")
    found = find_groups(texts, embeddings, n_groups=3)
    assert sorted(group.label.split()[0] for group in found.groups) == ["refund", "快递", "退款"]
    assert sum(group.n_messages for group in found.groups) == len(texts)
    for group in found.groups:
        members = {texts[i] for i in np.flatnonzero(found.of == group.number - 1)}
        assert len({of[texts.index(text)] for text in members}) == 1
        assert set(group.examples) <= members and len(set(group.examples)) == 5
    assert found.separation > 0.5


def test_the_number_of_groups_is_found():
    rng = np.random.default_rng(1)
    rows = np.repeat(np.eye(16)[:10], 60, axis=0) + 0.1 * rng.standard_normal((600, 16))
    assert best_number((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)) == 10


@pytest.mark.parametrize(("n_texts", "n_groups", "least"), [(19, None, 20), (39, 20, 40), (0, None, 20)])
def test_too_few_messages_are_refused_with_how_many_are_needed(n_texts, n_groups, least):
    with pytest.raises(TooFewMessages) as caught:
        find_groups([f"m {i}" for i in range(n_texts)], np.zeros((n_texts, 4)), n_groups=n_groups)
    assert caught.value.fields == {"n_messages": n_texts, "least": least}


def test_equal_embeddings_make_one_group_not_an_error():
    groups = group_rows(np.ones((30, 4), np.float32) / 2, 5)
    assert (groups.n, groups.of.tolist()) == (1, [0] * 30)
    assert [group.label for group in find_groups(["你好"] * 30, np.ones((30, 4), np.float32) / 2).groups] == ["group 1"]


def test_groups_come_largest_first_and_every_row_is_in_one():
    _, _, embeddings = corpus("退款", "快递", "refund")
    groups = group_rows(embeddings, 12)
    sizes = [len(rows) for rows in groups.members()]
    assert sizes == sorted(sizes, reverse=True)
    assert sorted(np.concatenate(groups.members())) == list(range(len(embeddings)))


def test_chinese_pieces_are_units_between_common_words_and_english_ones_words_and_pairs():
    assert list(pieces("请问我的退款到哪里了")) == ["退款"]
    assert list(pieces("Where is my lost card?")) == ["lost", "card", "lost card"]
    assert list(pieces("ＡＰＰ登录不了 how to log in")) == ["app", "log", "登录"]
    assert list(pieces("！？ 123 🙂")) == []


def test_a_slice_of_a_longer_piece_is_no_keyword():
    texts = ["信用卡丢了", "信用卡被吞", "信用卡挂失", "借记卡余额", "余额查询", "查余额"]
    found = keywords(texts, np.array([0, 0, 0, 1, 1, 1]), n_groups=2)
    assert found[0][0] == "信用卡" and "用卡" not in found[0]
    assert found[1][0] == "余额"


def test_names_are_all_different_and_never_empty():
    assert group_names([["card", "lost"], ["card", "lost"], [], ["card", "lost", "atm"]], fallback="分组") == [
        "card lost",
        "card lost 2",
        "分组 3",
        "card lost atm",
    ]
