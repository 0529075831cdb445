"""What clients say, as a question of ours: pairs of a conversation, and requests that ask for nothing more."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from selfroute.errors import BadInput, ModelNotFound, UnsupportedParameter
from selfroute.server.openai_wire import ChatSent, Message, ResponseSent, conversation
from selfroute.types import Turn
from selfroute.wire import DECLINED

pytestmark = pytest.mark.end_to_end


def said(*pairs: tuple[str, Any]) -> list[Message]:
    return [Message.model_validate({"role": role, "content": content}) for role, content in pairs]


def test_what_was_asked_and_answered_becomes_turns_and_the_last_message_the_question() -> None:
    talk = conversation(said(("user", "Who?"), ("assistant", "Berg"), ("user", "When?"), ("user", "And where?")))
    assert talk.history == (Turn("Who?", "Berg"), Turn("When?", None))
    assert (talk.question, talk.warnings) == ("And where?", ())


@pytest.mark.parametrize("sentence", DECLINED.values())
def test_a_decline_that_comes_back_is_no_answer(sentence: str) -> None:
    talk = conversation(said(("user", "Who?"), ("assistant", sentence), ("user", "When?")))
    assert talk.history == (Turn("Who?", None),)


def test_an_answer_in_several_messages_is_one() -> None:
    talk = conversation(said(("user", "Who?"), ("assistant", "Berg"), ("assistant", "He."), ("user", "When?")))
    assert talk.history == (Turn("Who?", "Berg\n\nHe."),)


def test_parts_of_a_message_are_one_text() -> None:
    parts = [{"type": "text", "text": "Who is"}, {"type": "input_text", "text": "he?"}]
    assert conversation(said(("user", parts))).question == "Who is\nhe?"


def test_what_nobody_is_shown_is_told_once_each() -> None:
    talk = conversation(
        said(
            ("system", "Be brief."), ("system", "Be kind."), ("developer", "x"), ("assistant", "Hello!"), ("user", "?")
        )
    )
    assert [warning.split(" was ")[0] for warning in talk.warnings] == [
        "the system message",
        "the developer message",
        "what the assistant said before the first question",
    ]
    assert talk.history == ()


@pytest.mark.parametrize("role", ["assistant", "system"])
def test_without_a_question_at_the_end_there_is_none(role: str) -> None:
    with pytest.raises(BadInput, match=f"the last message is the {role}'s"):
        conversation(said(("user", "Who?"), (role, "x")))


@pytest.mark.parametrize("kind", [ChatSent, ResponseSent])
def test_every_neutral_value_is_taken_and_nothing_of_it_kept(kind: Any) -> None:
    least = {"model": "self_route@port", "messages": [{"role": "user", "content": "x"}], "input": "x"}
    asked = {name: value for name, value in least.items() if name in kind.model_fields}
    taken = dict.fromkeys(kind.taken, "anything")
    for name, values in kind.neutral.items():
        for value in (*values, None):
            assert kind.model_validate({**asked, **taken, name: value}) == kind.model_validate(asked)


def test_a_value_that_asks_for_something_is_refused_with_what_is_supported() -> None:
    asked = {"model": "self_route@port", "input": "x"}
    for name, value, words in (
        ("top_p", 0.1, "but as 1"),
        ("store", True, "but as false"),
        ("colour", 1, "supported:"),
    ):
        with pytest.raises(UnsupportedParameter, match=words) as refused:
            ResponseSent.model_validate({**asked, name: value})
        assert refused.value.field == name


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
            "content.image_url",
        ),
        ({"role": "user", "content": [{"type": "input_image"}]}, "content.input_image"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "content.input_audio"),
        ({"role": "tool", "content": "x", "tool_call_id": "1"}, "role"),
    ],
)
def test_pictures_sound_and_tools_are_refused_by_name(message: dict[str, Any], field: str) -> None:
    for asked in ({"messages": [message]}, {"input": [message]}):
        kind: Any = ChatSent if "messages" in asked else ResponseSent
        with pytest.raises(UnsupportedParameter) as refused:
            kind.model_validate({"model": "self_route@port", **asked})
        assert refused.value.field == f"{next(iter(asked))}.{field}"


@pytest.mark.parametrize("kind", [[], {}, 7, "nonsense"])
def test_a_part_of_no_known_kind_is_invalid(kind: object) -> None:
    with pytest.raises(ValidationError):
        Message.model_validate({"role": "user", "content": [{"type": kind, "text": "x"}]})


@pytest.mark.parametrize("wrong", [{"stream": "no"}, {"stream": 1}, {"stream_options": {"include_usage": "yes"}}])
def test_whether_to_stream_is_a_truth_value_and_no_word(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChatSent.model_validate({"model": "self_route@port", "messages": [{"role": "user", "content": "x"}], **wrong})


def test_a_model_of_any_length_is_not_taken() -> None:
    with pytest.raises(ValidationError):
        ResponseSent(model="x" * 201, input="x")


def test_a_model_is_a_policy_at_a_corpus() -> None:
    ask, _ = ResponseSent(model="self_route@port", input="x").as_ask()
    assert (ask.policy, ask.corpus) == ("self_route", "port")
    with pytest.raises(ModelNotFound):
        ResponseSent(model="port", input="x").as_ask()
