"""Word documents (docx) in reading order: headings marked as in Markdown, list items with their numbers, a table's rows
on lines with their cells apart; headers first, notes, comments and footers at the end, each once.

Text in content controls, tracked insertions and text boxes is kept; text that was deleted, struck out or hidden is not.
A part that cannot be read is a warning; only the main one is needed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from posixpath import basename, dirname, splitext

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats import charts
from selfroute.ingest.formats.archives import Archive, opened
from selfroute.ingest.formats.docx import files as docx_files
from selfroute.ingest.formats.docx.notes import KINDS, Notes, ways
from selfroute.ingest.formats.docx.numbering import Numbering
from selfroute.ingest.formats.docx.package import Package
from selfroute.ingest.formats.docx.story import Story
from selfroute.ingest.formats.docx.styles import Styles
from selfroute.ingest.formats.packages import Element, Link, parsed
from selfroute.ingest.formats.texts import Text

UNCLAIMED = {
    "chart": r"charts/chart\w*\.xml",
    "diagram": r"diagrams/data\d*\.xml",
    "file": r"[^/]+\.(?:x?html?|mht|mhtml|txt|docx|docm|rtf)",
}
"""How programs name the parts of a kind, below the folder of the text."""

SUFFIXES = {".xlsx": "Excel sheet", ".docx": "Word document", ".pptx": "PowerPoint slides", ".pdf": "PDF"}
DEEPEST = 3
"""Word files that are set into each other."""

BARE_NUMBER = re.compile(r"[-–—|\s]*\d{1,4}[-–—|\s]*")
NO_TEXT = re.compile(r"^(?:Error!|Fehler!|Erreur\s?!|¡Error!)[^\n]*$", re.MULTILINE)
"""What a field shows in a header that finds no text to repeat."""

PAGE = 3000
"""Characters of a page, to tell how large a share is missing."""

LOST = {
    "picture": ("1 picture as large as a page is not read", "{0} pictures as large as a page are not read", 1.0),
    "equation": ("1 equation in an older format is not read", "{0} equations in an older format are not read", 0.05),
    "control": ("1 ActiveX control is not read", "{0} ActiveX controls are not read", 0.05),
    "object": ("1 embedded object is not read: {1}", "{0} embedded objects are not read: {1}", 1.0),
    "symbol": ("1 symbol of the font {1} is not known", "{0} symbols of the font {1} are not known", 0.0),
    "part": ("{1} could not be read", "{1} could not be read", 1.0),
    "way": ("{1} could not be read", "{1} could not be read", 0.0),
}
"""What may be lost: how it is said of one and of several, and the pages that each counts for."""


def read(path: Path) -> Text:
    with opened(path) as archive:
        reading = _Reading(archive, path)
        text = reading.text()
    warnings = tuple(_warning(*one) for one in reading.lost.items())
    if not text.strip() and (warnings or reading.pictures):
        raise UnreadableFile(path, f"holds no text: {'; '.join(warnings) or 'its pictures are not read'}")
    lost = sum(LOST[kind.partition(":")[0]][2] * count for kind, count in reading.lost.items())
    pages = max(len(text) / PAGE, 1.0)
    share = math.floor(pages / (pages + lost) * 1000) / 1000
    return Text(text, (), warnings, share if lost else 1.0)


def _warning(what: str, count: int) -> str:
    kind, _, name = what.partition(":")
    one, several, _pages = LOST[kind]
    return (several if count > 1 else one).format(f"{count:,}", name or "a file")


def _why(name: str, error: UnreadableFile) -> str:
    reason = error.reason.removeprefix("is broken: ").removeprefix("is too large: ")
    return reason if name in reason else f"{name}: {reason}"


class _Reading:
    """One Word file as it is read; `depth` tells how many it is inside of."""

    def __init__(self, archive: Archive, path: Path, depth: int = 0) -> None:
        self.lost: Counter[str] = Counter()
        self.pictures = 0
        self.package = Package(archive, path)
        self._taken: set[str] = set()
        self.path, self.depth = path, depth
        self._archive = archive

    def text(self) -> str:
        """The text of the whole file. Raises `UnreadableFile` if its main part cannot be read."""
        package = self.package
        main = self._archive.part(package.main)
        styles = Styles(self._tree("styles", "the styles"))
        lists = self._tree("numbering", "the numbers of lists")
        numbering = Numbering(lists, styles.list_of)
        settings = next(iter(package.parts("settings")), None)
        notes = Notes(ways(self._bytes(settings) if settings else b"", main))
        for kind in KINDS:
            for name in package.parts(f"{kind}s"):
                story = Story(styles, Numbering(lists, styles.list_of), self._around(name, notes))
                if self._read(name, story, f"the {kind}s"):
                    notes.add(kind, story.notes)
        body = Story(styles, numbering, self._around(package.main, notes))
        parsed(main, package.main, self.path, body)
        self._take(body)
        if body.root != "document":
            raise UnreadableFile(self.path, f"is no Word document: its main part is {package.main}")
        self._embedded()
        margins = [self._margins(kind, styles, notes) for kind in ("header", "footer")]
        tops = margins[0]
        bottoms = [text for text in margins[1] if text not in tops]
        return "\n\n".join(filter(None, (*tops, body.lines.text(), *notes.texts(), *bottoms)))

    def part(self, kind: str, id: str, links: Sequence[Link], folder: str) -> str:  # noqa: A002
        """The text of another part that the text refers to."""
        related = next((link.target for link in links if link.id == id), None)
        found = related or self._by_name(id, folder) or self._unclaimed(kind)
        what = {"chart": "a chart", "diagram": "a diagram"}.get(kind, "a file that is set into the text")
        if found is None:
            self.lost[f"part:{what}"] += 1
            return ""
        self._taken.add(found)
        try:
            if kind == "chart":
                return "\n\n".join(charts.chart(self.package.tree(found)))
            if kind == "diagram":
                return "\n".join(charts.diagram(self.package.tree(found)))
            return self._file(found)
        except UnreadableFile as error:
            self.lost[f"part:{what} ({_why(found, error)})"] += 1
            return ""

    def _file(self, name: str) -> str:
        data = self._archive.part(name)
        if not docx_files.is_word(data):
            return docx_files.text_of(data, name, self.package.type_of(name), self.path)
        if self.depth >= DEEPEST:
            raise UnreadableFile(self.path, f"more than {DEEPEST} files are set into each other")
        with self._archive.inside(data) as inner:
            reading = _Reading(inner, self.path, self.depth + 1)
            text = reading.text()
        self.lost += reading.lost
        self.pictures += reading.pictures
        return text

    def _by_name(self, id: str, folder: str) -> str | None:  # noqa: A002
        """A part without a relationship, if it is named by its id."""
        names = sorted(self._archive.names)
        return next((n for n in names if dirname(n) == folder and splitext(basename(n))[0] == id), None) if id else None

    def _unclaimed(self, kind: str) -> str | None:
        """The first part of a kind that nothing refers to, where a relationship is missing."""
        claimed = {link.target for link in self.package.links(self.package.main)} | self._taken
        return next((name for name in self.package.below(UNCLAIMED[kind]) if name not in claimed), None)

    def _embedded(self) -> None:
        """Counts embedded files that the text shows nowhere; those with a chart's values are read from the chart."""
        shown = self.package.below(UNCLAIMED["chart"])
        claimed = {link.target for chart in shown for link in self.package.links(chart)}
        files = [name for name in self.package.below(r"embeddings/[^/]+") if name not in claimed]
        known = sum(count for kind, count in self.lost.items() if kind.startswith(("object:", "equation")))
        for name in files[known:]:
            self.lost[f"object:{SUFFIXES.get(splitext(name)[1].lower(), 'file')}"] += 1

    def _margins(self, kind: str, styles: Styles, notes: Notes) -> list[str]:
        """Return what stands in the headers or footers of all sections, each text once."""
        texts: dict[str, str] = {}
        for name in self.package.parts(kind):
            story = Story(styles, Numbering(None), self._around(name, notes), margin=True)
            if self._read(name, story, f"a {kind}"):
                text = NO_TEXT.sub("", story.lines.text()).strip()
                texts.setdefault(" ".join(text.split()), text)
        return [text for text in texts.values() if text and not BARE_NUMBER.fullmatch(text)]

    def _read(self, name: str, story: Story, what: str) -> bool:
        """Reads a part that is not needed; whether it could be."""
        try:
            self.package.stream(name, story)
        except UnreadableFile as error:
            self.lost[f"part:{what} ({_why(name, error)})"] += 1
            return False
        self._take(story)
        return True

    def _take(self, story: Story) -> None:
        self.lost += story.writer.lost
        self.pictures += story.pictures

    def _tree(self, kind: str, what: str) -> Element | None:
        for name in self.package.parts(kind):
            try:
                return self.package.tree(name)
            except UnreadableFile as error:
                self.lost[f"way:{what} ({_why(name, error)})"] += 1
        return None

    def _bytes(self, name: str) -> bytes:
        try:
            return self._archive.part(name)
        except UnreadableFile:
            return b""  # what numbers of notes look like is no loss

    def _around(self, name: str, notes: Notes) -> _Around:
        return _Around(notes, self.package.links(name), dirname(name), self.part)


class _Around:
    """Describes what a part of the file refers to."""

    def __init__(
        self,
        notes: Notes,
        links: Sequence[Link],
        folder: str,
        part: Callable[[str, str, Sequence[Link], str], str],
    ) -> None:
        self.label, self.forget = notes.label, notes.forget
        self._links, self._folder, self._part = links, folder, part

    def part(self, kind: str, id: str) -> str:  # noqa: A002 (Word's own name)
        """The text of another part."""
        return self._part(kind, id, self._links, self._folder)
