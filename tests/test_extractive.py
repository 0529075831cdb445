"""The bundled reader: points at the answer to the character, declines what is not there, and counts what it reads."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute import weights
from selfroute.errors import UnsupportedTask
from selfroute.readers.extractive import QUESTION_PIECES, SPAN_PIECES, ExtractiveReader, best_span
from selfroute.readers.spans import NEAR
from selfroute.readers.windows import OVERLAP_PIECES, SPECIAL_PIECES, WINDOW_PIECES, slides
from selfroute.types import Call, Draft, Passage, Question, Reading, Route, Shape, Stage, Task, Usage

pytestmark = pytest.mark.end_to_end

MASTER = "The harbour master of Norrvik is Olof Berg, who has held the post since 1998."
LIGHT = "The lighthouse on Skarv island was built in 1874 by the engineer Anna Lind."
NIGHT = "Night work on the eastern quay must be approved in writing by the harbour master."
FESTIVAL = "The annual herring festival takes place on the second Saturday of August."
FERRY = "The ferry Solveig carries up to 240 passengers and 38 cars."
FACTS = (MASTER, LIGHT, NIGHT, FESTIVAL, FERRY)
FILL = (
    "The town lies between two hills and has a long history of trade. "
    "Boats of many kinds are moored along the quay, and the wind often turns in the afternoon. "
)
LONG = FILL * 20 + " ".join(FACTS[:3]) + "\n\n" + FILL * 20 + " ".join(FACTS[3:]) + " " + FILL * 20

ASKED = {
    "Who is the harbour master of Norrvik?": "Olof Berg",
    "When was the lighthouse on Skarv island built?": "1874",
    "Who built the lighthouse?": "Anna Lind",
    "When does the herring festival take place?": "second Saturday of August",
    "How many passengers does the ferry Solveig carry?": "240",
}
ELSEWHERE = ("What is the capital of Peru?", "Who won the chess tournament in 1972?", "How tall is Mount Everest?")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ExtractiveReader:
    """The bundled reader with thresholds of 0, so that these tests do not hang on those that were chosen."""
    return ExtractiveReader(folder=with_thresholds(tmp_path_factory.mktemp("weights") / "zero", 0.0, 0.0))


@pytest.mark.parametrize("route", Route)
def test_as_it_is_shipped_it_answers_what_is_plain_and_declines_what_is_not_there(route: Route) -> None:
    shipped = ExtractiveReader()
    plain, _ = read(shipped, "Who is the harbour master of Norrvik?", " ".join(FACTS), route=route)
    assert (plain.declined, plain.answer) == (False, "Olof Berg")
    absent, _ = read(shipped, "How tall is Mount Everest?", *FACTS, route=route)
    assert absent.declined


def test_a_cancelled_reading_ends_without_reading_on(reader: ExtractiveReader) -> None:
    document = Passage("long", 0, LONG * 100)  # a minute, if it were read to its end
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    async def cancelled() -> None:
        reading = asyncio.create_task(reader.read(Reading(Question("Who?"), (document,), Route.LONG_CONTEXT), record))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading, 0.5)
        await asyncio.get_running_loop().shutdown_default_executor()  # waits for the thread

    asyncio.run(cancelled())
    assert calls == []


@pytest.mark.parametrize(("question", "answer"), ASKED.items())
def test_it_points_at_the_answer_in_a_chunk(reader: ExtractiveReader, question: str, answer: str) -> None:
    draft, _ = read(reader, question, *FACTS)
    assert not draft.declined
    assert draft.answer == answer


@pytest.mark.parametrize(("question", "answer"), ASKED.items())
def test_it_finds_the_answer_in_a_document_of_many_windows(
    reader: ExtractiveReader, question: str, answer: str
) -> None:
    draft, _ = read(reader, question, LONG, route=Route.LONG_CONTEXT)
    assert not draft.declined
    assert draft.answer == answer
    [citation] = draft.citations
    assert LONG[citation.start : citation.end] == citation.text
    assert answer in citation.text


@pytest.mark.parametrize("question", ELSEWHERE)
@pytest.mark.parametrize("route", Route)
def test_it_declines_text_about_something_else(reader: ExtractiveReader, question: str, route: Route) -> None:
    texts = FACTS if route is Route.RAG else (LONG,)
    draft, _ = read(reader, question, *texts, route=route)
    assert draft.declined
    assert (draft.answer, draft.citations, draft.route) == (None, (), route)


def test_a_decline_keeps_the_best_guess_and_its_score(reader: ExtractiveReader) -> None:
    draft, _ = read(reader, ELSEWHERE[0], MASTER)
    assert draft.guess
    assert draft.guess in MASTER
    assert draft.score is not None


def test_what_is_asked_for_scores_higher_than_what_is_not_there(reader: ExtractiveReader) -> None:
    present = [score(reader, question, *FACTS) for question in ASKED]
    absent = [score(reader, question, *FACTS) for question in ELSEWHERE]
    assert min(present) > max(absent) + 5


def test_offsets_are_those_of_the_document_and_not_of_the_chunk(reader: ExtractiveReader) -> None:
    passage = Passage("harbour.md", LONG.index(LIGHT), LIGHT)
    draft, _ = read_passages(reader, "Who built the lighthouse?", Passage("other.md", 7, FERRY), passage)
    [citation] = draft.citations
    assert (citation.document, citation.page) == ("harbour.md", None)
    assert LONG[citation.start : citation.end] == citation.text
    assert citation.score == draft.score


@pytest.mark.parametrize(
    "before", ["Ünlaut ñandú \u2013 ", "😀🌊 ", "e\u0301te\u0301 ", "港の歴史。 ", "a\u200bb ", "\r\n\t"]
)
def test_offsets_are_exact_whatever_stands_before(reader: ExtractiveReader, before: str) -> None:
    text = before * 3 + LIGHT.replace("Anna", "Ánna")
    draft, _ = read(reader, "Who built the lighthouse?", text)
    assert draft.answer == "Ánna Lind"
    [citation] = draft.citations
    assert text[citation.start : citation.end] == citation.text


def test_the_citation_is_the_sentence_around_the_answer(reader: ExtractiveReader) -> None:
    draft, _ = read(reader, "Who built the lighthouse?", f"{MASTER} {LIGHT} {FERRY}")
    assert [citation.text for citation in draft.citations] == [LIGHT]


def test_a_citation_does_not_run_over_the_line(reader: ExtractiveReader) -> None:
    draft, _ = read(reader, "Who built the lighthouse?", f"# Lights\n{LIGHT[:-1]}\nOther things\n")
    assert [citation.text for citation in draft.citations] == [LIGHT[:-1]]


def test_a_citation_in_text_without_sentences_is_cut_between_words(reader: ExtractiveReader) -> None:
    words = "and so on along the quay " * 300
    text = f"{words}{LIGHT[:-1]} {words}"
    draft, _ = read(reader, "Who built the lighthouse?", text)
    [citation] = draft.citations
    assert draft.answer
    assert draft.answer in citation.text
    assert len(citation.text) <= 2 * NEAR + len(draft.answer)
    assert text[citation.start - 1].isspace()
    assert text[citation.end].isspace()


def test_an_answer_scores_the_same_whatever_is_read_beside_it(reader: ExtractiveReader) -> None:
    question = "Who is the harbour master of Norrvik?"
    alone, _ = read(reader, question, MASTER)
    for others in ([FERRY], [LIGHT, FESTIVAL, FERRY], [FILL * n for n in range(1, 12)], ["Hm."] * 40):
        first, _ = read(reader, question, MASTER, *others)
        last, _ = read(reader, question, *others, MASTER)
        assert (first.answer, first.score) == (last.answer, last.score) == (alone.answer, alone.score)


def test_each_route_declines_by_a_threshold_of_its_own(reader: ExtractiveReader, tmp_path: Path) -> None:
    question = "Who is the harbour master of Norrvik?"
    at = score(reader, question, MASTER)
    for chunks, documents in ((at, at + 0.01), (at + 0.01, at)):
        folder = tmp_path / str(chunks)
        strict = ExtractiveReader(folder=with_thresholds(folder, chunks, documents))
        assert read(strict, question, MASTER, route=Route.RAG)[0].declined == (chunks > at)
        assert read(strict, question, MASTER, route=Route.LONG_CONTEXT)[0].declined == (documents > at)


@pytest.mark.parametrize(
    ("route", "stage"), [(Route.RAG, Stage.READ_CHUNKS), (Route.LONG_CONTEXT, Stage.READ_DOCUMENTS)]
)
def test_a_reading_is_one_call(reader: ExtractiveReader, route: Route, stage: Stage) -> None:
    _, [call] = read(reader, "Who built the lighthouse?", *FACTS, route=route)
    assert (call.stage, call.model, call.error, call.estimated) == (stage, reader.model, None, False)
    assert call.seconds > 0


@pytest.mark.parametrize("texts", [(MASTER,), FACTS, (LONG,), (LONG, MASTER), (FILL * 200,), ("",), ()])
def test_usage_is_the_word_pieces_of_all_windows_with_the_question_in_each(
    reader: ExtractiveReader, texts: tuple[str, ...]
) -> None:
    question = "Who built the lighthouse?"
    _, [call] = read(reader, question, *texts)
    expected = 0
    for text in texts:
        expected += windows(pieces(text)) * (pieces(question) + SPECIAL_PIECES) + pieces(text)
        expected += max(windows(pieces(text)) - 1, 0) * OVERLAP_PIECES
    assert call.usage == Usage(input_tokens=expected)
    assert reader.count_tokens(reading(question, *texts)) == expected


def test_a_chunk_of_the_default_size_is_one_window() -> None:
    assert WINDOW_PIECES >= 240


@pytest.mark.parametrize("texts", [(), ("",), ("  \n ",), ("", " ")])
def test_nothing_to_read_is_declined(reader: ExtractiveReader, texts: tuple[str, ...]) -> None:
    draft, [call] = read(reader, "Who built the lighthouse?", *texts)
    assert (draft.declined, draft.score, draft.guess) == (True, None, None)
    assert call.usage == Usage()


@pytest.mark.parametrize(
    ("question", "script"),
    [
        ("Кто начальник порта?", "Cyrillic"),
        ("谁是港务局长", "Chinese"),
        ("Ποιος είναι λιμενάρχης;", "Greek"),
        ("من هو مدير الميناء؟", "Arabic"),
        ("港長は誰ですか", "Chinese|Hiragana"),
        ("Кто is начальник порта?", "Cyrillic"),
    ],
)
def test_a_question_in_another_script_is_refused_and_costs_nothing(
    reader: ExtractiveReader, question: str, script: str
) -> None:
    calls: list[Call] = []
    with pytest.raises(UnsupportedTask, match=rf"reads English only, and this question is in ({script}) script"):
        asyncio.run(reader.read(reading(question, MASTER), Keeping(calls)))
    assert calls == []


@pytest.mark.parametrize("question", ["Où est Çelik né?", "Who said привет?", "1874?", "???", "Who is Ångström (Å)?"])
def test_a_question_in_latin_script_or_none_is_read(reader: ExtractiveReader, question: str) -> None:
    _, calls = read(reader, question, MASTER)
    assert len(calls) == 1


def test_a_long_question_is_cut_and_the_answer_says_so(reader: ExtractiveReader) -> None:
    short = "Who built the lighthouse? " + "now " * (QUESTION_PIECES - pieces("Who built the lighthouse?"))
    assert pieces(short) == QUESTION_PIECES
    cut, [cut_call] = read(reader, short + "or what is the capital of Peru?", LIGHT)
    whole, [whole_call] = read(reader, short, LIGHT)
    assert whole.warnings == ()
    assert len(cut.warnings) == 1
    assert f"only the first {QUESTION_PIECES} of the question's" in cut.warnings[0]
    assert (cut.guess, cut.score, cut_call.usage) == (whole.guess, whole.score, whole_call.usage)


@pytest.mark.parametrize("shape", [shape for shape in Shape if shape is not Shape.SPAN])
def test_a_shape_that_is_no_span_is_refused_and_costs_nothing(reader: ExtractiveReader, shape: Shape) -> None:
    calls: list[Call] = []
    asked = Reading(Question("Who?", task=Task(shape)), (Passage("d", 0, MASTER),), Route.RAG)
    with pytest.raises(UnsupportedTask, match=f"not answers of shape {shape.value}"):
        asyncio.run(reader.read(asked, Keeping(calls)))
    assert calls == []


def test_without_a_question_there_is_nothing_to_point_at(reader: ExtractiveReader) -> None:
    calls: list[Call] = []
    with pytest.raises(UnsupportedTask, match="there is no question"):
        asyncio.run(reader.read(Reading(Question(None), (Passage("d", 0, MASTER),), Route.RAG), Keeping(calls)))
    assert calls == []


def test_the_event_loop_goes_on_while_it_reads(reader: ExtractiveReader) -> None:
    async def ticks_while_reading() -> int:
        task = asyncio.create_task(reader.read(reading("Who built the lighthouse?", FILL * 30), Keeping([])))
        ticks = 0
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.001)
        return ticks

    assert asyncio.run(ticks_while_reading()) > 5


sizes = st.integers(1, 60)


@given(st.integers(0, 400), sizes, st.data())
def test_slides_cover_everything_with_no_more_windows_than_it_takes(
    length: int, size: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, size))
    made = list(slides(length, size, stride))
    assert sorted({at for start, end in made for at in range(start, end)}) == list(range(length))
    assert all(0 < end - start <= size for start, end in made)
    assert [start for start, _ in made] == list(range(0, len(made) * stride, stride))
    assert not made[1:] or made[-2][1] < length


@given(st.integers(1, 400), sizes, st.data())
def test_neighbouring_slides_overlap_by_what_the_stride_leaves(length: int, size: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, size))
    made = list(slides(length, size, stride))
    assert all(first_end - start == size - stride for (_, first_end), (start, _) in pairwise(made))


def test_no_text_has_no_slides() -> None:
    assert list(slides(0, 10, 5)) == []


logits = st.lists(st.integers(-8, 8).map(float), min_size=1, max_size=45)


@given(logits, st.data())
def test_the_best_span_is_that_of_trying_them_all(start: list[float], data: st.DataObject) -> None:
    end = data.draw(st.lists(st.integers(-8, 8).map(float), min_size=len(start), max_size=len(start)))
    i, j, found = best_span(np.array(start, dtype=np.float32), np.array(end, dtype=np.float32))
    tried = [start[a] + end[b] for a in range(len(start)) for b in range(a, min(a + SPAN_PIECES, len(start)))]
    assert found == max(tried)
    assert 0 <= i <= j < min(i + SPAN_PIECES, len(start))
    assert start[i] + end[j] == found


def test_a_span_is_never_longer_than_allowed_however_well_it_scores() -> None:
    start, end = np.zeros(100, dtype=np.float32), np.zeros(100, dtype=np.float32)
    start[10] = end[10 + SPAN_PIECES] = 100.0
    i, j, found = best_span(start, end)
    assert found == 100.0
    assert j - i < SPAN_PIECES


def reading(question: str, *texts: str, route: Route = Route.RAG) -> Reading:
    return Reading(Question(question), tuple(Passage(f"d{n}", 0, text) for n, text in enumerate(texts)), route)


def read(reader: ExtractiveReader, question: str, *texts: str, route: Route = Route.RAG) -> tuple[Draft, list[Call]]:
    calls: list[Call] = []
    return asyncio.run(reader.read(reading(question, *texts, route=route), Keeping(calls))), calls


def read_passages(reader: ExtractiveReader, question: str, *passages: Passage) -> tuple[Draft, list[Call]]:
    calls: list[Call] = []
    return asyncio.run(reader.read(Reading(Question(question), passages, Route.RAG), Keeping(calls))), calls


def score(reader: ExtractiveReader, question: str, *texts: str) -> float:
    draft, _ = read(reader, question, *texts)
    assert draft.score is not None
    return draft.score


class Keeping:
    """A `Record` that keeps the calls in a list."""

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls

    async def __call__(self, call: Call) -> None:
        self._calls.append(call)


def pieces(text: str) -> int:
    return len(weights.tokenizer().encode(text, add_special_tokens=False).ids)


def windows(count: int) -> int:
    """How many windows it takes to slide over so many pieces."""
    if not count:
        return 0
    return 1 + max(0, -(-(count - WINDOW_PIECES) // (WINDOW_PIECES - OVERLAP_PIECES)))


def with_thresholds(folder: Path, chunks: float, documents: float) -> Path:
    """The bundled weights with other thresholds."""
    folder.mkdir()
    for file in weights.FOLDER.iterdir():
        if file.suffix in (".onnx", ".json") and file.name != "reader.json":
            (folder / file.name).symlink_to(file)
    about = json.loads((weights.FOLDER / "reader.json").read_text())
    about |= {"threshold_chunks": chunks, "threshold_documents": documents}
    (folder / "reader.json").write_text(json.dumps(about))
    return folder


FAQ = """# Questions

## How long is a harbour key valid?

90 days from the day of issue.

## What does a lost key cost?

45 euros, paid at the gate.

## When does the kiosk open?

At nine on weekdays.
"""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long is a harbour key valid?", "90 days"),
        ("What does a lost key cost?", "45 euros"),
        ("When does the kiosk open?", "nine on weekdays"),
    ],
)
def test_a_heading_that_repeats_the_question_is_not_its_answer(
    reader: ExtractiveReader, question: str, answer: str
) -> None:
    draft, calls = read(reader, question, FAQ)
    assert draft.answer is not None
    assert answer in draft.answer
    assert calls[0].usage.input_tokens == reader.count_tokens(reading(question, FAQ))


def test_a_text_that_only_repeats_the_question_answers_nothing(reader: ExtractiveReader) -> None:
    draft, _ = read(reader, "How long is a harbour key valid?", "How long is a harbour key valid?")
    assert draft.declined
    assert draft.guess is None


def test_an_answer_is_on_one_line_and_its_citation_as_it_stands(reader: ExtractiveReader) -> None:
    text = "The harbour master of Norrvik is Olof\nBerg, who has held the post since 1998."
    draft, _ = read(reader, "Who is the harbour master of Norrvik?", text)
    assert draft.answer == "Olof Berg"
    [citation] = draft.citations
    assert text[citation.start : citation.end] == citation.text


def test_rows_are_read_with_their_header_beside_them(reader: ExtractiveReader) -> None:
    question = "Who is the harbour master of Norrvik?"
    row = "Norrvik | Olof Berg | 1998"
    alone = Reading(Question(question), (Passage("d", 50, row),), Route.RAG)
    headed = Reading(Question(question), (Passage("d", 50, row, "harbour | harbour master | since"),), Route.RAG)
    drafts = [asyncio.run(reader.read(one, keep_none)) for one in (alone, headed)]
    assert reader.count_tokens(headed) == reader.count_tokens(alone) + 6
    assert drafts[0].score is not None
    assert drafts[1].score is not None
    assert drafts[1].score > drafts[0].score
    assert drafts[1].guess == "Olof Berg"


def test_in_a_long_table_each_window_has_the_header(reader: ExtractiveReader) -> None:
    rows = [f"Harbour {n} | Master Number {n} | {1900 + n}" for n in range(80)]
    text = "\n".join(["harbour | harbour master | since", *rows])
    made = reader._windows.of(Passage("d", 0, text), "Who?")
    assert len(made) > 2
    assert made[0].named == ""
    assert {window.named for window in made[1:]} == {"harbour | harbour master | since"}


async def keep_none(call: Call) -> None:
    pass
