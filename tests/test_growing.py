"""What is shown of a reply while it grows is the beginning of what is read from the whole, whatever follows."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selfroute.growing import GrowingReply
from selfroute.replies import MARKER, Unreadable, decided, declines, read_reply

LONG = "The harbour master is Olof Berg, who has held the post since 1998 and lives by the old quay in Norrvik"
HEAD = '{"answerable": true, "answer": "'
SHARDS = [
    *(
        *"{}\"'\\\n\t \0<,:._#",
        "\\n",
        "\\u",
        "\\ud83d",
        "\\ude00",
        "\\u00e9",
        "\\alpha",
        "\\frac",
        "\\nu",
        "\\b",
        "\\/",
    ),
    *("<|", "<|end|>", "<|return|>", "<|channel|>final<|message|>", "```", "\n```\n", "~~~\n", "```json\n", "**"),
    *("<think>", "</think>", "<thinking>", "</thinking>", "`</think>`", "...", " - ", "\u3002", "\uff0c"),
    *(
        '"answerable": true, ',
        '"answerable": false, ',
        '"answer": "',
        '"Answer": "',
        '", "quotes": []}',
        '"quotes": ["',
    ),
    *(HEAD, "{'answerable': True, 'answer': '", '{"answer": "', "No, ", "no", "true", "null", "1", "Here it is:\n"),
    *(f"{MARKER}", f"{MARKER}.", "Sorry. ", "I'm sorry, but ", "The question is ", "cannot be answered", "because"),
    *("Answer: ", "Antwort:", "Die Frage kann ", "nicht beantwortet werden", "根据文本", "无法回答", "no answer"),
    *(LONG, "Olof Berg", "e\u0301", "\ud800", "\U0001f600", "\ufdfa", "\u00a8", "\u1112\u1161"),
]
shards = st.lists(st.one_of(st.sampled_from(SHARDS), st.text(max_size=5)), max_size=14).map("".join)
behind_a_head = st.tuples(
    st.sampled_from([HEAD, "```json\n" + HEAD, f"<think>so</think>{HEAD}", LONG, LONG + ". "]), shards
)
replies = st.one_of(shards, behind_a_head.map("".join))


@given(replies, st.lists(st.integers(1, 9), max_size=40), st.booleans(), st.booleans())
@example("\n".join(["Answer", ": " + MARKER]), [7], False, False)
@example(HEAD + "No, the pilot", [], True, False)
@example(HEAD + 'a\\"b \\x', [], True, False)
@example(HEAD + "see \\frac{1}{\\alpha}", [], True, False)
@example(HEAD + 'Berg", "Answer": "Nils"}', [], True, False)
@example(HEAD + "\\ud83d\\ude00", [1], True, False)
@example("```json\n" + HEAD + "Berg\n```", [], True, False)
@example(HEAD + 'Berg"}\n</think>\nBerg', [], True, False)
@example("assistantfinal" + LONG + ". </think>" + MARKER, [], False, True)
@example("analysisWe know: " + LONG + ". So.assistantfinal" + MARKER, [9] * 40, False, False)
@example(HEAD + "Berg <|end|>", [1], True, False)
def test_what_is_shown_begins_what_is_read_however_a_reply_is_cut(
    reply: str, sizes: list[int], structured: bool, thinks: bool
) -> None:
    growing = GrowingReply(structured=structured, thinks=thinks)
    shown = "".join(growing.add(piece) for piece in pieces(reply, sizes))
    assert shown == growing.shown
    try:
        read = read_reply(reply, structured=structured)
    except Unreadable:
        assert not shown or "</think" in reply.lower()  # it goes on as thoughts, and ends as an error
        return
    if not structured and not thinks and "</think" in reply.lower():
        return  # thoughts that nothing announced: the reader refuses such a reply
    assert not (shown and read.declined)
    assert (read.answer or "").startswith(shown)


@given(st.text(), st.text(), st.lists(st.integers(1, 9), max_size=40), st.booleans())
def test_an_answer_in_sound_json_is_shown_but_for_white_space_and_odd_escapes(
    answer: str, quote: str, sizes: list[int], ascii_only: bool
) -> None:
    answer = "".join(c for c in answer if c.isprintable()).replace("<|", "")
    text = json.dumps({"answerable": True, "answer": answer, "quotes": [quote]}, ensure_ascii=ascii_only)
    assert shown_of(text, sizes, structured=True) == answer.strip()


def test_an_answer_is_shown_as_it_is_made() -> None:
    growing = GrowingReply(structured=True)
    parts = [HEAD[:9], HEAD[9:], " Olof", " Berg", " \\", "n", "yes\\u00", "e9 ", '", "quotes": ["x"]}']
    assert [growing.add(part) for part in parts] == ["", "", "Olof", " Berg", "", "", " \nyes", "\u00e9", ""]


def test_plain_text_is_shown_once_it_can_be_no_decline() -> None:
    growing = GrowingReply(structured=False)
    assert [growing.add(part) for part in (LONG[:40], LONG[40:70])] == ["", ""]
    assert growing.add(LONG[70:] + ". ") == LONG + "."
    assert growing.add("He lives") == " He lives"
    assert growing.add(" <|end|>") == ""


@pytest.mark.parametrize(
    "reply",
    [
        '{"answerable": false, "answer": "perhaps Berg", "quotes": []}',
        '{"answer": "Berg", "answerable": true}',
        '{"answerable": "yes", "answer": "Berg"}',
        "{'answerable': True, 'answer': 'Berg'}",
        '{"quotes": ["\\"answerable\\": true, \\"answer\\": \\"x"], "answerable": true, "answer": "Berg"}',
        LONG,
        f"The text says: {HEAD}Berg",
    ],
)
def test_nothing_of_a_structured_reply_is_shown_unless_it_begins_as_it_was_asked_for(reply: str) -> None:
    assert shown_of(reply, [1] * len(reply), structured=True) == ""


@pytest.mark.parametrize(
    "thoughts",
    [
        "<think>Who? " + LONG + "</think>",
        "<think>{ a }</think>\n<thinking>" + LONG + "</thinking>\n",
        LONG + "\n</think>\n",
        "<|channel|>analysis<|message|>" + LONG + "<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
)
def test_thoughts_are_never_shown_and_what_follows_them_is(thoughts: str) -> None:
    for body in (HEAD + LONG + '"}', "```json\n" + HEAD + LONG + '"}\n```'):
        assert shown_of(thoughts + body, [3] * 400, structured=True) == LONG
    thinks = "</think" in thoughts  # in channels it could think on behind any tag
    assert shown_of(thoughts + LONG + ". Yes", [3] * 400, structured=False, thinks=thinks) == LONG + ". Yes"


def test_a_model_that_thinks_without_a_mark_shows_no_plain_text_before_its_thoughts_end() -> None:
    assert shown_of(LONG + ". " + LONG, [3] * 400, structured=False, thinks=True) == ""


@pytest.mark.parametrize("lead", ["", "Answer: ", "```json\n", "**", "~~~\n"])
def test_json_that_nobody_asked_for_is_not_shown(lead: str) -> None:
    assert shown_of(lead + HEAD + LONG + '"}', [5] * 100, structured=False) == ""


@given(shards, shards)
def test_what_is_decided_to_be_an_answer_stays_one(begun: str, more: str) -> None:
    if decided(begun):
        assert not declines(begun + more)


@given(
    st.sampled_from(["", "Answer: ", "**", '"', "I am sorry, but ", "Unfortunately, ", "Sorry. "]),
    st.sampled_from(["your question is ", "The answer is: ", "It is ", ""]),
    st.sampled_from([MARKER, "$\\boxed{\\text{not answerable}}$", "The question cannot be answered"]),
    st.sampled_from(["", ".", " based on the text", ', because of this: "x"', " - " + LONG]),
    st.integers(0, 200),
)
def test_nothing_of_a_decline_is_shown_however_it_is_worded(
    sorry: str, lead: str, marker: str, reason: str, spaces: int
) -> None:
    reply = sorry + lead + " " * spaces + marker + reason
    if declines(reply):
        assert shown_of(reply, [1] * len(reply), structured=False) == ""


@pytest.mark.slow
def test_a_long_reply_takes_no_more_than_its_length() -> None:
    began = time.process_time()
    thoughts = "<think>" + "if (a) { b } else { c }\n" * 4000 + "</think>"
    for reply, structured in (
        (thoughts + HEAD + LONG * 300 + '"}', True),
        (thoughts + LONG * 300, False),
        ("{" + "\n" * 10_000, True),
        ("{ a: " * 10_000, False),
        (" " * 10_000, False),
    ):
        shown_of(reply, [4] * len(reply), structured=structured)
    assert time.process_time() - began < 20


def pieces(text: str, sizes: list[int]) -> list[str]:
    """`text` cut into pieces of these sizes, and what is left."""
    cut = []
    for size in sizes:
        cut.append(text[:size])
        text = text[size:]
    return [piece for piece in (*cut, text) if piece]


def shown_of(reply: str, sizes: list[int], *, structured: bool, thinks: bool = False) -> str:
    growing = GrowingReply(structured=structured, thinks=thinks)
    for piece in pieces(reply, sizes):
        growing.add(piece)
    return growing.shown
