"""What a text words of an answer is weak evidence for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.routing.wording import STRETCH, worded, words

FILLER = " ".join(f"filler{n}" for n in range(400))
TEXT = f"{FILLER} Net revenue rose to 1,204 million dollars in Norway. {FILLER}"


def test_the_stretch_that_holds_an_answers_words_is_found() -> None:
    found = worded("Revenue was 1204 million dollars.", "What was it in 2023?", ["Nothing here.", TEXT])
    assert found is not None
    assert (found.share, found.text) == (pytest.approx(1.0), 1)
    assert "1,204 million" in TEXT[found.start : found.end]
    assert len(TEXT[found.start : found.end].split()) == STRETCH


def test_words_that_stand_far_apart_are_not_worded_together() -> None:
    apart = f"Revenue. {FILLER} 1204 million dollars."
    found = worded("Revenue was 1204 million dollars.", "What was it?", [apart])
    assert found is not None
    assert found.share < 1


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    text = " ".join(f"boat {FILLER}" for _ in range(5)) + " Berg"
    shares = [worded(answer, "", [text]) for answer in ("Berg elsewhere", "boat elsewhere")]
    assert shares[0] is not None
    assert shares[1] is not None
    assert shares[0].share > shares[1].share


@pytest.mark.parametrize(
    ("answer", "question", "texts"),
    [("the", "", ["the text"]), ("revenue", "What revenue?", [TEXT]), ("revenue", "", []), ("revenue", "", ["", "!"])],
)
def test_nothing_is_worded_without_words_of_the_answers_own_or_without_text(
    answer: str, question: str, texts: list[str]
) -> None:
    assert worded(answer, question, texts) is None


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_a_share_is_one_and_its_place_is_in_the_text(answer: str, question: str, texts: list[str]) -> None:
    found = worded(answer, question, texts)
    if found is not None:
        assert 0 <= found.share <= 1 + 1e-9
        assert 0 <= found.start < found.end <= len(texts[found.text].lower())
        assert words(answer)
