"""A record of a dataset as a sample, whichever of three shapes it has; what is wrong with it, in one clause.

| shape | told by | query | answers |
|---|---|---|---|
| LongBench v1 | `answers` | `input` | a list of them, or one |
| LongBench v2 | `choice_A` | `question` and the four choices | `answer`, a letter |
| InfiniteBench | `answer` | `input`, and `options` where it has them | `answer` |

InfiniteBench is known here from its scorer, not from its data: `answer` is a text or number or a list of such; with
`options` it is an option's text, or that and its letter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from string import ascii_uppercase
from typing import Any

from selfroute.evaluation.datasets.tasks import V2, Known
from selfroute.types import Question, Shape, Task

UNANSWERABLE = ("unanswerable",)
"""The answers of a question whose document holds none, as Qasper has it in LongBench."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question about one document, and what an answer is scored by.

    `question.text` is `None` where the dataset gives no query (a summary). `answers` are alternatives, except of
    `math_calc`: there they are one sequence. Of a multiple choice the answer is its letter, and `all_classes` are
    the texts of the options in the order of their letters. `doc_id` is shared by questions about one document;
    `length` is in words, in Chinese in characters, as the record says or else counted.
    """

    id: str
    question: Question
    context: str
    answers: tuple[str, ...]
    all_classes: tuple[str, ...] | None
    dataset: str
    doc_id: str
    answerable: bool
    length: int
    language: str


class Fault(ValueError):
    """Why a record is not a sample: a clause whose subject is the record."""


Lookup = Callable[[str], Known | None]


def sample(record: object, stem: str, fallback_id: str, lookup: Lookup) -> Sample:
    """The sample of a record that stands in a file named `stem`. Raises `Fault`.

    The dataset is what the file is named after if `lookup` knows that (LongBench-E says `qasper` in the records of
    `qasper_e`), else what the record says, else the name of the file.
    """
    if not isinstance(record, Mapping):
        raise Fault("is not a JSON object")
    asked = _asked(record)
    context = _context(record)
    dataset = _dataset(record, stem, lookup)
    known = lookup(dataset) or Known(Task(Shape.CHOICE if asked.choice else Shape.SPAN), asks=False)
    if asked.text is None and known.asks:
        raise Fault(f"has no question, and every record of {dataset!r} asks one")
    if known.task.shape is Shape.CHOICE and "answers" not in record and not asked.choice:
        raise Fault(f"has no options, and every record of {dataset!r} is a multiple choice")
    language = _optional(record, "language") or known.language
    return Sample(
        id=_name(record, ("_id", "id")) or fallback_id,
        question=Question(asked.text, task=known.task),
        context=context,
        answers=asked.answers,
        all_classes=asked.classes,
        dataset=dataset,
        doc_id=_name(record, ("doc_id",)) or sha256(context.encode()).hexdigest()[:16],
        answerable=_answerable(record, asked.answers),
        length=_length(record, context, language),
        language=language,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the three shapes write differently."""

    text: str | None
    answers: tuple[str, ...]
    classes: tuple[str, ...] | None
    choice: bool = False


def _asked(record: Mapping[str, Any]) -> _Asked:
    if "choice_A" in record:
        return _v2(record)
    if "answers" in record:
        return _Asked(_optional(record, "input"), _answers(record["answers"]), _texts(record, "all_classes"))
    if "answer" in record:
        return _infinitebench(record)
    raise Fault("has no answers")


def _v2(record: Mapping[str, Any]) -> _Asked:
    question = _optional(record, "question")
    if question is None:
        raise Fault("has no question")
    options = tuple(_required(record, f"choice_{letter}") for letter in "ABCD")
    answer = record.get("answer")
    if not isinstance(answer, str) or answer.strip() not in list("ABCD"):
        raise Fault(f"its answer {_shown(answer)} is not one of A, B, C, D")
    return _Asked(_with_options(question, options), (answer.strip(),), options, choice=True)


def _infinitebench(record: Mapping[str, Any]) -> _Asked:
    text, options = _optional(record, "input"), _texts(record, "options")
    answer = record["answer"]
    if isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], list):
        answer = answer[0]  # math_calc nests its sequence in some versions
    answers = _answers(answer)
    if not options:
        return _Asked(text, answers, None)
    if not 2 <= len(options) <= len(ascii_uppercase):
        raise Fault(f"has {len(options)} options, not 2 to {len(ascii_uppercase)}")
    return _Asked(_with_options(text, options), (_letter(answers, options),), options, choice=True)


def _letter(answers: tuple[str, ...], options: tuple[str, ...]) -> str:
    letters = ascii_uppercase[: len(options)]
    if len(answers) == 2 and answers[1] in list(letters):
        return answers[1]
    if len(answers) == 1 and answers[0] in options:
        return letters[options.index(answers[0])]
    if len(answers) == 1 and answers[0] in list(letters):
        return answers[0]
    raise Fault(
        f"its answer {_shown(list(answers))} is neither one of its options nor a letter from A to {letters[-1]}"
    )


def _with_options(text: str | None, options: tuple[str, ...]) -> str:
    listed = [f"({letter}) {option}" for letter, option in zip(ascii_uppercase, options, strict=False)]
    return "\n".join([*([text] if text else []), *listed])


def _dataset(record: Mapping[str, Any], stem: str, lookup: Lookup) -> str:
    if lookup(stem) is not None:
        return stem
    return _optional(record, "dataset") or (V2 if "choice_A" in record else stem)


def _context(record: Mapping[str, Any]) -> str:
    # InfiniteBench's own code reads `content` too
    context = record.get("context", record.get("content"))
    if context is None:
        raise Fault("has no context")
    if not isinstance(context, str):
        raise Fault(f"its context is of type {type(context).__name__}, not text")
    if not context or context.isspace():
        raise Fault("its context is empty")
    if "\0" in context:
        raise Fault("its context holds NUL characters: it is not text")
    return _whole(context, "context")


def _answers(given: object) -> tuple[str, ...]:
    """One or more texts; numbers become texts. Empty ones are left out: no scorer gives them more than 0."""
    if given is None or given == []:
        raise Fault("has no answers")
    answers = [_answer(one) for one in (given if isinstance(given, list | tuple) else [given])]
    kept = tuple(answer for answer in answers if answer.strip())
    if not kept:
        raise Fault("its answers are empty")
    return kept


def _answer(given: object) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise Fault(f"one of its answers is {_shown(given)}, neither text nor a number")
    if isinstance(given, float) and not math.isfinite(given):
        raise Fault(f"one of its answers is {given}, which is not a number")
    return _whole(str(given), "answers")


def _answerable(record: Mapping[str, Any], answers: tuple[str, ...]) -> bool:
    given = record.get("answerable")
    if given is None:
        return answers != UNANSWERABLE
    if not isinstance(given, bool):
        raise Fault(f"its answerable is {_shown(given)}, neither true nor false")
    return given


def _length(record: Mapping[str, Any], context: str, language: str) -> int:
    given = record.get("length")
    if given is None or isinstance(given, str):  # LongBench v2 says short, medium or long
        return len("".join(context.split())) if language == "zh" else len(context.split())
    if isinstance(given, bool) or not isinstance(given, int | float) or given != given // 1 or given < 0:
        raise Fault(f"its length is {_shown(given)}, not a number of words")
    return int(given)


def _name(record: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        given = record.get(key)
        if given is not None:
            if isinstance(given, bool) or not isinstance(given, str | int) or not str(given).strip():
                raise Fault(f"its {key} is {_shown(given)}, neither text nor a whole number")
            return _whole(str(given), key)
    return None


def _texts(record: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    given = record.get(key)
    if given is None or given == []:
        return None
    if not isinstance(given, list) or not all(isinstance(one, str) and one.strip() for one in given):
        raise Fault(f"its {key} are not a list of texts")
    return tuple(_whole(one, key) for one in given)


def _required(record: Mapping[str, Any], key: str) -> str:
    given = _optional(record, key)
    if given is None:
        raise Fault(f"its {key} is missing or empty")
    return given


def _optional(record: Mapping[str, Any], key: str) -> str | None:
    given = record.get(key)
    if given is None:
        return None
    if not isinstance(given, str):
        raise Fault(f"its {key} is of type {type(given).__name__}, not text")
    return _whole(given, key) if given.strip() else None


def _whole(text: str, key: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Fault(f"its {key} holds half of a surrogate pair: it is not valid Unicode text") from error
    return text


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 40 else f"{text[:37]}..."
