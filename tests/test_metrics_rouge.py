"""ROUGE-L by hand, by invariants, and by a slow reading of its definition, recursion included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.metrics.rouge import SMALL, rouge_l, rouge_lsum

words = st.lists(st.sampled_from(["a", "b", "c", "D", "ship", "quay"]), max_size=8).map(" ".join)
texts = st.lists(st.tuples(words, st.sampled_from(["", ".", ". ", "..", "\n", " . "])), max_size=5).map(
    lambda parts: "".join(part + end for part, end in parts)
)


def f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall + SMALL)


@pytest.mark.parametrize(
    ("prediction", "reference", "score"),
    [
        ("the cat sat", "the cat sat", f(1, 1)),
        ("the cat sat", "the dog sat", f(2 / 3, 2 / 3)),  # the, sat
        ("cat the", "the cat", f(1 / 2, 1 / 2)),  # only one of the two is in order
        ("word word word", "word other", f(1 / 1, 1 / 2)),  # different words are counted, not words
        ("a b. c d", "a b c d", f(4 / 4, 4 / 4)),  # the union over sentences: a b, then c d
        ("b a. d c", "a b c d", f(2 / 4, 2 / 4)),  # one of each sentence
        ("The cat", "the cat", f(1 / 2, 1 / 2)),  # letter case counts
        ("the cat,", "the cat", f(1 / 2, 1 / 2)),  # so does punctuation
        ("$1.50", "$1.75", f(1 / 2, 1 / 2)),  # a decimal point ends a sentence: $1 / 50 and $1 / 75
    ],
)
def test_rouge_l_is_f_over_the_union_of_common_subsequences(prediction: str, reference: str, score: float) -> None:
    assert rouge_l(prediction, reference) == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("empty", ["", ".", "..."])
def test_a_side_without_sentences_scores_0(empty: str) -> None:
    assert rouge_l(empty, "a b c.") == rouge_l("a b c.", empty) == rouge_l(empty, empty) == 0


def test_strict_counts_a_blank_piece_as_a_word_and_fixed_does_not() -> None:
    # "a b. " is, to the package, the sentences [a b] and [], the latter one empty word
    assert rouge_l("a b. ", "a b") == pytest.approx(f(2 / 3, 2 / 2), abs=1e-12)
    assert rouge_l("a b. ", "a b", "fixed") == pytest.approx(f(2 / 2, 2 / 2), abs=1e-12)
    assert rouge_l(" ", "a b. ") == pytest.approx(f(1 / 1, 1 / 3), abs=1e-12)
    assert rouge_l(" ", "a b. ", "fixed") == 0


def test_long_texts_without_a_full_stop_have_a_score() -> None:
    prediction, reference = "word " * 5_000, "word other " * 5_000
    assert rouge_l(prediction, reference) == pytest.approx(f(1 / 1, 1 / 2), abs=1e-12)
    with pytest.raises(RecursionError):
        slow_rouge_l("no " * 2_000, "word")


@given(texts, texts)
def test_rouge_l_equals_its_slow_definition(prediction: str, reference: str) -> None:
    assert rouge_l(prediction, reference) == slow_rouge_l(prediction, reference)


@pytest.mark.parametrize("mode", ["strict", "fixed"])
@given(prediction=texts, reference=texts)
def test_rouge_l_is_bounded(mode: str, prediction: str, reference: str) -> None:
    assert 0 <= rouge_l(prediction, reference, "fixed" if mode == "fixed" else "strict") <= 1


@given(texts.filter(lambda text: text.replace(".", " ").split()))
def test_a_text_is_all_but_1_against_itself(text: str) -> None:
    assert rouge_l(text, text, "fixed") == pytest.approx(1, abs=1e-8)


@given(texts)
def test_the_modes_agree_where_no_piece_is_blank(text: str) -> None:
    plain = ".".join(piece for piece in text.split(".") if piece.split())
    assert rouge_l(plain, "a b. ship") == rouge_l(plain, "a b. ship", "fixed")


@pytest.mark.parametrize(
    ("prediction", "reference", "score"),
    [
        ("The ship left.", "the ship-left", 1.0),  # lower case, punctuation parts words
        ("ship ship", "ship", 2 * (1 / 2) * 1 / (1 / 2 + 1)),  # words are counted, each once a side
        ("a b c", "a b\nb c", 2 * 1 * (3 / 4) / (1 + 3 / 4)),  # a b, then b c, but b is hit once: 3 of 3, 3 of 4
        ("b a", "a b", 1 / 2),
        ("b a\na", "a b", 2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2)),  # of b and a, as long, the first line hits a
        ("", "a", 0.0),
        ("?", "a", 0.0),
        ("é", "a", 0.0),
    ],
)
def test_rouge_lsum_counts_hits_over_lines(prediction: str, reference: str, score: float) -> None:
    assert rouge_lsum(prediction, reference) == pytest.approx(score, abs=1e-12)


@given(texts, texts)
def test_rouge_lsum_is_bounded_and_1_for_itself(one: str, other: str) -> None:
    assert 0 <= rouge_lsum(one, other) <= 1
    assert rouge_lsum(one, one) == pytest.approx(1.0 if one.replace(".", " ").split() else 0.0)


def slow_rouge_l(prediction: str, reference: str) -> float:
    """As the `rouge` package does it: a table for each pair of sentences, read backwards by recursion."""
    said, wanted = _split(prediction), _split(reference)
    if not said or not wanted:
        return 0.0
    union = {word for one in wanted for other in said for word in _recursive(one, other)}
    precision = len(union) / len({word for sentence in said for word in sentence})
    recall = len(union) / len({word for sentence in wanted for word in sentence})
    return 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def _split(text: str) -> list[list[str]]:
    return [" ".join(sentence.split()).split(" ") for sentence in text.split(".") if len(sentence) > 0]


def _recursive(x: list[str], y: list[str]) -> list[str]:
    table = {(i, j): 0 for i in range(len(x) + 1) for j in range(len(y) + 1)}
    for i in range(1, len(x) + 1):
        for j in range(1, len(y) + 1):
            same = x[i - 1] == y[j - 1]
            table[i, j] = table[i - 1, j - 1] + 1 if same else max(table[i - 1, j], table[i, j - 1])

    def back(i: int, j: int) -> list[str]:
        if i == 0 or j == 0:
            return []
        if x[i - 1] == y[j - 1]:
            return [*back(i - 1, j - 1), x[i - 1]]
        return back(i - 1, j) if table[i - 1, j] > table[i, j - 1] else back(i, j - 1)

    return back(len(x), len(y))
