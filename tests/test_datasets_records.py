"""Records of three shapes become samples; one that is none of them is refused with what is wrong with it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from selfroute.evaluation.datasets.records import Fault, Sample, sample
from selfroute.evaluation.datasets.tasks import DATASETS
from selfroute.types import Question, Shape, Task

LONGBENCH: dict[str, Any] = {
    "_id": "a-1",
    "input": "Who?",
    "context": "Ann did it.",
    "answers": ["Ann", "Ann Reid"],
    "length": 3,
    "dataset": "made",
    "language": "en",
    "all_classes": None,
}
V2: dict[str, Any] = {
    "_id": "66f36490",
    "domain": "Single-Document QA",
    "sub_domain": "Financial",
    "difficulty": "easy",
    "length": "short",
    "question": "Which is it?",
    "choice_A": "this",
    "choice_B": "that",
    "choice_C": "both",
    "choice_D": "none",
    "answer": "B",
    "context": "It is that one.",
}
INFINITEBENCH: dict[str, Any] = {"id": 7, "input": "Who?", "context": "Ann did it.", "answer": ["Ann"], "options": []}
CHOICE = INFINITEBENCH | {"answer": ["Ann"], "options": ["Bob", "Ann", "Cat", "Dan"]}


def made(record: object, stem: str = "made") -> Sample:
    return sample(record, stem, f"{stem}-0", DATASETS.get)


def test_a_record_of_longbench_is_a_sample() -> None:
    assert made(LONGBENCH) == Sample(
        id="a-1",
        question=Question("Who?"),
        context="Ann did it.",
        answers=("Ann", "Ann Reid"),
        all_classes=None,
        dataset="made",
        doc_id=sha256(b"Ann did it.").hexdigest()[:16],
        answerable=True,
        length=3,
        language="en",
    )


def test_a_record_of_longbench_v2_asks_with_its_choices_and_is_answered_by_a_letter() -> None:
    got = made(V2, "data")
    assert got.question.text == "Which is it?\n(A) this\n(B) that\n(C) both\n(D) none"
    assert (got.answers, got.all_classes) == (("B",), ("this", "that", "both", "none"))
    assert (got.dataset, got.question.task) == ("longbench-v2", DATASETS["longbench-v2"].task)
    assert (got.length, got.language, got.answerable) == (4, "en", True)


def test_a_record_of_infinitebench_is_a_sample() -> None:
    got = made(INFINITEBENCH, "longbook_qa_eng")
    assert (got.id, got.question.text, got.answers, got.all_classes) == ("7", "Who?", ("Ann",), None)
    assert (got.dataset, got.question.task) == ("longbook_qa_eng", DATASETS["longbook_qa_eng"].task)


@pytest.mark.parametrize("answer", ["Ann", ["Ann"], ["Ann", "B"], "B", ["B"]])
def test_an_option_of_infinitebench_is_answered_by_its_letter(answer: object) -> None:
    got = made(CHOICE | {"answer": answer}, "longbook_choice_eng")
    assert got.question.text == "Who?\n(A) Bob\n(B) Ann\n(C) Cat\n(D) Dan"
    assert (got.answers, got.all_classes) == (("B",), ("Bob", "Ann", "Cat", "Dan"))


def test_an_option_that_is_itself_a_letter_is_taken_by_its_text() -> None:
    assert made(CHOICE | {"answer": "A", "options": ["D", "C", "B", "A"]}).answers == ("D",)


def test_options_stand_for_a_question_where_the_dataset_asks_none() -> None:
    assert made(CHOICE | {"input": ""}, "code_debug").question.text == "(A) Bob\n(B) Ann\n(C) Cat\n(D) Dan"


@pytest.mark.parametrize("answer", [[1, 3, 6], [[1, 3, 6]]])
def test_the_values_of_a_calculation_are_kept_in_order(answer: object) -> None:
    record = {"id": 0, "input": "", "context": "1 + 2 + 3", "answer": answer}
    assert made(record, "math_calc").answers == ("1", "3", "6")


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        (["Ann"], ("Ann",)),
        ("Ann", ("Ann",)),
        ([42], ("42",)),
        (42, ("42",)),
        ([3.5, -1], ("3.5", "-1")),
        (3.5, ("3.5",)),
        ([0], ("0",)),
        (["", "Ann", " "], ("Ann",)),
        ([" Ann\n"], (" Ann\n",)),
    ],
)
def test_answers_are_texts_and_numbers_become_texts(answers: object, kept: tuple[str, ...]) -> None:
    assert made(LONGBENCH | {"answers": answers}).answers == kept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"context": None}, "has no context"),
        ({"context": ""}, "its context is empty"),
        ({"context": " \n\t"}, "its context is empty"),
        ({"context": ["Ann", "did"]}, "its context is of type list, not text"),
        ({"context": 7}, "its context is of type int, not text"),
        ({"context": "half \ud800 pair"}, "its context holds half of a surrogate pair"),
        ({"context": "cut \0 here"}, "its context holds NUL characters"),
        ({"answers": None}, "has no answers"),
        ({"answers": []}, "has no answers"),
        ({"answers": [""]}, "its answers are empty"),
        ({"answers": " "}, "its answers are empty"),
        ({"answers": [True]}, "one of its answers is True, neither text nor a number"),
        ({"answers": False}, "one of its answers is False"),
        ({"answers": ["Ann", None]}, "one of its answers is None"),
        ({"answers": [["Ann"]]}, r"one of its answers is \['Ann'\]"),
        ({"answers": {"text": ["Ann"]}}, "one of its answers is {'text': "),
        ({"answers": [float("nan")]}, "one of its answers is nan, which is not a number"),
        ({"answers": [float("inf")]}, "one of its answers is inf"),
        ({"answers": ["\udc80"]}, "its answers holds half of a surrogate pair"),
        ({"input": 7}, "its input is of type int, not text"),
        ({"input": ["Who?"]}, "its input is of type list, not text"),
        ({"all_classes": "Ann"}, "its all_classes are not a list of texts"),
        ({"all_classes": ["Ann", 7]}, "its all_classes are not a list of texts"),
        ({"answerable": "yes"}, "its answerable is 'yes', neither true nor false"),
        ({"length": -1}, "its length is -1, not a number of words"),
        ({"length": 1.5}, "its length is 1.5"),
        ({"length": True}, "its length is True"),
        ({"length": float("nan")}, "its length is nan"),
        ({"_id": ""}, "its _id is '', neither text nor a whole number"),
        ({"_id": True}, "its _id is True"),
        ({"_id": 1.5}, "its _id is 1.5"),
        ({"doc_id": []}, r"its doc_id is \[\]"),
        ({"dataset": 7}, "its dataset is of type int, not text"),
        ({"language": 7}, "its language is of type int, not text"),
    ],
)
def test_a_record_of_longbench_that_is_wrong_is_refused_with_what_is_wrong(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Fault, match=said):
        made(LONGBENCH | change)


@pytest.mark.parametrize("key", ["context", "answers"])
def test_a_record_without_a_part_that_scoring_needs_is_refused(key: str) -> None:
    with pytest.raises(Fault, match=f"has no {key}"):
        made({name: value for name, value in LONGBENCH.items() if name != key})


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (V2 | {"answer": "E"}, "its answer 'E' is not one of A, B, C, D"),
        (V2 | {"answer": ""}, "its answer '' is not"),
        (V2 | {"answer": "AB"}, "its answer 'AB' is not"),
        (V2 | {"answer": None}, "its answer None is not"),
        (V2 | {"answer": 1}, "its answer 1 is not"),
        (V2 | {"choice_C": ""}, "its choice_C is missing or empty"),
        ({key: value for key, value in V2.items() if key != "choice_D"}, "its choice_D is missing or empty"),
        (V2 | {"question": " "}, "has no question"),
        (V2 | {"context": ""}, "its context is empty"),
        (CHOICE | {"answer": ["Eve"]}, "is neither one of its options nor a letter from A to D"),
        (CHOICE | {"answer": "E"}, "is neither one of its options nor a letter from A to D"),
        (CHOICE | {"answer": ["Ann", "E"]}, "is neither one of its options"),
        (CHOICE | {"answer": []}, "has no answers"),
        (CHOICE | {"answer": None}, "has no answers"),
        (CHOICE | {"options": ["Ann"]}, "has 1 options, not 2 to 26"),
        (CHOICE | {"options": ["Ann", 1]}, "its options are not a list of texts"),
        (INFINITEBENCH | {"answer": [None]}, "one of its answers is None"),
        ({"id": 1, "context": "text", "input": "Who?"}, "has no answers"),
    ],
)
def test_a_record_of_another_shape_that_is_wrong_is_refused(record: object, said: str) -> None:
    with pytest.raises(Fault, match=said):
        made(record)


@pytest.mark.parametrize("record", [[], [1], "text", 7, None, True])
def test_what_is_not_an_object_is_refused(record: object) -> None:
    with pytest.raises(Fault, match="is not a JSON object"):
        made(record)


@pytest.mark.parametrize("text", ["", " \n", None])
def test_a_blank_question_is_none_where_the_dataset_asks_none(text: str | None) -> None:
    assert made(LONGBENCH | {"input": text, "dataset": "gov_report"}).question.text is None
    assert made(LONGBENCH | {"input": text, "dataset": "of one's own"}).question.text is None


@pytest.mark.parametrize("text", ["", " \n", None])
def test_a_blank_question_is_a_fault_where_every_record_asks_one(text: str | None) -> None:
    with pytest.raises(Fault, match="has no question, and every record of 'qasper' asks one"):
        made(LONGBENCH | {"input": text, "dataset": "qasper"})


@pytest.mark.parametrize("options", [[], None])
def test_a_multiple_choice_without_options_is_a_fault(options: object) -> None:
    with pytest.raises(Fault, match="has no options, and every record of 'longbook_choice_eng' is a multiple choice"):
        made(CHOICE | {"options": options}, "longbook_choice_eng")


def test_a_question_is_kept_as_it_stands() -> None:
    assert made(LONGBENCH | {"input": " Who?\n"}).question.text == " Who?\n"


def test_questions_about_one_context_are_about_one_document() -> None:
    same, other = made(LONGBENCH | {"_id": "a-2", "input": "When?"}), made(LONGBENCH | {"context": "Bob did it."})
    assert made(LONGBENCH).doc_id == same.doc_id != other.doc_id


def test_a_document_is_named_as_the_record_says() -> None:
    assert made(LONGBENCH | {"doc_id": "report 7"}).doc_id == "report 7"
    assert made(LONGBENCH | {"doc_id": 7}).doc_id == "7"


@pytest.mark.parametrize(
    ("change", "answerable"),
    [
        ({}, True),
        ({"answers": ["unanswerable"]}, False),
        ({"answers": "unanswerable"}, False),
        ({"answers": ["unanswerable", "no"]}, True),
        ({"answers": ["unanswerable"], "answerable": True}, True),
        ({"answerable": False}, False),
        ({"answerable": None}, True),
    ],
)
def test_a_question_is_answerable_as_the_record_says_or_its_answer_shows(
    change: dict[str, Any], answerable: bool
) -> None:
    assert made(LONGBENCH | change).answerable is answerable


@pytest.mark.parametrize(
    ("change", "length"),
    [
        ({"length": 12}, 12),
        ({"length": 12.0}, 12),
        ({"length": None}, 3),
        ({"length": "short"}, 3),
        ({"length": None, "language": "zh", "context": "安做了 它"}, 4),
    ],
)
def test_the_length_is_the_records_or_counted(change: dict[str, Any], length: int) -> None:
    assert made(LONGBENCH | change).length == length


def test_the_language_is_the_records_or_the_datasets() -> None:
    without = {key: value for key, value in LONGBENCH.items() if key != "language"}
    assert made(without | {"dataset": "multifieldqa_zh"}).language == "zh"
    assert made(without).language == "en"
    assert made(LONGBENCH | {"language": "python", "dataset": "lcc"}).language == "python"


def test_a_record_without_an_id_is_named_by_its_place() -> None:
    without = {key: value for key, value in LONGBENCH.items() if key != "_id"}
    assert made(without, "file").id == "file-0"
    assert made(without | {"_id": None, "id": 0}, "file").id == "0"


@pytest.mark.parametrize(
    ("stem", "said", "dataset"),
    [
        ("qasper_e", "qasper", "qasper_e"),
        ("qasper", None, "qasper"),
        ("mine", "qasper", "qasper"),
        ("mine", None, "mine"),
        ("mine", " ", "mine"),
    ],
)
def test_the_dataset_is_that_of_a_known_file_or_of_the_record(stem: str, said: str | None, dataset: str) -> None:
    assert made(LONGBENCH | {"dataset": said}, stem).dataset == dataset


def test_every_question_has_the_task_of_its_dataset() -> None:
    assert made(LONGBENCH, "samsum").question.task is DATASETS["samsum"].task
    assert made(LONGBENCH, "qasper_e").question.task is DATASETS["qasper"].task
    assert made(LONGBENCH | {"dataset": "of one's own"}).question.task == Task()


@pytest.mark.parametrize("record", [V2 | {"dataset": "of one's own"}, CHOICE])
def test_a_multiple_choice_of_an_unknown_dataset_is_a_choice(record: dict[str, Any]) -> None:
    assert made(record).question.task == Task(Shape.CHOICE)


def test_the_classes_of_a_classification_are_kept() -> None:
    assert made(LONGBENCH | {"all_classes": ["Ann", "Bob"]}).all_classes == ("Ann", "Bob")
    assert made(LONGBENCH | {"all_classes": []}).all_classes is None


def test_a_fault_never_shows_a_whole_document() -> None:
    for broken in (
        LONGBENCH | {"answers": [{"text": "x" * 10_000}]},
        LONGBENCH | {"length": ["x" * 10_000]},
        V2 | {"answer": "x" * 10_000},
        CHOICE | {"answer": "x" * 10_000},
    ):
        with pytest.raises(Fault) as raised:
            made(broken)
        assert len(str(raised.value)) < 120
