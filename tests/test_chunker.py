"""A document's chunks are slices of it, in its order, that hold all that is visible and fit the embedder."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.ingest.chunker import SECTION, Chunker, sections
from selfroute.ingest.cuts import STRETCH
from selfroute.types import Chunk, Document
from selfroute.waiting import GivenUp

CASES = Path(__file__).parent / "cases" / "documents"
SPACES = [" ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", "\u00a0", "\u2028", "\u2029", "\u0085", "\u001c", "\u3000", "\v"]
WORDS = [
    *("harbour", "Night", "work", "x" * 300, "don't", "3.14", "e.g.", "Mr.", "etc.", "https://a.b/c?d=1"),
    *(
        "Überfahrt",
        "e\u0301te\u0301",
        "\u0301",
        "港口",
        "한국어",
        "हिन्दी",
        "שלום",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\x1b",
    ),
    *("😀", "👩\u200d👩\u200d👧", "🏳️\u200d🌈", "\ufffd", "\U0010ffff"),
]
MARKS = [
    " | ",
    "|",
    "1,234.56",
    ".",
    "!",
    "?",
    "...",
    ",",
    ";",
    ":",
    '"',
    "'",
    ")",
    "(",
    "—",
    "--",
    "。",
    "\uff1f",
    "”",
    "*",
]

parts = st.lists(st.sampled_from(SPACES + WORDS + MARKS), max_size=200).map("".join)
repeated = st.builds(
    lambda unit, times: unit * times, st.text(max_size=12) | parts.map(lambda t: t[:40]), st.integers(1, 400)
)
texts = parts | repeated | st.text(max_size=400) | st.lists(repeated | parts, max_size=4).map("".join)

HOSTILE = {
    "no space at all": "a" * 5_000,
    "Chinese": "港口夜间作业须经港务长书面批准" * 400,
    "Chinese sentences": "港口夜间作业。须经港务长书面批准\uff1f" * 400,
    "Korean": "한국어" * 1_000,
    "Thai": "ภาษาไทย" * 700,
    "base64": "TWFu+IGlz/IGRpc3Rpbmd1aXNo+ZWQsIG5vdCBvbmx5/" * 200,
    "hexadecimal": "0123456789abcdef" * 400,
    "words of 99 letters": f"{'x' * 99} " * 100,
    "emoji": "😀" * 5_000,
    "emoji apart": "😀 " * 5_000,
    "families": "👩\u200d👩\u200d👧" * 1_000,
    "exclamation marks": "!" * 5_000,
    "questions and exclamations": "?!" * 3_000,
    "dots": "." * 5_000,
    "dashes": "—" * 5_000,
    "sentences that end at no-break spaces": "Yes.\u00a0" * 3_000,
    "letters in sentences of their own": "a. " * 3_000,
    "combining marks": "\u0301" * 5_000,
    "accents": "e\u0301" * 3_000,
    "next lines": "work\u0085" * 3_000,
    "line separators": "work\u2028" * 3_000,
    "file separators": "work\u001c" * 3_000,
}


def test_a_short_text_is_one_chunk() -> None:
    [chunk] = chunked("Night work is approved by Olof Berg.", 16)
    assert chunk == Chunk("d", 0, 36, "Night work is approved by Olof Berg.", 8)


@pytest.mark.parametrize("text", ["", " ", "\n\r\n\t\u00a0\u2028\u0085\u001c"])
def test_a_text_without_a_visible_character_has_no_chunk(text: str) -> None:
    assert chunked(text, 16) == []


def test_white_space_around_chunks_belongs_to_none() -> None:
    text = "\ufeff \r\n One two. \r\n\r\n"
    [chunk] = chunked(text.removeprefix("\ufeff"), 16)
    assert (chunk.start, chunk.text) == (4, "One two.")


@pytest.mark.parametrize("space", [" ", "\n", "\r\n", "\u00a0", "\u2028", "\u0085"])
def test_chunks_end_where_sentences_end_whatever_the_white_space(space: str) -> None:
    text = space.join(["One two three!", "Four five six!", "Seven eight nine!"] * 2)
    assert [chunk.text.split()[0] for chunk in chunked(text, 9)] == ["One", "Seven", "Four"]


def test_paragraphs_are_kept_whole_before_sentences_are() -> None:
    text = "One two.\n\nThree four five. Six seven."
    assert [chunk.text for chunk in chunked(text, 7)] == ["One two.", "Three four five. Six seven."]


def test_paragraphs_that_repeat_are_found_where_they_stand() -> None:
    text = "Same again.\n\n" * 6
    assert [chunk.start for chunk in chunked(text, 3)] == [0, 13, 26, 39, 52, 65]


def test_carriage_returns_count_as_characters() -> None:
    text = "One two three.\r\n\r\nFour five six.\r\n"
    assert [(chunk.start, chunk.end) for chunk in chunked(text, 4)] == [(0, 14), (18, 32)]


@given(texts, st.integers(1, 40))
@example("!?" * 1_500, 16)
@example("Yes.\u00a0" * 1_500, 16)
@example("'\u2014\u0301." * 40 + "中é", 16)
@settings(max_examples=150)
def test_any_text_is_covered_in_order_by_chunks_within_the_limit(text: str, limit: int) -> None:
    whole(text, chunked(text, limit), HashingEmbedder().count_tokens, limit)


@given(texts, st.sampled_from([16, 40, 240]))
@settings(max_examples=100)
def test_any_text_is_covered_by_chunks_that_the_bundled_embedder_reads_whole(text: str, limit: int) -> None:
    chunks = Chunker(OnnxEmbedder().count_tokens, limit).chunks(Document("d", text, "d.txt"))
    whole(text, chunks, OnnxEmbedder().count_tokens, limit)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_cut_to_what_the_bundled_embedder_reads(name: str) -> None:
    chunks = Chunker(OnnxEmbedder().count_tokens, 240).chunks(Document("d", HOSTILE[name], "d.txt"))
    whole(HOSTILE[name], chunks, OnnxEmbedder().count_tokens, 240)


@pytest.mark.parametrize(
    "count",
    [lambda text: len(text.encode()), lambda text: len(text.split()) ** 2, lambda text: text.count("a") * 3],
    ids=["bytes, white space too", "more for the whole than for its parts", "none for most"],
)
@given(text=texts)
@settings(max_examples=40)
def test_the_limit_holds_for_tokenizers_that_do_not_add_up(count: Callable[[str], int], text: str) -> None:
    whole(text, Chunker(count, 8).chunks(Document("d", text, "d.txt")), count, 8)


def test_a_character_that_alone_exceeds_the_limit_is_a_chunk_of_its_own() -> None:
    chunks = Chunker(lambda text: 3 * len(text), 2).chunks(Document("d", "ab c", "d.txt"))
    assert [(chunk.text, chunk.tokens) for chunk in chunks] == [("a", 3), ("b", 3), ("c", 3)]


def test_sentences_are_found_across_the_stretches_that_are_looked_at_in_turn() -> None:
    sentences = [f"Berth {number} was let to a company of the town." for number in range(2_000)]
    text = " ".join(sentences)
    assert len(text) > 3 * STRETCH
    assert [chunk.text for chunk in chunked(text, 11)] == sentences


def test_a_sentence_longer_than_a_stretch_is_split_all_the_same() -> None:
    text = "word " * (STRETCH // 2) + "end."
    whole(text, chunked(text, 100), HashingEmbedder().count_tokens, 100)


@pytest.mark.slow
def test_a_long_document_is_split_a_section_at_a_time_and_covered_all_the_same() -> None:
    text = "".join(f"Sentence {n} of a long document stands here.\n" for n in range(50_000))
    parts = list(sections(text))
    assert len(parts) > 2
    assert max(end - start for start, end in parts) <= SECTION
    assert [text[start:end] for start, end in parts if not text[:end].endswith("here.") and end < len(text)] == []
    chunks = Chunker(lambda part: len(part.split()), 240).chunks(Document("a", text, "a.txt"))
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)


@pytest.mark.parametrize("text", ["x" * (2 * SECTION + 1), " " * (SECTION + 5), "", "\n\n" * SECTION])
def test_sections_cover_a_text_without_gaps(text: str) -> None:
    parts = list(sections(text))
    assert "".join(text[start:end] for start, end in parts) == text
    assert max(end - start for start, end in parts) <= SECTION


def test_what_splitting_a_document_counts_does_not_grow_with_its_square() -> None:
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text.split())

    text = "\n\n".join(" ".join(f"Sentence {n} {m} stands." for m in range(40)) for n in range(400))
    Chunker(count, 100).chunks(Document("a", text, "a.txt"))
    assert sum(counted) < 5 * len(text)


def test_chunks_carry_the_id_of_their_document() -> None:
    chunks = Chunker(HashingEmbedder().count_tokens, 4).chunks(Document("a/b.md", "One two. Three four.", "b.md"))
    assert [chunk.document for chunk in chunks] == ["a/b.md", "a/b.md"]


def chunked(text: str, limit: int) -> list[Chunk]:
    return Chunker(HashingEmbedder().count_tokens, limit).chunks(Document("d", text, "d.txt"))


def whole(text: str, chunks: list[Chunk], count: Callable[[str], int], limit: int) -> None:
    """Every promise of the module."""
    covered = 0
    for chunk in chunks:
        assert text[covered : chunk.start].strip() == "", "something visible is in no chunk, or chunks overlap"
        assert chunk.start >= covered
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        assert chunk.tokens == count(chunk.text)
        assert chunk.tokens <= limit or len(chunk.text) == 1
        assert chunk.header == "" or (count(chunk.shown) <= limit and chunk.header in text[: chunk.start])
        covered = chunk.end
    assert text[covered:].strip() == ""
    starts = [chunk.start for chunk in chunks]
    assert starts == sorted(set(starts))


@given(st.text(alphabet="ab .\n", max_size=400), st.integers(1, 12))
def test_a_limit_in_words_holds_beside_the_one_in_tokens(text: str, words: int) -> None:
    count = HashingEmbedder().count_tokens
    made = Chunker(count, 30, words).chunks(Document("d", text, "d.txt"))
    assert all(len(chunk.text.split()) <= words and chunk.tokens <= 30 for chunk in made)
    whole(text, made, count, 30)


def test_the_papers_chunks_are_of_300_words_where_the_embedder_has_room() -> None:
    sentence = "The watch looked out over the fairway and wrote down the wind. "
    chunks = Chunker(OnnxEmbedder(positions=512).count_tokens, 510, 300).chunks(Document("d", sentence * 100, "d"))
    assert [len(chunk.text.split()) for chunk in chunks] == [300, 300, 300, 300]


def test_a_split_that_is_given_up_ends_before_the_text_does() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text.split())

    text = "The quay is long. " * 5000
    with pytest.raises(GivenUp):
        Chunker(count, 20, given_up=lambda: len(counted) >= 10).chunks(Document("d", text, "d.txt"))
    assert len(counted) == 10
    with pytest.raises(GivenUp):
        Chunker(count, 20, given_up=lambda: True).chunks(Document("d", text, "d.txt"))
    assert len(counted) == 10


@pytest.mark.parametrize("name", ["d1-quays.txt", "d2-cut-number.txt", "d3-long-table.md"])
@pytest.mark.parametrize("limit", [24, 40, 240])
def test_no_border_is_in_a_number_or_a_word(name: str, limit: int) -> None:
    text = (CASES / name).read_text()
    chunks = chunked(text, limit)
    assert all(text[chunk.end : chunk.end + 1].isspace() for chunk in chunks[:-1])
    whole(text, chunks, HashingEmbedder().count_tokens, limit)


@given(st.text(alphabet="ab 19,.;\n|-", max_size=400), st.integers(1, 12))
def test_a_border_is_in_a_number_only_where_that_alone_exceeds_the_limit(text: str, limit: int) -> None:
    chunks = Chunker(len, limit).chunks(Document("d", text, "d.txt"))
    for before, after in pairwise(chunks):
        if before.end == after.start and before.text[-1] in "19,." and after.text[0] in "19,.":
            number = re.search(r"[19,.]+$", before.text)
            rest = re.match(r"[19,.]+", after.text)
            assert number is not None
            assert rest is not None
            assert len(number[0] + rest[0]) > limit


def test_rows_stay_whole_and_have_their_header_beside_them() -> None:
    rows = [f"B{n} | {n + 20} | {n}.5 euros | {1900 + n}" for n in range(60)]
    text = "Berths of the harbour.\n\nberth | length | fee | built\n" + "\n".join(rows) + "\n\nThe end."
    chunks = chunked(text, 60)
    whole(text, chunks, HashingEmbedder().count_tokens, 60)
    assert chunks[0].header == ""
    assert {chunk.header for chunk in chunks[1:]} == {"berth | length | fee | built"}
    shown = [line for chunk in chunks for line in chunk.text.split("\n")]
    assert [line for line in shown if line.startswith("B") and " | " in line and "length" not in line] == rows


def test_a_table_that_fits_needs_no_header_beside_it() -> None:
    text = "berth | fee\nB1 | 40\nB2 | 25\nB3 | 31"
    assert [(chunk.text, chunk.header) for chunk in chunked(text, 60)] == [(text, "")]


def test_a_row_longer_than_a_chunk_has_the_names_of_its_cells_beside_it() -> None:
    names = " | ".join(f"name{n}" for n in range(20))
    rows = "\n".join(" | ".join(f"value{row} {n}" for n in range(20)) for row in range(4))
    text = f"{names}\n{rows}"
    chunks = chunked(text, 40)
    whole(text, chunks, HashingEmbedder().count_tokens, 40)
    of_rows = [chunk for chunk in chunks if chunk.start > len(names)]
    assert of_rows
    for chunk in of_rows:
        values = [int(number) for number in re.findall(r"value\d (\d+)", chunk.text)]
        assert chunk.header.split(" | ") == [f"name{n}" for n in values]


def test_a_row_whose_header_leaves_no_room_stays_whole_without_it() -> None:
    header = " | ".join(f"the long name {n}" for n in range(4))
    rows = "\n".join(f"one{n} | two{n} | three{n} | four{n} and a few more words" for n in range(8))
    chunks = chunked(f"{header}\n{rows}", 26)
    assert "" in {chunk.header for chunk in chunks if chunk.text.startswith("one")}
    assert all(len(line.split(" | ")) == 4 for chunk in chunks for line in chunk.text.split("\n"))


def test_rows_of_a_csv_file_stay_whole() -> None:
    rows = [f"quay: Quay {n}; season: summer; fee: {n},50" for n in range(40)]
    chunks = chunked("\n\n".join(rows), 40)
    assert [row for chunk in chunks for row in chunk.text.split("\n\n")] == rows


def test_a_long_cell_is_as_many_chunks_as_it_takes() -> None:
    text = "Section | Text\nA | " + "harbour " * 2000 + "\nB | short\nC | short"
    chunks = chunked(text, 200)
    whole(text, chunks, HashingEmbedder().count_tokens, 200)
    assert len(chunks) < 14
    assert [chunk.header for chunk in chunks[1:-1]] == ["Section | Text"] * (len(chunks) - 2)


def test_the_cell_before_a_long_one_stays_with_it() -> None:
    text = "| q | a |\n|---|---|\n| Who? | " + "It is Olof Berg. " * 60 + "|\n| When? | Now. |"
    chunks = chunked(text, 60)
    [first] = [chunk for chunk in chunks if "Who?" in chunk.text]
    assert "Olof Berg" in first.text


def test_a_table_longer_than_a_section_has_one_header() -> None:
    text = "quay | fee | year\n" + "".join(f"q{n} | {n * 3} | {n}\n" for n in range(70_000))
    assert len(text) > SECTION
    chunks = Chunker(lambda part: len(part) // 4, 240).chunks(Document("d", text, "d"))
    assert {chunk.header for chunk in chunks[1:]} == {"quay | fee | year"}


def test_a_section_does_not_end_in_a_number() -> None:
    text = "1,250.75;" * 200_000
    ends = [end for _, end in sections(text)][:-1]
    assert ends
    assert all(text[end - 1] == ";" or text[end] == ";" for end in ends)


def test_a_row_of_very_many_cells_is_split_in_time_that_grows_with_it() -> None:
    counted: list[int] = []

    def count(part: str) -> int:
        counted.append(len(part))
        return len(part) // 2

    text = "\n".join("|".join(f" c{n} " for n in range(4_000)) for _ in range(3))
    Chunker(count, 100).chunks(Document("d", text, "d"))
    assert sum(counted) < 20 * len(text)


def test_lines_that_end_as_windows_ends_them_are_no_paragraphs() -> None:
    lines = ["The harbour master keeps the gate of the quay,", "and whoever comes asks for leave there first."] * 6
    unix, windows = (chunked(end.join(lines), 40) for end in ("\n", "\r\n"))
    assert [chunk.text.split() for chunk in unix] == [chunk.text.split() for chunk in windows]


@pytest.mark.parametrize("number", ["1\u00a0250", "1\u202f250", "1 250", "1 250 000,50", "３，５００", "1'250.50"])  # noqa: RUF001
@pytest.mark.parametrize("limit", range(3, 12))
def test_no_border_is_in_a_number_however_it_is_written(number: str, limit: int) -> None:
    text = f"The fee is {number} euros, and the fine of last year was {number} euros; so it is " * 3
    chunks = Chunker(lambda part: len(part.split(" ")), limit).chunks(Document("d", text, "d"))
    assert sum(chunk.text.count(number) for chunk in chunks) == 6
