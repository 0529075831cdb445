"""Reads pages that are images, by RapidOCR on ONNX Runtime (extra `ocr`), whose models come with it: nothing is
downloaded.

Runs in the process that reads the PDF. A page takes seconds, so that a file has more time by its pages; what is not
read in that time stays named as unread.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.pdf import images as pdf_images
from selfroute.ingest.formats.pdf import layout as pdf_layout
from selfroute.ingest.formats.pdf.sheets import Kind, Sheet
from selfroute.ingest.formats.pdf.text import Box
from selfroute.ingest.formats.texts import ranges

MOST_SECONDS = 2 * 60 * 60
PAGE_SECONDS = 20
"""The time that a page is given, on average; the slowest page ends everything in `SPARE_SECONDS` more."""
SPARE_SECONDS = 120

FINE, COARSE = 200, 100
"""Dots per inch: no page is read finer, and none coarser."""
MOST_PIXELS = 16_000_000
MOST_DRAWN = 300_000_000
"""Pixels of a page as it is read, and of the images on it."""
MOST_THREADS = 4
SURE = 0.8


@dataclass(frozen=True, slots=True)
class Read:
    """Describes what an image says, in the order of reading, and how sure that is."""

    text: str = ""
    confidence: float = 0.0

    @property
    def worth(self) -> float:
        return self.confidence * len(self.text)


def read(document: Any, sheets: Sequence[Sheet], path: Path, seconds: int) -> list[Sheet]:
    """The sheets, with the text of those that are images. Raises `UnreadableFile` without the extra."""
    from pypdfium2 import PdfiumError

    waiting = [number for number, sheet in enumerate(sheets) if sheet.is_for_ocr]
    if not waiting:
        return [*sheets]
    limit = min(seconds + PAGE_SECONDS * len(waiting), MOST_SECONDS)
    signal.alarm(limit + SPARE_SECONDS)
    end = time.monotonic() + limit
    engine = _engine(path, [number + 1 for number in waiting])
    made = [*sheets]
    for number in waiting:
        if time.monotonic() > end:
            break
        page = document[number]
        try:
            if pdf_images.seen(page).pixels > MOST_DRAWN:
                continue
            found = _page(engine, page)
        except PdfiumError:  # what cannot be drawn stays named
            continue
        finally:
            page.close()
        if found.text:
            made[number] = Sheet(
                _both(sheets[number], found.text), letters=sheets[number].letters, confidence=found.confidence
            )
    return made


def _engine(path: Path, numbers: Sequence[int]) -> Any:
    try:
        import cv2
        import rapidocr
    except ImportError as error:
        pages = (
            f"page{'s' * (len(numbers) > 1)} {ranges(numbers)} {'are images' if len(numbers) > 1 else 'is an image'}"
        )
        raise UnreadableFile(path, f'{pages}, and OCR is not installed: pip install "selfroute[ocr]"') from error
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    cv2.setNumThreads(threads)
    models = Path(rapidocr.__file__).parent / "models"
    settings: dict[str, Any] = {
        "Global.log_level": "critical",
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
    }
    for part in ("det", "rec", "cls"):  # named, since a model that is not named may be fetched from the network
        files = sorted(models.glob(f"*_{part}_*.onnx"))
        if not files:
            raise UnreadableFile(path, 'OCR lacks its models: pip install --force-reinstall "selfroute[ocr]"')
        settings[f"{part.capitalize()}.model_path"] = str(files[0])
    return rapidocr.RapidOCR(params=settings)


def _page(engine: Any, page: Any) -> Read:
    """A page as it is, turned where it does not stand upright, and coarser where nothing is found."""
    best = Read()
    for dots in dict.fromkeys((_dots(page), COARSE)):
        image = _rendered(page, dots)
        best, lies = _image(engine, image)
        if lies:
            upright = max((_image(engine, _turned(image, turns))[0] for turns in (1, 3)), key=lambda read: read.worth)
            return upright if upright.text else best
        if best.text and best.confidence < SURE:
            return max(best, _image(engine, _turned(image, 2))[0], key=lambda read: read.worth)
        if best.text:
            return best
    return best


def _dots(page: Any) -> int:
    """Dots per inch of the page's largest image, as far as it makes sense: letters that are blown up are not found."""
    from pypdfium2 import raw

    most, dots = 0.0, float(FINE)
    for image in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = image.get_bounds()
        area = (right - left) * (top - bottom)
        if area > most:
            most, dots = area, image.get_px_size()[0] * 72 / max(right - left, 1)
    return round(max(COARSE, min(FINE, dots)))


def _rendered(page: Any, dots: int) -> Any:
    width, height = page.get_size()
    scale = dots / 72
    if width * height * scale**2 > MOST_PIXELS:
        scale = (MOST_PIXELS / (width * height)) ** 0.5
    bitmap = page.render(scale=scale, rev_byteorder=False)
    try:
        return bitmap.to_numpy()[:, :, :3].copy()
    finally:
        bitmap.close()


def _turned(image: Any, turns: int) -> Any:
    import numpy as np

    return np.ascontiguousarray(np.rot90(image, turns))


def _image(engine: Any, image: Any) -> tuple[Read, bool]:
    """Return what is read of an image, and whether its lines lie on their side."""
    made = engine(image, use_cls=False)
    if made.txts is None or made.boxes is None:
        return Read(), False
    boxes = []
    texts: list[str] = []
    weight = score = 0.0
    lying = 0
    for corners, text, sure in zip(made.boxes.tolist(), made.txts, made.scores, strict=True):
        if not text.strip():
            continue
        across, down = [corner[0] for corner in corners], [-corner[1] for corner in corners]
        boxes.append((min(across), min(down), max(across), max(down)))
        texts.append(text.strip())
        lying += len(text) * (max(down) - min(down) > 1.5 * (max(across) - min(across)))
        weight += len(text)
        score += len(text) * float(sure)
    if not texts:
        return Read(), False
    return Read("\n".join(_lines(boxes, texts)), score / weight), lying > weight / 2


def _lines(boxes: Sequence[Box], texts: Sequence[str]) -> list[str]:
    """The texts in lines from the top down, columns of running text one after the other."""
    height = pdf_layout.median(box[3] - box[1] for box in boxes)
    rows: list[list[int]] = []
    for at in sorted(range(len(boxes)), key=lambda at: -(boxes[at][1] + boxes[at][3])):
        middle = (boxes[at][1] + boxes[at][3]) / 2
        if rows and abs((boxes[rows[-1][0]][1] + boxes[rows[-1][0]][3]) / 2 - middle) < 0.5 * height:
            rows[-1].append(at)
        else:
            rows.append([at])
    order = [at for row in rows for at in sorted(row, key=lambda at: boxes[at][0])]
    row_of = {at: number for number, row in enumerate(rows) for at in row}
    pieces = [pdf_layout.Piece(number, number, *boxes[at]) for number, at in enumerate(order)]
    said = [texts[at] for at in order]
    lines: list[str] = []
    done = 0

    def plain(begin: int, end: int) -> None:
        for number in range(begin, end):
            if number > begin and row_of[order[number]] == row_of[order[number - 1]]:
                lines[-1] += f" {said[number]}"
            else:
                lines.append(said[number])

    for band in pdf_layout.bands(pieces):
        arranged = pdf_layout.reordered(pieces, said, band)
        if arranged is not None:
            plain(done, band.begin)
            lines += [" ".join(said[one] for one in line) for line in arranged]
            done = band.end
    plain(done, len(order))
    return lines


def _both(sheet: Sheet, found: str) -> str:
    """Return what OCR read, with what the page has as text and OCR did not see; text that nothing names is left out."""
    if sheet.kind is Kind.NAMELESS:
        return found
    seen = "".join(found.split()).casefold()
    also = [line for line in sheet.text.split("\n") if "".join(line.split()).casefold() not in seen]
    return "\n".join([*also, found])
