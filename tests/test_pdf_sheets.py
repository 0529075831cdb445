"""What is said of the pages of a PDF as they were read."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.pdf.sheets import Kind, Sheet, told
from selfroute.ingest.formats.pdf.text import _is_language

PATH = Path("a.pdf")
TEXT = Sheet("Words.")


def test_pages_that_were_read_need_no_words() -> None:
    made = told([TEXT, Sheet(""), TEXT], PATH)
    assert (made.text, made.pages, made.warnings, made.readable) == ("Words.\nWords.", (0, 7, 7), (), 1)


def test_each_kind_of_page_that_was_not_read_has_a_warning() -> None:
    image, broken = Sheet("", Kind.IMAGE), Sheet("", Kind.BROKEN)
    sheets = [TEXT, image, Sheet("p. 3", Kind.IMAGE), Sheet("", Kind.NAMELESS), broken, image, image, image, broken]
    made = told(sheets, PATH)
    assert made.warnings == (
        "pages 2 and 6 to 8 of 9 hold no text: they are images",
        "page 3 of 9 holds no text but a few words: it is an image",
        "the text of page 4 cannot be told: its font names no characters",
        "pages 5 and 9 of 9 cannot be read: they are broken",
    )
    assert made.readable == pytest.approx(1 / 9)


def test_the_confidence_of_ocr_is_told_with_the_page_that_is_much_worse() -> None:
    made = told([TEXT, Sheet("a", confidence=0.98), Sheet("b", confidence=0.96)], PATH)
    assert made.warnings == ("pages 2 and 3 of 3 were read by OCR, with a confidence of 0.97: check what you rely on",)
    made = told([Sheet("a", confidence=0.98), Sheet("b", confidence=0.7)], PATH)
    assert made.warnings == (
        "pages 1 and 2 of 2 were read by OCR, with a confidence of 0.84 (0.70 on page 2): check what you rely on",
    )


@pytest.mark.parametrize(
    ("kinds", "ocr", "reason"),
    [
        (
            [Kind.READ],
            False,
            r"has no text layer \(a scan\?\): make one with an OCR program first, or .*selfroute\[ocr\]",
        ),
        ([Kind.IMAGE, Kind.BROKEN], False, "has no text layer"),
        ([Kind.IMAGE], True, "has no text layer, and OCR finds no text in its images"),
        (
            [Kind.NAMELESS],
            False,
            "has no text that can be told, as its fonts name no characters: .*selfroute index --ocr",
        ),
        ([Kind.BROKEN, Kind.BROKEN], False, "is broken: 2 of its 2 pages cannot be read"),
    ],
)
def test_a_file_without_any_text_is_refused(kinds: list[Kind], ocr: bool, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        told([Sheet("", kind) for kind in kinds], PATH, ocr=ocr)


@pytest.mark.parametrize(
    ("text", "is_language"),
    [
        ("甲方：中国饮料有限公司（盖章）", True),  # noqa: RUF001 (as they are written)
        ("港口夜间作业。须经港务长、书面批准。", True),
        ("The harbour master keeps the gate.", True),
        ("'(6&5,37,21 ]RQH ;=%$ QRW WKLV", False),
    ],
)
def test_words_are_told_from_signs_without_white_space_too(text: str, is_language: bool) -> None:
    assert _is_language(text) == is_language
