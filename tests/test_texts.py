"""Bytes become the text that was written, in whatever encoding, or are refused with what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.texts import MOST_BYTES, content, decoded, names_page, paged, ranges

HERE = Path("a.txt")
SWEDISH = "Hamnkaptenen godkänner nattarbete. Färjan går varje dag från Åland till Överby.\n"
TYPOGRAPHIC = "The “harbour master” – Olof’s brother – charges 5 € a night.\n"  # noqa: RUF001
WRITTEN = {
    "utf-8": SWEDISH,
    "utf-8-sig": SWEDISH,
    "utf-16": SWEDISH,
    "utf-32": SWEDISH,
    "latin-1": SWEDISH,
    "cp1252": TYPOGRAPHIC,
    "cp1250": "Přístavní správce schvaluje noční práci. Žluťoučký kůň pěl ďábelské ódy.\n",
    "cp1251": "Начальник порта утверждает ночные работы. Паром ходит каждый день.\n",
    "koi8_r": "Начальник порта утверждает ночные работы. Паром ходит каждый день.\n",
    "iso8859_7": "Ο λιμενάρχης εγκρίνει τη νυχτερινή εργασία.\n",  # noqa: RUF001
    "shift_jis": "港長は夜間作業を承認する。フェリーは毎日出ます。\n",
    "euc_jp": "港長は夜間作業を承認する。フェリーは毎日出ます。\n",
    "gb18030": "港长批准夜间工作。渡轮每天出发。\n",
    "big5": "港長批准夜間工作。渡輪每天出發。\n",
    "euc_kr": "항만장이 야간 작업을 승인합니다. 페리는 매일 출발합니다.\n",
}


@pytest.mark.parametrize("times", [1, 40], ids=["a line", "a page"])
@pytest.mark.parametrize(("encoding", "text"), WRITTEN.items(), ids=WRITTEN)
def test_a_text_is_read_as_it_was_written(encoding: str, text: str, times: int) -> None:
    assert decoded((text * times).encode(encoding), HERE) == text * times


@pytest.mark.parametrize("text", ["Åland and Överby", "café", "naïve 5 £ for a Ørsted", "Straße"])
def test_a_few_letters_in_latin_1_are_enough(text: str) -> None:
    assert decoded(text.encode("latin-1"), HERE) == text


def test_a_letter_far_behind_much_ascii_is_read_as_well() -> None:
    text = "Plain words.\n" * 50_000 + SWEDISH
    assert decoded(text.encode("latin-1"), HERE) == text


def test_what_is_declared_counts_where_it_is_no_utf_8() -> None:
    assert decoded("Dağ".encode("iso8859_9"), HERE, "iso-8859-9") == "Dağ"
    assert decoded("Färja".encode(), HERE, "iso-8859-9") == "Färja"


@pytest.mark.parametrize("declared", ["nonsense", "utf-8", "ascii", "idna", "rot13", "base64"])
def test_a_declaration_that_cannot_be_true_is_passed_over(declared: str) -> None:
    assert decoded(SWEDISH.encode("latin-1"), HERE, declared) == SWEDISH


def test_utf_8_with_a_bad_byte_is_not_read_as_something_else() -> None:
    data = SWEDISH.encode() + b"\xff"
    with pytest.raises(UnreadableFile, match=rf"is damaged UTF-8 \(byte {len(data) - 1}\): convert it"):
        decoded(data, HERE)


def test_bytes_of_no_language_are_refused() -> None:
    with pytest.raises(UnreadableFile, match=r"is binary|not text in any encoding"):
        decoded(bytes(range(128, 256)) * 3 + bytes(range(1, 32)), HERE)


def test_a_file_beyond_the_limit_is_refused_before_it_is_read_further(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(UnreadableFile, match="is larger than 512 MB: split it"):
        content(path)


@pytest.mark.parametrize(
    ("numbers", "written"),
    [([], ""), ([1], "1"), ([1, 2], "1 and 2"), ([2, 5, 7, 8, 9], "2, 5 and 7 to 9"), ([1, 2, 3], "1 to 3")],
)
def test_numbers_are_listed_as_people_write_them(numbers: list[int], written: str) -> None:
    assert ranges(numbers) == written


def test_slides_without_text_take_no_place() -> None:
    assert paged(["One", "", "Two", ""]) == ("One\n\nTwo", (0, 5, 5, 8))
    assert paged([]) == ("", ())


@pytest.mark.parametrize(
    ("line", "bare"), [("Page of", True), ("- Seite / von -", True), ("Page of fees", False), ("2024", False)]
)
def test_the_frame_of_a_page_number_says_nothing(line: str, bare: bool) -> None:
    assert names_page(line) is bare
