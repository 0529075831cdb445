"""Reads what is written on a page of a PDF and is no part of its text: filled fields of forms, typed remarks, comments.

Each becomes a line of its own, `Applicant: Ola Moe`, below the line of the page that it stands at.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from selfroute.ingest.formats.pdf.text import Written

MOST_NOTES = 5_000
MOST_NAME = 200
REACH = 260.0
"""How far from a field its printed name may stand, in points."""

UNNAMED = re.compile(
    r"(?:text|field|undefined|untitled|fill|form|input|text ?field|text ?box|drop ?down|combo ?box|list ?box|check ?box"
    r"|radio ?button|button|group|row|[a-z])?[\s_.()\[\]-]*(?:\d+[\s_.()\[\]-]*)*[a-z]?",
    re.IGNORECASE,
)
"""Names that a program gave: what is printed beside the field says more."""

ON = re.compile(r"(?:on|yes|true|checked|ja|oui|si|sí|x|[01]|choice\s*\d+|)", re.IGNORECASE)
ANSWER = re.compile(r"(?:yes|no|ja|nein|nei|nej|oui|non|si|sí)\W*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Note:
    """A line that is added to the page, with the place that it stands at."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


def placed(text: Any, written: Written, added: Sequence[Note]) -> str:
    """A page's text with each note below the line that it stands at; behind it all, where lines were moved."""
    from pypdfium2 import raw

    if written.moved or not written.text.strip():
        return "\n".join([written.text.strip(), *(note.text for note in added)])
    sides = [ctypes.c_double() for _ in range(4)]
    lines: list[tuple[str, float, float]] = []
    at = 0
    for line in written.text.split("\n"):
        stripped = line.strip()
        left = middle = float("nan")
        if stripped:
            character = raw.FPDFText_GetCharIndexFromTextIndex(text, at + line.index(stripped[0]))
            if character >= 0 and raw.FPDFText_GetCharBox(text, character, *sides):
                left, middle = sides[0].value, (sides[2].value + sides[3].value) / 2
        lines.append((line, left, middle))
        at += len(line) + 1
    behind: dict[int, list[Note]] = {}
    for note in added:
        low = note.bottom - 2
        above = [number for number, (_, _, middle) in enumerate(lines) if middle >= low]
        nearest = min(
            above,
            key=lambda number: (
                round(max(0.0, lines[number][2] - note.top) / 4),
                abs(lines[number][1] - note.left) if lines[number][1] <= note.right else 1e6,
            ),
            default=-1,
        )
        behind.setdefault(nearest, []).append(note)
    made: list[str] = [note.text for note in behind.get(-1, ())]
    for number, (line, _, _) in enumerate(lines):
        made.append(line)
        made += [note.text for note in behind.get(number, ())]
    return "\n".join(made)


def notes(document: Any, page: Any, text: Any) -> list[Note]:
    """Return what is written on the page beside its text, from the top down."""
    from pypdfium2 import raw

    count = min(raw.FPDFPage_GetAnnotCount(page), MOST_NOTES)
    if count <= 0:
        return []
    found: list[tuple[Any, int, tuple[float, float, float, float]]] = []
    try:
        for at in range(count):
            annotation = raw.FPDFPage_GetAnnot(page, at)
            if not annotation:
                continue
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            hidden = raw.FPDFAnnot_GetFlags(annotation) & (raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW)
            if kind in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP) or hidden:
                raw.FPDFPage_CloseAnnot(annotation)
                continue
            found.append((annotation, kind, _place(annotation)))
        widgets = [place for _, kind, place in found if kind == raw.FPDF_ANNOT_WIDGET]
        made: list[Note] = []
        for annotation, kind, place in found:
            if kind == raw.FPDF_ANNOT_WIDGET:
                said = _field(document.formenv, annotation, place, widgets, text)
            else:
                said = _remark(annotation, kind)
            if said and not _stands(text, place, said):
                made.append(Note(said, *place))
    finally:
        for annotation, _, _ in found:
            raw.FPDFPage_CloseAnnot(annotation)
    return sorted(made, key=lambda note: (-round(note.top / 6), note.left))


def _place(annotation: Any) -> tuple[float, float, float, float]:
    from pypdfium2 import raw

    place = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, place)
    return place.left, place.bottom, place.right, place.top


def _field(
    form: Any,
    annotation: Any,
    place: tuple[float, float, float, float],
    widgets: Sequence[tuple[float, float, float, float]],
    text: Any,
) -> str:
    """A field as a line, nothing for one that is empty, a button, or a secret."""
    from pypdfium2 import raw

    if not form:
        name, value = _own(annotation, "TU") or _own(annotation, "T"), _own(annotation, "V")
        return f"{name}: {value}" if name and value else value
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    flags = raw.FPDFAnnot_GetFormFieldFlags(form, annotation)
    boxes = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
    if kind == raw.FPDF_FORMFIELD_TEXTFIELD:
        value = (
            "" if flags & raw.FPDF_FORMFLAG_TEXT_PASSWORD else _of(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
        )
    elif kind in (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        value = _chosen(form, annotation)
    elif kind in boxes:
        checked = raw.FPDFAnnot_IsChecked(form, annotation)
        value = _of(raw.FPDFAnnot_GetFormFieldExportValue, form, annotation) if checked else ""
        if ON.fullmatch(value) and (checked or kind == raw.FPDF_FORMFIELD_CHECKBOX):
            value = "yes" if checked else "no"
    else:
        value = ""
    if not value:
        return ""
    name = _name(form, annotation)
    is_choice = kind == raw.FPDF_FORMFIELD_RADIOBUTTON
    if UNNAMED.fullmatch(name) or (is_choice and value == "yes"):
        printed = _printed(text, place, widgets, after=kind in boxes)
        if is_choice and printed and not UNNAMED.fullmatch(name):
            value = printed
        else:
            name = printed or name
        if value == "no" and (not re.search(r"[^\W\d_]{2}", printed) or ANSWER.fullmatch(printed)):
            return ""  # that something is not ticked says nothing without what it is
    return f"{name}: {value}" if name else value


def _name(form: Any, annotation: Any) -> str:
    """Return what a field is called: for people, where it has such a name, or as its program names it."""
    from pypdfium2 import raw

    given = " ".join(_of(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation).split())
    if given and len(given) <= MOST_NAME:
        return given.rstrip(" :")
    name = _of(raw.FPDFAnnot_GetFormFieldName, form, annotation)
    if "[" in name:  # topmostSubform[0].Page1[0].Owner[0]
        name = re.sub(r"\[\d+\]", "", name).rpartition(".")[2]
    return " ".join(name.replace(".", " ").split())[:MOST_NAME].rstrip(" :")


def _chosen(form: Any, annotation: Any) -> str:
    from pypdfium2 import raw

    labels = [
        _of(lambda *to: raw.FPDFAnnot_GetOptionLabel(form, annotation, at, *to))  # noqa: B023 (called at once)
        for at in range(min(raw.FPDFAnnot_GetOptionCount(form, annotation), MOST_NOTES))
        if raw.FPDFAnnot_IsOptionSelected(form, annotation, at)
    ]
    return ", ".join(filter(None, labels)) or _of(raw.FPDFAnnot_GetFormFieldValue, form, annotation)


def _printed(
    text: Any,
    place: tuple[float, float, float, float],
    widgets: Sequence[tuple[float, float, float, float]],
    *,
    after: bool,
) -> str:
    """Return what is printed beside a field: to the right of a box to tick, to the left of any other."""
    left, bottom, right, top = place
    level = [other for other in widgets if other != place and other[1] < top and other[3] > bottom]
    if after:
        start, end = right, min([right + REACH, *(other[0] for other in level if other[0] >= right)])
    else:
        start, end = max([left - REACH, *(other[2] for other in level if other[2] <= left)]), left
    said = text.get_text_bounded(start, bottom - 1, end, top + 1) if end > start else ""
    lines = [line.strip(" \t:_.…") for line in said.splitlines()]
    return next((line for line in reversed(lines) if line), "")[:MOST_NAME]


def _remark(annotation: Any, kind: int) -> str:
    """Return what somebody wrote on the page, with the name of who did so beside a comment."""
    from pypdfium2 import raw

    said = _own(annotation, "Contents")
    if kind == raw.FPDF_ANNOT_FREETEXT:
        return said or _plain(_own(annotation, "RC"))
    if kind == raw.FPDF_ANNOT_STAMP:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _own(annotation, "Name").lstrip("#"))
        return f"Stamp: {said or name}" if said or name else ""
    if not said or _own(annotation, "StateModel") or kind == raw.FPDF_ANNOT_FILEATTACHMENT:
        return ""
    author = " ".join(_own(annotation, "T").split())
    return f"Comment by {author}: {said}" if author else f"Comment: {said}"


def _plain(rich: str) -> str:
    return " ".join(re.sub(r"<[^<>]*>", " ", rich).split())


def _stands(text: Any, place: tuple[float, float, float, float], said: str) -> bool:
    """Tell whether the page's own text has it at this place already, as a form has that was printed."""
    value = "".join(said.rpartition(": ")[2].split())
    there = "".join(text.get_text_bounded(place[0] - 2, place[1] - 2, place[2] + 2, place[3] + 2).split())
    return bool(value) and value in there


def _own(annotation: Any, key: str) -> str:
    from pypdfium2 import raw

    return _of(lambda *to: raw.FPDFAnnot_GetStringValue(annotation, key.encode(), *to))


def _of(call: Callable[..., int], *first: Any) -> str:
    """A string that PDFium gives once it has been told how long it is."""
    from pypdfium2 import raw

    size = call(*first, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    call(*first, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    told = buffer.raw[: size - 2].decode("utf-16-le", "ignore")
    return "\n".join(_lines(told)).strip()


def _lines(told: str) -> Iterator[str]:
    for line in re.split(r"\r\n|[\r\n\u2028\u2029]", told):
        yield re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", line).rstrip()
