"""A page that is an image is named, and one with nothing to read on it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pdfs import Page, at, bound, composed, lines, picture, stream

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.pdf import read

pytestmark = pytest.mark.end_to_end  # a PDF is read in a process of its own

CASES = Path(__file__).parent / "cases" / "documents"
BARE = "page 2 of 3 holds no text: it is an image"
PROSE = "The harbour board keeps a register of all vessels that lie in the port, with owner and length. " * 4


def test_a_page_between_others_that_is_an_image_is_named() -> None:
    told = read(CASES / "a11-mixed-scan.pdf")
    assert told.warnings == (BARE,)
    assert told.readable == pytest.approx(2 / 3)


def test_a_stamp_on_a_scan_is_kept_and_the_scan_is_named() -> None:
    told = read(CASES / "b9-stamped-scan.pdf")
    assert told.text == "Exhibit 12 - page 1\nExhibit 12 - page 2"
    assert told.warnings == ("pages 1 and 2 of 2 hold no text but a few words: they are images",)
    assert told.readable == 0


def test_several_images_are_named_in_one_warning(tmp_path: Path) -> None:
    scan = picture(620, 877, "The fee is 88 euros", "and it is paid on arrival")
    told = read(bound(tmp_path, PROSE, scan, PROSE, "", scan, scan, scan))
    assert told.warnings == ("pages 2 and 5 to 7 of 7 hold no text: they are images",)
    assert told.readable == pytest.approx(2 / 6)  # the empty page holds nothing that could be read


def test_scans_alone_are_refused_with_what_reads_them(tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableFile, match=r"has no text layer .* pip install \"selfroute\[ocr\]\".*ingest\.ocr: true"
    ):
        read(bound(tmp_path, picture(620, 877, "The fee is 88 euros")))


@pytest.mark.parametrize("said", [(), ("",)])
def test_an_empty_scan_does_not_count(tmp_path: Path, said: tuple[str, ...]) -> None:
    told = read(bound(tmp_path, PROSE, picture(620, 877, *said)))
    assert (told.warnings, told.readable) == ((), 1)


def test_rules_and_a_small_logo_do_not_count(tmp_path: Path) -> None:
    rules = "".join(f"72 {y} m 520 {y} l S\n" for y in range(100, 800, 50))
    logo = f"q 60 0 0 30 72 780 cm {inline(8, 4)} Q\n"
    told = read(composed(tmp_path, Page(lines("The page.")), Page(rules), Page(logo + at(290, 20, "2"))))
    assert (told.warnings, told.readable) == ((), 1)


def test_a_picture_behind_much_text_does_not_count(tmp_path: Path) -> None:
    text = "\n".join(PROSE[start : start + 60] for start in range(0, len(PROSE), 60))
    told = read(bound(tmp_path, (picture(620, 877, "a watermark"), text)))
    assert (told.warnings, told.readable) == ((), 1)


def test_a_photograph_behind_a_title_does_not_count(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow draws the scan")
    photograph = image.linear_gradient("L").resize((620, 877))
    assert read(bound(tmp_path, (photograph, "Annual report"), PROSE)).warnings == ()


def test_text_that_is_laid_over_a_scan_unseen_is_its_text(tmp_path: Path) -> None:
    hidden = lines(*(PROSE[start : start + 60] for start in range(0, len(PROSE), 60))).replace("BT", "BT 3 Tr")
    told = read(composed(tmp_path, Page(f"q 595 0 0 842 0 0 cm {inline(64, 64)} Q\n{hidden}")))
    assert told.text.startswith("The harbour board")
    assert told.warnings == ()


def test_few_words_that_are_laid_over_a_scan_unseen_are_all_that_it_says(tmp_path: Path) -> None:
    hidden = lines("The title of the report").replace("BT", "BT 3 Tr")
    told = read(composed(tmp_path, Page(f"q 595 0 0 842 0 0 cm {inline(64, 64)} Q\n{hidden}")))
    assert (told.warnings, told.readable) == ((), 1)


@pytest.mark.parametrize("way", ["strips", "form", "mask"])
def test_an_image_in_strips_in_a_form_or_as_a_mask_is_an_image(tmp_path: Path, way: str) -> None:
    pictures = {
        "strips": "".join(f"q 595 0 0 43 0 {y} cm {inline(64, 8)} Q\n" for y in range(0, 842, 42)),
        "form": "q 2 0 0 2 0 0 cm /Fm Do Q",
        "mask": f"q 595 0 0 842 0 0 cm {inline(64, 64, mask=True)} Q",
    }
    form = stream("/Type /XObject /Subtype /Form /BBox [0 0 298 421]", f"q 298 0 0 421 0 0 cm {inline(64, 64)} Q")
    scan = Page(pictures[way], resources="/XObject << /Fm 4 0 R >>")
    told = read(composed(tmp_path, Page(lines("One.")), scan, Page(lines("Three.")), objects=[form]))
    assert told.warnings == (BARE,)


def test_letters_that_are_drawn_as_outlines_are_an_image(tmp_path: Path) -> None:
    outlines = "".join(f"{72 + 9 * x} {700 - 14 * y} 5 8 re f\n" for x in range(40) for y in range(9))
    told = read(composed(tmp_path, Page(lines("One.")), Page(outlines), Page(lines("Three."))))
    assert told.warnings == (BARE,)


def test_a_page_whose_fonts_name_no_characters_is_named(tmp_path: Path) -> None:
    nameless = (
        "<< /Type /Font /Subtype /Type0 /BaseFont /Secret /Encoding /Identity-H /DescendantFonts [<< /Type /Font "
        "/Subtype /CIDFontType2 /BaseFont /Secret /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) "
        "/Supplement 0 >> /FontDescriptor << /Type /FontDescriptor /FontName /Secret /Flags 4 >> >>] >>"
    )
    glyphs = "".join(f"{ord(letter) - 29:04x}" for letter in PROSE[:160])
    page = Page(f"BT /F2 12 Tf 72 700 Td <{glyphs}> Tj ET", resources="/Font << /F1 3 0 R /F2 4 0 R >>")
    told = read(composed(tmp_path, Page(lines("One.")), Page(lines("Two.")), page, objects=[nameless]))
    assert told.text == "One.\nTwo."
    assert told.warnings == ("the text of page 3 cannot be told: its font names no characters",)
    assert told.readable == pytest.approx(2 / 3)
    with pytest.raises(UnreadableFile, match="its fonts name no characters"):
        read(composed(tmp_path, page, objects=[nameless]))


def test_a_broken_page_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = composed(tmp_path, *[Page(lines(f"Page {number}.")) for number in (1, 2, 3)])
    path.write_bytes(path.read_bytes().replace(b"/Kids [4 0 R 6 0 R 8 0 R]", b"/Kids [4 0 R 99 0 R 8 0 R]"))
    told = read(path)
    assert told.text == "Page 1.\nPage 3."
    assert told.warnings == ("page 2 of 3 cannot be read: it is broken",)
    assert told.readable == pytest.approx(2 / 3)


def test_a_file_of_broken_pages_is_refused(tmp_path: Path) -> None:
    path = composed(tmp_path, Page(lines("Page 1.")))
    path.write_bytes(path.read_bytes().replace(b"/Kids [4 0 R]", b"/Kids [99 0 R]"))
    with pytest.raises(UnreadableFile, match="is broken: 1 of its 1 pages cannot be read"):
        read(path)


def inline(width: int, height: int, *, mask: bool = False) -> str:
    """An image with rows of letters, if one stands far enough away."""
    rows = []
    for row in range(height):
        rows.append("".join("6d" if row % 4 == 1 and not mask else "00" if mask else "ff" for _ in range(width // 8)))
        if mask and row % 4 == 1:
            rows[-1] = "92" * (width // 8)
    kind = "/IM true /D [1 0]" if mask else "/CS /G"
    return f"BI /W {width} /H {height} /BPC 1 {kind} /F /AHx ID {''.join(rows)}> EI"
