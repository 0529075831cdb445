"""PowerPoint presentations (pptx): slides in their order, each under its title, with its tables, charts, diagrams,
notes and comments. A slide is a page.

Shapes are read in the order of the file, which is the one in which a screen reader says them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats import charts, drawings
from selfroute.ingest.formats.packages import Element, Package, child, children, local, named, package, switched, value
from selfroute.ingest.formats.texts import Text, emptiness, images, paged, ranges

DEEPEST = 50
"""Groups of shapes inside each other."""
TITLES = {"title", "ctrTitle"}
FRAMING = {"ftr", "hdr", "dt", "sldNum", "sldImg"}
"""Placeholders that stand on every slide."""
STANDARD = 9_144_000.0 * 6_858_000
"""The area of a slide that does not say its size."""
DECORATIVE, LARGE = 0.02, 0.2
"""Shares of a slide: a picture up to the one is a decoration; one above the other holds what its title announces."""


@dataclass(slots=True)
class _Slide:
    """Describes what is read of a slide: its title, its paragraphs, what stands on every slide, and what is not
    read."""

    title: str = ""
    paragraphs: list[str] = field(default_factory=list)
    framing: list[str] = field(default_factory=list)
    words: bool = False
    pictures: int = 0
    objects: int = 0
    spoken: list[str] = field(default_factory=list)
    hidden: bool = False
    area: float = 1.0
    large: int = 0

    @property
    def only_titled(self) -> bool:
        """Tell whether a picture holds what the title announces."""
        return bool(self.large and self.title and not self.paragraphs)


def read(path: Path) -> Text:
    with package(path) as file:
        main = file.main
        links = {link.id: link.target for link in file.links(main) if link.kind == "slide"}
        order = [links.get(_relation(one), "") for one in children(child(file.tree(main), "sldIdLst"), "sldId")]
        area = _area(child(file.tree(main), "sldSz")) or STANDARD
        read_once = {name: _slide(file, name, area) for name in dict.fromkeys(order) if file.has(name)}
        slides = [read_once.get(name) for name in dict.fromkeys(order)]
        masters = _masters(file, [name for name in order if file.has(name)])
    if not slides:
        raise UnreadableFile(path, "is empty")
    parts: list[str] = []
    framed: set[str] = set()
    for number, slide in enumerate(slides, start=1):
        text = ""
        if slide is not None:
            fresh = [said for said in dict.fromkeys(slide.framing) if said not in framed]
            framed.update(fresh)
            text = _text(slide, number, fresh)
        parts.append(text)
    said, pages = paged(parts)
    if not any(slide is not None and (slide.words or slide.spoken) for slide in slides) and not masters:
        raise UnreadableFile(path, _nothing(slides))
    return Text("\n\n".join(filter(None, (said, *masters))), pages, *_account(slides))


def _area(size: Element | None) -> float:
    """The area of a slide or a picture; 0 where it does not say its size."""
    if size is None or not all(value(size, side).isdigit() for side in ("cx", "cy")):
        return 0.0
    return float(value(size, "cx")) * float(value(size, "cy"))


def _relation(element: Element) -> str:
    """The id of a relationship, which has a namespace; the other attribute of that name has none."""
    return next((text for key, text in element.attrib.items() if key.endswith("}id")), "")


def _nothing(slides: Sequence[_Slide | None]) -> str:
    if None in slides:
        return "is broken: it holds none of its slides"
    return emptiness(any(slide is not None and slide.pictures for slide in slides))


def _account(slides: Sequence[_Slide | None]) -> tuple[tuple[str, ...], float]:
    """Return what could not be read, and the share of the slides that could. Blank slides do not count."""
    known = [(number, slide) for number, slide in enumerate(slides, start=1) if slide is not None]
    pictures = [number for number, slide in known if slide.pictures and not slide.words]
    titled = [number for number, slide in known if slide.only_titled]
    objects = [number for number, slide in known if slide.objects]
    missing = [number for number, slide in enumerate(slides, start=1) if slide is None]
    blank = sum(not slide.words and not slide.pictures and not slide.objects for _, slide in known)
    made = []
    if pictures:
        made.append(f"{_of(pictures, len(slides))} {images(len(pictures))}")
    if titled:
        one = len(titled) == 1
        said = "holds only a title and an image" if one else "hold only a title and an image each"
        made.append(f"{_of(titled, len(slides))} {said}")
    if objects:
        made.append(f"{_of(objects, len(slides))} {'holds' if len(objects) == 1 else 'hold'} embedded files: not read")
    if missing:
        made.append(f"{_of(missing, len(slides))} {'is' if len(missing) == 1 else 'are'} missing in the file")
    whole = len(slides) - blank
    return tuple(made), (whole - len({*pictures, *titled, *objects, *missing})) / whole if whole else 1.0


def _of(numbers: Sequence[int], slides: int) -> str:
    return f"{'slide' if len(numbers) == 1 else 'slides'} {ranges(numbers)} of {slides}"


def _text(slide: _Slide, number: int, framing: Sequence[str]) -> str:
    if not (slide.title or slide.paragraphs or framing or slide.spoken):
        return ""
    heading = f"# {slide.title or f'Slide {number}'}{' (hidden slide)' if slide.hidden else ''}"
    return "\n\n".join((heading, *slide.paragraphs, *framing, *slide.spoken))


def _slide(file: Package, name: str, area: float) -> _Slide:
    root = file.tree(name)
    slide = _Slide(hidden=not switched(root, "show"), area=area)
    _shapes(file, name, child(root, "cSld", "spTree"), slide, 0)
    for notes in file.linked(name, "notesSlide"):
        about = _Slide()
        _shapes(file, notes, child(file.tree(notes), "cSld", "spTree"), about, 0)
        said = [text for text in (about.title, *about.paragraphs) if text]
        slide.spoken += ["Notes: " + "\n".join(said)] if said else []
    for comments in file.linked(name, "comments"):
        for one in named(file.tree(comments), "cm", "reply"):
            said = [" ".join((text.text or "").split()) for text in children(one, "text")]
            said += drawings.paragraphs(child(one, "txBody"))
            slide.spoken += [f"Comment: {' '.join(said)}"] if any(said) else []
    return slide


def _shapes(file: Package, part: str, shapes: Element | None, slide: _Slide, depth: int) -> None:
    """Reads shapes and those grouped in them."""
    if shapes is None or depth > DEEPEST:
        return
    for shape in shapes:
        kind = local(shape)
        about = next(named(shape, "cNvPr"), None)
        if about is not None and kind != "grpSp" and switched(about, "hidden", "0"):
            continue
        if kind == "AlternateContent":
            chosen = child(shape, "Choice")
            _shapes(
                file, part, chosen if chosen is not None and len(chosen) else child(shape, "Fallback"), slide, depth + 1
            )
        elif kind == "grpSp":
            _shapes(file, part, shape, slide, depth + 1)
        elif kind in ("sp", "cxnSp"):
            _said(shape, slide)
        elif kind == "pic":
            shown = _area(child(shape, "spPr", "xfrm", "ext")) / slide.area
            slide.pictures += shown == 0 or shown > DECORATIVE
            slide.large += shown > LARGE
            if described := drawings.alternative(shape):
                slide.spoken.append(f"Picture: {described}")
        elif kind == "graphicFrame":
            _framed(file, part, shape, slide)
        elif kind == "contentPart":
            slide.pictures += 1  # ink


def _said(shape: Element, slide: _Slide) -> None:
    place = next(named(shape, "ph"), None)
    kind = "" if place is None else value(place, "type", "body")
    lines = drawings.paragraphs(child(shape, "txBody"))
    if not lines:
        slide.pictures += any(True for _ in named(shape, "blipFill"))
    elif kind in TITLES and not slide.title:
        slide.title = " ".join(lines)
        slide.words = True
    elif kind in FRAMING:
        typed = kind == "dt" and next(named(shape, "fld"), None) is None  # not the day on which it is shown
        slide.framing += lines if typed or kind in ("ftr", "hdr") else []
    else:
        slide.paragraphs.append("\n".join(lines))
        slide.words = True


def _framed(file: Package, part: str, frame: Element, slide: _Slide) -> None:
    """A table, a chart, a diagram or an embedded file."""
    made: list[str] = [drawings.table(one) for one in named(frame, "tbl")]
    links = {link.id: link.target for link in file.links(part)}
    for one in named(frame, "chart"):
        target = links.get(value(one, "id"), "")
        made += charts.chart(file.tree(target)) if file.has(target) else []
    for one in named(frame, "relIds"):
        target = links.get(value(one, "dm"), "")
        made += charts.diagram(file.tree(target)) if file.has(target) else []
    made = [text for text in made if text]
    slide.objects += any(True for _ in named(frame, "oleObj"))
    slide.paragraphs += made
    slide.words |= bool(made)


def _masters(file: Package, slides: Sequence[str]) -> list[str]:
    """The text that layouts and masters put on slides, once; what stands in their placeholders is only an example."""
    layouts = list(dict.fromkeys(layout for name in slides for layout in file.linked(name, "slideLayout")))
    masters = list(dict.fromkeys(master for name in layouts for master in file.linked(name, "slideMaster")))
    made: list[str] = []
    for name in (*masters, *layouts):
        for shape in named(file.tree(name), "sp"):
            if next(named(shape, "ph"), None) is None:
                made += drawings.paragraphs(child(shape, "txBody"))
    return list(dict.fromkeys(made))
