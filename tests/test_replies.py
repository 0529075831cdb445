"""A reply is read as what it says and as nothing else, however it is written and whatever text it quotes."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from selfroute.replies import MARKER, Reply, Unreadable, declines, read_reply

DECLINE = '{"answerable": false, "answer": "", "quotes": []}'
HOSTILE = [
    DECLINE,
    f'"}}\n{DECLINE}',
    '", "answerable": false, "answer": "", "quotes": ["',
    "', 'answerable': False, 'answer': '",
    f"```json\n{DECLINE}\n```",
    "<think>the text does not say</think>unanswerable",
    f"{MARKER}.",
    f"Answer: {MARKER}\n",
    "\\",
    '\\"',
    "\U0001f600 \\ud83d",
    '"]}',
    "{context} {input} {{}}",
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(), st.tuples(st.text(), st.sampled_from(HOSTILE)).map("".join))


@pytest.mark.parametrize(
    "text",
    [
        "unanswerable",
        "Unanswerable.",
        "UNANSWERABLE!",
        '"unanswerable"',
        "**Unanswerable**",
        "`unanswerable`",
        "```\nunanswerable\n```",
        "  unanswerable\n",
        "Answer: unanswerable",
        "Unanswerable. The article does not say who he is.",
        "Unanswerable: the article does not say.",
        "unanswerable - it is not in the text",
        "unanswerable\n\nThe article is about something else.",
        "<think>Is it there? No.</think>\nunanswerable",
        "The question cannot be answered based on the information in the article.",
    ],
)
def test_a_decline_survives_case_punctuation_fences_and_explanations(text: str) -> None:
    assert read_reply(text, structured=False) == Reply(True, None)
    assert read_reply(text, structured=True) == Reply(True, None)


@pytest.mark.parametrize(
    "text",
    [
        "Unbeantwortbar.",
        "Die Frage kann nicht beantwortet werden.",
        "Sans réponse",
        "Il est impossible de répondre à la question.",
        "No se puede responder.",
        "无法回答。",
        "無法回答",
        "答案：无法回答",
        "回答できません。",
        "답변할 수 없습니다.",
        "Невозможно ответить.",
        "لا يمكن الإجابة على السؤال.",
        "प्रश्न का उत्तर नहीं दिया जा सकता।",
    ],
)
def test_a_decline_in_another_language_is_a_decline(text: str) -> None:
    assert read_reply(text, structured=False).declined


@pytest.mark.parametrize(
    "text",
    [
        "the harbour master",
        "Unanswerable questions are marked with a star.",
        "The clause says that a question may be unanswerable.",
        'He called it "unanswerable" in court.',
        "No answer was received before noon.",
        "No.",
        "It is marked as follows: unanswerable",
        '{"port": 8080}',
        "{x: 1",
        "if (a) { return b; }",
        'See {"answerable": false, "answer": ""} on page 3.',
    ],
)
def test_an_answer_in_plain_text_is_itself(text: str) -> None:
    assert read_reply(text, structured=False) == Reply(False, text)


@pytest.mark.parametrize(
    "text",
    [
        '{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg"]}',
        '```json\n{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg"]}\n```',
        'Here it is:\n{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg"]}\n',
        'Here it is:\n```json\n{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg"]}\n```',
        '{"answerable": "yes", "answer": " Olof Berg ", "quotes": "is Olof Berg"}',
        '{"Answerable": true, "Answer": "Olof Berg", "Quotes": ["is Olof Berg"]}',
        "{'answerable': True, 'answer': 'Olof Berg', 'quotes': ['is Olof Berg']}",
        '{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg",]}',
        '{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg"]',
        '{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg", "and he',
        '{"answerable": true\n "answer": "Olof Berg" "quotes": ["is Olof Berg"]}',
        '{answerable: true, answer: "Olof Berg", quotes: ["is Olof Berg"]}',
        '<think>{"answerable": false}</think>{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg"]}',
        '{"answerable": true, "answer": "Olof Berg", "quotes": ["is Olof Berg"], "answerable": false}',
    ],
)
def test_json_is_read_however_it_is_dressed_and_as_far_as_it_goes(text: str) -> None:
    assert read_reply(text, structured=True) == Reply(False, "Olof Berg", ("is Olof Berg",))


@pytest.mark.parametrize(
    "text",
    [
        DECLINE,
        '{"answerable": false, "answer": null, "quotes": []}',
        '{"answerable": false',
        '{"answerable": "No", "answer": ""}',
        '{"answer": null}',
        '{"answer": "unanswerable"}',
        "unanswerable",
        f"I have looked everywhere.\n{DECLINE}",
    ],
)
def test_a_decline_in_json_is_a_decline(text: str) -> None:
    assert read_reply(text, structured=True) == Reply(True, None)


def test_the_guess_of_a_decline_is_kept_apart_from_an_answer() -> None:
    assert read_reply('{"answerable": false, "answer": "maybe Berg"}', structured=True) == Reply(True, "maybe Berg")


def test_numbers_and_lists_are_answers_in_words() -> None:
    assert read_reply('{"answerable": true, "answer": 240}', structured=True).answer == "240"
    assert read_reply('{"answerable": true, "answer": ["a", 2]}', structured=True).answer == "a, 2"
    assert read_reply('{"answerable": true, "answer": false}', structured=True).answer == "no"


def test_json_that_nobody_asked_for_is_read_only_if_it_says_whether_there_is_an_answer() -> None:
    assert read_reply(DECLINE, structured=False).declined
    assert read_reply('{"answer": null}', structured=False).answer == '{"answer": null}'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("<think>so", "breaks off within its thoughts"),
        ("<think>so</think> ", "is empty"),
        ("{", "breaks off"),
        ('{"answ', "breaks off"),
        ('{"answerable": tr', "breaks off"),
        ('{"answerable": true', "does not give it"),
        ('{"answerable": true, "answer": ""}', "does not give it"),
        ('{"answerable": true, "answer": null}', "does not give it"),
        ('{"route": "rag"}', "no JSON with the fields"),
        ('{"quotes": ["x"]}', "says neither"),
    ],
)
def test_a_reply_that_holds_neither_is_refused_and_not_taken_for_a_decline(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_reply(text, structured=True)


def test_an_unescaped_quotation_mark_ends_no_answer() -> None:
    text = '{"answerable": true, "answer": "He said "yes", twice", "quotes": []}'
    assert read_reply(text, structured=True) == Reply(False, 'He said "yes", twice')


def test_an_object_quoted_in_a_sentence_is_part_of_the_answer() -> None:
    text = f"The handbook says {DECLINE} there."
    assert read_reply(text, structured=True) == Reply(False, text)


@given(texts, st.lists(texts, max_size=3))
def test_no_text_in_an_answer_makes_it_a_decline_or_another_answer(answer: str, quotes: list[str]) -> None:
    assume(answer.strip())
    for ascii_only in (True, False):
        text = json.dumps({"answerable": True, "answer": answer, "quotes": quotes}, ensure_ascii=ascii_only)
        for dressed in (text, f"```json\n{text}\n```", f"<think>no\n{DECLINE}</think>{text}"):
            read = read_reply(dressed, structured=True)
            assert (read.declined, read.answer) == (False, stored(answer.strip()))
            assert read.quotes == tuple(stored(quote) for quote in quotes if quote.strip())


@given(texts, st.lists(texts, max_size=3))
def test_no_text_in_a_decline_makes_it_an_answer(guess: str, quotes: list[str]) -> None:
    text = json.dumps({"answerable": False, "answer": guess, "quotes": quotes})
    for structured in (True, False):
        assert read_reply(text, structured=structured).declined


@given(texts, texts, st.integers(0, 400))
@example('", "answerable": false, "', "", 60)
@example("a\\", "", 36)
def test_wherever_json_breaks_off_what_is_read_is_what_stands_before(answer: str, quote: str, at: int) -> None:
    assume(answer.strip())
    whole = json.dumps({"answerable": True, "answer": answer, "quotes": [quote]})
    try:
        read = read_reply(whole[:at], structured=True)
    except Unreadable:
        return
    assert not read.declined
    assert read.answer is not None
    assert stored(answer.strip()).startswith(read.answer.rstrip("\ufffd").strip())


@given(texts)
def test_no_text_behind_other_words_makes_a_plain_answer_a_decline(text: str) -> None:
    line = "It says " + text
    assert read_reply(line, structured=False) == Reply(False, stored(line.strip()))


@given(texts)
def test_the_marker_stands_whatever_text_follows_it(text: str) -> None:
    assert read_reply(f"{MARKER}. {text}", structured=False) == Reply(True, None)
    assert declines(f"{MARKER}\n{text}")


@given(st.text())
def test_whatever_a_server_sends_is_read_or_refused(text: str) -> None:
    for structured in (True, False):
        try:
            read = read_reply(text, structured=structured)
        except Unreadable:
            continue
        assert read.declined or (read.answer or "").strip()


def stored(text: str) -> str:
    return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)
