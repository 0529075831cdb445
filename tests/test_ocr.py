"""Pages that are images are read by OCR where that is wanted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pdfs import bound, picture

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.pdf import read

pytestmark = pytest.mark.end_to_end  # a PDF is read in a process of its own

CASES = Path(__file__).parent / "cases" / "documents"


@pytest.fixture
def engine() -> None:
    pytest.importorskip("rapidocr", reason='OCR is an extra: pip install "selfroute[ocr]"')


@pytest.mark.usefixtures("engine")
def test_a_scan_between_pages_of_text_is_read(tmp_path: Path) -> None:
    scan = picture(1240, 1754, "The harbour fee is 88 euros a night.", "It is paid at the office.")
    told = read(bound(tmp_path, "The first page.", scan, "The third page."), ocr=True)
    assert told.text == (
        "The first page.\nThe harbour fee is 88 euros a night.\nIt is paid at the office.\nThe third page."
    )
    assert told.readable == 1
    assert len(told.pages) == 3
    (warning,) = told.warnings
    assert re.fullmatch(r"page 2 of 3 was read by OCR, with a confidence of 0\.9\d: check what you rely on", warning)


@pytest.mark.usefixtures("engine")
def test_the_small_letters_of_the_case_are_read() -> None:
    told = read(CASES / "a11-mixed-scan.pdf", ocr=True)
    assert "THE SCANNED ANNEX SAYS THE FEE IS 88 EUROS" in told.text
    assert told.readable == 1


@pytest.mark.usefixtures("engine")
def test_a_stamp_stays_beside_what_is_read_below_it() -> None:
    told = read(CASES / "b9-stamped-scan.pdf", ocr=True)
    assert told.text.count("Exhibit 12 - page 1") == 1
    assert "88 EUROS" in told.text.upper()
    assert told.warnings[0].startswith("pages 1 and 2 of 2 were read by OCR, with a confidence of ")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("turns", [90, 180, 270])
def test_a_scan_that_lies_on_its_side_or_head_is_read(tmp_path: Path, turns: int) -> None:
    said = ("The harbour fee is 88 euros a night.", "It is paid at the office.", "The master signs the receipt.")
    scan = picture(800, 800, *said, size=24).rotate(turns)
    assert read(bound(tmp_path, scan), ocr=True).text == "\n".join(said)


@pytest.mark.usefixtures("engine")
def test_columns_of_a_scan_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = ("The north quay has forty", "berths, and the fee is", "40 euros a night, paid", "at the office by noon.")
    right = ("The south quay has ten", "berths, and the fee is", "25 euros a night, paid", "to the master by radio.")
    scan = picture(1240, 1754, *left, size=30)
    beside = picture(1240, 1754, *right, size=30)
    scan.paste(beside.crop((100, 0, 720, 1754)), (640, 0))
    assert read(bound(tmp_path, scan), ocr=True).text == "\n".join([*left, *right])


@pytest.mark.usefixtures("engine")
def test_an_image_without_letters_stays_named(tmp_path: Path) -> None:
    drawing = pytest.importorskip("PIL.ImageDraw", reason="Pillow draws the scan")
    blot = picture(620, 877)
    drawing.Draw(blot).ellipse((100, 100, 500, 700), fill=90)
    told = read(bound(tmp_path, "The first page.", blot), ocr=True)
    assert told.text == "The first page."
    assert told.warnings == ("page 2 of 2 holds no text: it is an image",)


@pytest.mark.usefixtures("engine")
def test_what_has_no_images_needs_no_ocr(tmp_path: Path) -> None:
    told = read(bound(tmp_path, "The first page."), ocr=True)
    assert (told.text, told.warnings) == ("The first page.", ())


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rapidocr.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(tmp_path)
    path = bound(tmp_path, "The first page.", picture(620, 877, "The fee is 88 euros"))
    with pytest.raises(
        UnreadableFile, match=r'page 2 is an image, and OCR is not installed: pip install "selfroute\[ocr\]"'
    ):
        read(path, ocr=True)
    assert read(path).text == "The first page."
    assert read(bound(tmp_path, "Text alone."), ocr=True).text == "Text alone."


def test_without_its_models_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2", reason='OCR is an extra: pip install "selfroute[ocr]"')
    (tmp_path / "rapidocr").mkdir()
    (tmp_path / "rapidocr" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnreadableFile, match="OCR lacks its models"):
        read(bound(tmp_path, picture(620, 877, "The fee is 88 euros")), ocr=True)
