"""What a reading is shown when the documents do not fit the reader's window, and how that is told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.fit import LONGEST_WORD, STRATEGIES, Fit, Fitter, whole_words
from selfroute.index import Index
from selfroute.readers.scripted import ScriptedReader
from selfroute.types import Chunk, Document, Hit, Passage, Question, Reading, Route

QUESTION = Question("who?")
LINES = [f"line {n} of ten words about boats and the sea{n}." for n in range(6)]
LONG = "\n\n".join(LINES)
TEXTS = {"long": LONG, "short": "Five words and a stop."}


def fitter(window: int, texts: Mapping[str, str] = TEXTS) -> Fitter:
    embedder = HashingEmbedder()
    items = []
    for name, text in texts.items():
        chunks = [Chunk(name, m.start(), m.end(), m[0], 1) for m in re.finditer(r"[^\n]+", text)]
        vectors = embedder.embed([chunk.text for chunk in chunks]).vectors
        items.append((Document(name, text, name), chunks, vectors))
    return Fitter(Index.in_memory("test", embedder.name, items, "240"), ScriptedReader([]), QUESTION, window)


def fitted(window: int, wanted: Sequence[str], strategy: str, best: Sequence[int] = ()) -> Fit:
    """`best`: the lines of `long` that are most like the question."""
    made = fitter(window)

    def ranked(ids: Sequence[str]) -> list[Chunk]:
        chunks = [chunk for id_ in ids for chunk in made.index.chunks(id_)]
        return sorted(chunks, key=lambda chunk: (chunk.document != "long", chunks.index(chunk) not in best))

    return made.documents(wanted, ranked, strategy)


def shown(fit: Fit) -> list[list[str]]:
    return [[passage.text for passage in reading.passages] for reading in fit.readings]


class Tallying(ScriptedReader):
    """Counts a reading as `sizes` say, by its number of passages, and how often it was asked."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__([])
        self.sizes = sizes
        self.asked = 0

    def count_tokens(self, reading: Reading) -> int:
        self.asked += 1
        return self.sizes[len(reading.passages)]


def most(sizes: Sequence[int], window: int) -> tuple[int, int]:
    """How many passages fit, and how often was counted for that."""
    reader, passages = Tallying(sizes), [Passage("a", n, "x") for n in range(len(sizes))]
    made = replace(fitter(window), reader=reader)
    return made.most(len(sizes) - 1, lambda n: made.reading(passages[:n])), reader.asked


@given(st.lists(st.integers(0, 50), min_size=1, max_size=400), st.integers(0, 30), st.integers(0, 10_000))
def test_as_many_are_shown_as_fit_and_few_are_counted_to_find_out(steps: list[int], frame: int, window: int) -> None:
    sizes = list(accumulate(steps, initial=frame))
    number, asked = most(sizes, window)
    assert number == max((n for n, size in enumerate(sizes) if size <= window), default=0)
    assert asked <= 3 * len(steps).bit_length() + 1


@pytest.mark.parametrize("window", [0, 999, 1000, 31_415, 99_999])
def test_of_passages_of_one_size_three_counts_tell_how_many_fit(window: int) -> None:
    number, asked = most([200 * n for n in range(501)], window)
    assert number == window // 200
    assert asked <= 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_fits_is_read_whole_whatever_the_strategy(strategy: str) -> None:
    fit = fitted(1000, ["short", "long"], strategy)
    assert shown(fit) == [["Five words and a stop.", LONG]]
    assert (fit.documents, fit.warning) == (("short", "long"), None)


def test_filling_shows_the_best_chunks_in_the_order_of_the_document_neighbours_together() -> None:
    fit = fitted(31, ["long"], "fill", best=[4, 1, 5])
    assert shown(fit) == [[LINES[1], f"{LINES[4]}\n\n{LINES[5]}"]]
    assert fit.documents == ()
    assert fit.warning is not None
    assert "'long' exceeds the reader's window of 31 tokens: 3 of 6 chunks were read, those most like" in fit.warning


def test_filling_reads_documents_whole_while_they_fit_and_the_best_of_the_others() -> None:
    fit = fitted(17, ["short", "long"], "fill", best=[2])
    assert shown(fit) == [["Five words and a stop.", LINES[2]]]
    assert fit.documents == ("short",)
    assert "2 documents exceed the reader's window of 17 tokens: 1 were read whole, and 1 of the 6 chunks of the" in (
        fit.warning or ""
    )


def test_the_middle_is_cut_out_and_both_ends_have_half_of_the_window() -> None:
    fit = fitted(21, ["long"], "middle")
    [[head, tail]] = shown(fit)
    assert LONG.startswith(head)
    assert LONG.endswith(tail)
    assert (len(head.split()), len(tail.split())) == (10, 10)
    assert [passage.start for passage in fit.readings[0].passages] == [0, len(LONG) - len(tail)]
    assert "characters were cut out of the middle" in (fit.warning or "")


def test_the_cut_goes_through_several_documents_as_through_one() -> None:
    fit = fitted(25, ["short", "long"], "middle")
    assert [passage.document for passage in fit.readings[0].passages] == ["short", "long", "long"]


def test_in_windows_all_is_read_in_parts_that_fit() -> None:
    fit = fitted(31, ["long", "short"], "windows")
    texts = shown(fit)
    assert len(texts) == 3
    assert "".join("".join(part) for part in texts).replace("\n", "") == "".join(LINES) + TEXTS["short"]
    assert fit.documents == ("long", "short")
    assert "read in 3 parts" in (fit.warning or "")


def test_a_chunk_that_fits_no_window_ends_the_reading_and_is_told() -> None:
    fit = fitted(8, ["short", "long"], "windows")
    assert shown(fit) == [["Five words and a stop."]]
    assert (fit.documents, "after 1 of 7 chunks the next does not fit" in (fit.warning or "")) == ((), True)


def test_refusing_reads_nothing_and_says_what_to_do() -> None:
    fit = fitted(31, ["long"], "refuse")
    assert (fit.readings, fit.documents) == ((), ())
    assert "nothing was read; ask about fewer documents, or set reader.overflow" in (fit.warning or "")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_window_that_holds_no_word_of_the_text_reads_nothing(strategy: str) -> None:
    fit = fitted(1, ["long"], strategy)
    assert not [passage for reading in fit.readings for passage in reading.passages if passage.text.strip()]
    assert fit.warning is not None


def test_as_many_hits_as_fit_are_shown_and_the_rest_is_told() -> None:
    made = fitter(21)
    hits = tuple(Hit(chunk, 0.5) for chunk in made.index.chunks("long"))
    fit = made.chunks(hits)
    assert (shown(fit), fit.readings[0].route) == ([LINES[:2]], Route.RAG)
    assert fit.warning == "2 of 6 chunks fit the reader's window of 21 tokens: the rest was not read"
    assert made.chunks(hits[:2]).warning is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 80), st.sampled_from(sorted(STRATEGIES)), st.permutations(["long", "short"]))
def test_no_reading_is_larger_than_the_window_and_all_of_it_is_text_of_the_documents(
    window: int, strategy: str, wanted: list[str]
) -> None:
    fit = fitted(window, wanted, strategy)
    for reading in fit.readings:
        assert not reading.passages or ScriptedReader([]).count_tokens(reading) <= window
        assert all(TEXTS[p.document].startswith(p.text, p.start) for p in reading.passages)


@pytest.mark.parametrize(
    ("before", "within", "kept"),
    [
        ("", "the rent is 9,960", "the rent is"),
        ("", "the rent is 9,960,502", "the rent is 9,960,502"),
        ("", "the rent is ", "the rent is "),
        ("", "the", "the"),
        ("", "th", ""),
        ("the re", "nt is 9,960,502 euros", " is 9,960,502 euros"),
        ("the rent is 9,9", "60,502 euros a year", " euros a year"),
        ("the ", "rent", "rent"),
    ],
)
def test_a_cut_leaves_no_part_of_a_word_or_a_number(before: str, within: str, kept: str) -> None:
    text = "the rent is 9,960,502 euros a year"
    start, end = whole_words(text, len(before), len(before) + len(within))
    assert text[start:end] == kept


def test_a_text_without_white_space_is_cut_where_the_window_ends() -> None:
    text = "x" * (4 * LONGEST_WORD)
    assert whole_words(text, 10, 300) == (10, 300)


@pytest.mark.parametrize("window", range(4, 60, 3))
def test_the_middle_is_cut_out_between_words(window: int) -> None:
    number = "the rent of house 7 is 9,960,502.57 euros; " * 12
    made = fitter(window, {"long": number, "short": "One."})
    fit = made.documents(["long"], lambda ids: [], "middle")
    for reading in fit.readings:
        for passage in reading.passages:
            end = passage.start + len(passage.text)
            assert not re.match(r"\S\S", f" {number}"[passage.start : passage.start + 2])
            assert not re.match(r"\S\S", number[end - 1 : end + 1])


def test_rows_of_a_table_are_shown_with_its_header() -> None:
    rows = "\n".join(["quay | fee", "north | 40", "south | 25", "east | 31"])
    embedder = HashingEmbedder()
    chunks = [
        Chunk("t", 0, 21, rows[0:21], 4),
        Chunk("t", 22, 32, rows[22:32], 2, "quay | fee"),
        Chunk("t", 33, 42, rows[33:42], 2, "quay | fee"),
    ]
    items = [(Document("t", rows, "t"), chunks, embedder.embed([chunk.shown for chunk in chunks]).vectors)]
    made = Fitter(Index.in_memory("test", embedder.name, items, "240"), ScriptedReader([]), QUESTION, 100)
    assert made.index.chunks("t") == chunks
    fit = made.chunks([Hit(chunks[2], 0.5)])
    assert fit.readings[0].passages == (Passage("t", 33, "east | 31", "quay | fee"),)
    assert made.of_chunks(chunks[1:], ["t"]) == (Passage("t", 22, "south | 25\neast | 31", "quay | fee"),)
    assert made.of_chunks(chunks, ["t"]) == (Passage("t", 0, rows),)
