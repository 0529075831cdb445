"""A tree of elements walked into the lines that a person would read: what each element means for the text.

Walked without recursion; what stands in a table, a form, a picture or an equation is told by modules of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from selfroute.ingest.formats.html import images as html_images
from selfroute.ingest.formats.html.equations import Equations, is_source
from selfroute.ingest.formats.html.forms import Fields
from selfroute.ingest.formats.html.lines import BULLET, SPACE, Lines
from selfroute.ingest.formats.html.lists import List
from selfroute.ingest.formats.html.names import Kind, is_note, kind_of
from selfroute.ingest.formats.html.scripts import Scripts, is_linked
from selfroute.ingest.formats.html.shown import HEADINGS, Shown, has_blocks, is_aside, is_copy
from selfroute.ingest.formats.html.styles import NO_SHEETS, PLAIN, Sheets, Style, inline
from selfroute.ingest.formats.html.tables import Budget, Table, groups

Attributes = Mapping[str, str | None]
Leave = Callable[[], None]
Children = Callable[[str], Iterable[Any]]
Enter = Callable[[Any, Attributes], Leave | None]

DROPPED = {
    *("head", "style", "object", "canvas", "datalist", "audio", "video", "map", "search", "rp", "option"),
    *("s", "del", "strike", "title", "frame"),
}
BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "center", "details", "div", "dl", "fieldset"),
    *("figcaption", "figure", "form", "header", "hgroup", "hr", "html", "legend", "main", "p", "section", "summary"),
    *("caption", "optgroup"),
}
WATCHED = {"hidden", "aria-hidden", "role", "style", "class", "epub:type"}
BREAKS = re.compile("(?<![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])\u200b")
"""Places at which a word may be broken; in scripts without spaces one of them parts words."""

MOST_FRAGMENTS = 8
"""Documents inside of a document (an `iframe` with its text, a shadow root) inside each other."""


def _stay() -> None:
    """Leaves an element that means nothing for the lines."""


class Page:
    """One page."""

    def __init__(
        self, root: Any, children: Children, sheets: Sheets = NO_SHEETS, *, without_scripts: bool = False
    ) -> None:
        """`children` parses a document inside of the page. `without_scripts`: what is shown where none run."""
        self._lines = lines = Lines()
        self._children = children
        self._sheets = sheets
        self._shown = Shown(root)
        self._lists: list[List] = []
        self._tables: list[Table] = []
        self._budget = Budget()
        self._scripts = Scripts(lines)
        self._equations = Equations(lines, children)
        self._fields = Fields(lines)
        self._headings = 0
        self._fragments = 0
        self._is_drawn = False  # inside of an equation that is not there in words
        self._end_block: Leave = lambda: lines.end(blank=True)
        self._enter_by_tag: dict[str, Enter] = {
            **dict.fromkeys(DROPPED, self._drop),
            **dict.fromkeys(BLOCKS, self._block),
            **dict.fromkeys(HEADINGS, self._heading),
            **dict.fromkeys(("nav", "footer"), self._aside),
            **dict.fromkeys(("ol", "ul", "menu", "dir"), self._list),
            **dict.fromkeys(("dt", "dd"), self._line),
            **dict.fromkeys(("td", "th"), self._cell),
            **dict.fromkeys(("thead", "tbody", "tfoot"), self._group),
            **dict.fromkeys(("pre", "listing", "xmp", "plaintext"), self._pre),
            **dict.fromkeys(("code", "samp", "kbd", "tt"), self._code),
            **dict.fromkeys(("sup", "sub"), self._script),
            **dict.fromkeys(("template", "iframe"), self._fragment),
            **dict.fromkeys(("input", "textarea", "select"), self._field),
            "li": self._item,
            "tr": self._row,
            "table": self._table,
            "br": self._break,
            "q": self._quoted,
            "rt": self._reading,
            "img": self._image,
            "svg": self._drawing,
            "math": self._math,
            "mjx-container": self._equation,
            "script": self._source,
            "noscript": self._block if without_scripts else self._drop,
            "noframes": self._fragment if without_scripts else self._drop,
            "label": self._label,
            "button": self._button,
            "dialog": self._dialog,
        }
        self._walk(root)

    def text(self) -> str:
        text = self._lines.text().replace("\xad", "")
        return BREAKS.sub("", text) if "\u200b" in text else text

    def _walk(self, root: Any) -> None:
        above: list[tuple[Any, Leave, Iterator[Any] | None]] = []
        node, queue = root, None
        self._queue: Iterable[Any] | None = None
        while True:
            leave = self._enter_any(node)
            if leave is not None:
                below, self._queue = self._queue, None
                if below is None:
                    child = node.child
                    below_queue = None
                else:
                    below_queue = iter(below)
                    child = next(below_queue, None)
                if child is not None:
                    above.append((node, leave, queue))
                    node, queue = child, below_queue
                    continue
                leave()
            while True:
                if not above:
                    return
                following = node.next if queue is None else next(queue, None)
                if following is not None:
                    node = following
                    break
                node, leave, queue = above.pop()
                leave()

    def _enter_any(self, node: Any) -> Leave | None:
        """Tell how the element is left once its children were read; None if they are not wanted."""
        tag = node.tag
        if tag == "-text":
            self._lines.say(node.text_content or "")
            return None
        if tag.startswith("-"):
            return None
        attributes = node.attributes
        enter = self._enter_by_tag.get(tag)
        if attributes and not WATCHED.isdisjoint(attributes):
            if enter == self._drop:
                return None
            return self._enter_watched(node, tag, attributes, enter)
        if enter is not None:
            return enter(node, attributes)
        return self._prefixed(node, attributes) if ":" in tag else _stay

    def _enter_watched(self, node: Any, tag: str, attributes: Attributes, enter: Enter | None) -> Leave | None:
        names = attributes.get("class") or ""
        kind = kind_of(names) if names else None
        if kind is not None and is_copy(kind, node, tag):
            return None
        style = self._style(attributes, names)
        if self._shown.is_dropped(node, tag, attributes, style):
            if tag in ("td", "th") and self._tables and not (style.unseen or "hidden" in attributes):
                self._tables[-1].add("", attributes)  # those behind it stay in their columns
            return None
        if kind is Kind.EQUATION and not has_blocks(node):
            return self._equation(node, attributes)
        if is_note(attributes, kind) and tag in ("a", "span", "sup", "small"):
            return self._scripts.begin_note()
        if attributes.get("role") == "heading" and tag not in HEADINGS:
            return self._heading(node, attributes)
        if enter is not None and enter != self._code:
            leave = enter(node, attributes)
            if style.kept and enter == self._block and not has_blocks(node):
                return self._pre(node, attributes)
            return leave
        if ":" in tag:
            return self._prefixed(node, attributes)
        if style.raised or style.lowered:
            return self._script_of(node, style.raised)
        if style.block:
            return self._block(node, attributes)
        if style.kept:
            return self._code(node, attributes)
        return enter(node, attributes) if enter is not None else _stay

    def _style(self, attributes: Attributes, names: str) -> Style:
        own = attributes.get("style")
        if own:
            return inline(own)
        return self._sheets.style(names) if names else PLAIN

    # Elements

    def _drop(self, node: Any, attributes: Attributes) -> Leave | None:
        return None

    def _block(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.end(blank=True)
        return self._end_block

    def _line(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.end()
        return self._lines.end

    def _break(self, node: Any, attributes: Attributes) -> Leave | None:
        if self._lines.pre:
            self._lines.say("\n")
        else:
            self._lines.end()
        return None

    def _aside(self, node: Any, attributes: Attributes) -> Leave | None:
        return None if is_aside(node.tag, node) else self._block(node, attributes)

    def _dialog(self, node: Any, attributes: Attributes) -> Leave | None:
        shown = "open" in attributes or self._shown.is_opened(node, attributes)
        return self._block(node, attributes) if shown else None

    def _heading(self, node: Any, attributes: Attributes) -> Leave | None:
        level = node.tag[1] if node.tag in HEADINGS else (attributes.get("aria-level") or "2").strip()
        self._lines.end(blank=True)
        self._lines.mark("#" * (int(level) if level in tuple("123456") else 2) + " ")
        self._headings += 1
        return self._end_heading

    def _end_heading(self) -> None:
        self._headings -= 1
        self._lines.end()
        self._lines.unmark()
        self._lines.end(blank=True)

    def _list(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.end(blank=not self._lists)
        self._lists.append(List(node, node.tag, attributes, self._sheets.kind(attributes.get("class"))))
        return self._end_list

    def _end_list(self) -> None:
        self._lists.pop()
        self._lines.end(blank=not self._lists)

    def _item(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.end()
        kind = self._sheets.kind(attributes.get("class"))
        self._lines.mark(self._lists[-1].mark(attributes, kind) if self._lists else BULLET)
        return self._end_item

    def _end_item(self) -> None:
        self._lines.end()
        self._lines.unmark()

    def _pre(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.keep_lines()
        return self._lines.collapse_lines

    def _code(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.keep_spaces()
        return self._lines.collapse_spaces

    def _quoted(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.add("“")
        return lambda: self._lines.add("”")

    def _reading(self, node: Any, attributes: Attributes) -> Leave | None:
        """Tell how a word is said, which stands above it."""
        self._lines.add("(")
        return lambda: self._lines.add(")")

    def _prefixed(self, node: Any, attributes: Attributes) -> Leave | None:
        """An element of XHTML with a prefix of its namespace."""
        name = node.tag.rpartition(":")[2]
        if name == "math":
            return self._math(node, attributes)
        is_other = name == "default" and node.parent.css_first("math") is not None
        return None if is_other else _stay  # what is shown by readers that know no MathML

    # Tables

    def _table(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.end(blank=True)
        self._tables.append(Table(node, self._budget))
        self._queue = groups(node)
        return self._end_table

    def _end_table(self) -> None:
        self._end_row()
        self._tables.pop()
        self._lines.end(blank=True)

    def _group(self, node: Any, attributes: Attributes) -> Leave | None:
        return self._end_group

    def _end_group(self) -> None:
        if self._tables:
            self._tables[-1].end_group()

    def _row(self, node: Any, attributes: Attributes) -> Leave | None:
        self._lines.end()
        if self._tables:
            self._tables[-1].begin_row()
        return self._end_row

    def _end_row(self) -> None:
        line = self._tables[-1].row() if self._tables else None
        if line is not None and line.strip(" |"):
            self._lines.end()
            self._lines.add(re.sub(r"\| (?= \|)", "|", line) if " |  |" in line else line, SPACE)
        self._lines.end()

    def _cell(self, node: Any, attributes: Attributes) -> Leave | None:
        table = self._tables[-1] if self._tables else None
        if table is None or not table.holds_data(node):
            self._end_row()
            return self._block(node, attributes)
        self._lines.capture()
        return lambda: table.add(self._lines.captured(), attributes)

    # What is raised, typed, drawn and opened

    def _script(self, node: Any, attributes: Attributes) -> Leave | None:
        return self._script_of(node, node.tag == "sup")

    def _script_of(self, node: Any, is_raised: bool) -> Leave:
        if self._scripts.is_full() or has_blocks(node):
            return _stay
        if is_raised and is_linked(node):
            return self._scripts.begin_note()
        return self._scripts.begin(is_raised)

    def _math(self, node: Any, attributes: Attributes) -> Leave | None:
        self._equations.add_math(node)
        return None

    def _equation(self, node: Any, attributes: Attributes) -> Leave | None:
        if self._is_drawn:
            return _stay
        if self._equations.add_drawn(node, attributes):
            return None
        self._is_drawn = True
        return self._end_drawn

    def _end_drawn(self) -> None:
        self._is_drawn = False

    def _source(self, node: Any, attributes: Attributes) -> Leave | None:
        if is_source(attributes):
            self._equations.add_source(node, attributes)
        return None

    def _label(self, node: Any, attributes: Attributes) -> Leave | None:
        return self._fields.label(attributes)

    def _field(self, node: Any, attributes: Attributes) -> Leave | None:
        if node.tag == "textarea":
            self._fields.textarea(node, attributes)
        elif node.tag == "select":
            self._fields.select(node, attributes)
        else:
            self._fields.input(attributes)
        return None

    def _add_apart(self, text: str) -> None:
        if text:
            self._lines.space()
            self._lines.add(text, SPACE)

    def _button(self, node: Any, attributes: Attributes) -> Leave | None:
        if not self._shown.is_heading(node, attributes):
            return None
        return _stay if self._headings else self._block(node, attributes)

    def _image(self, node: Any, attributes: Attributes) -> Leave | None:
        text, is_formula = html_images.described(node, attributes)
        if is_formula:
            self._equations.add(text)
        else:
            self._add_apart(text)
        return None

    def _drawing(self, node: Any, attributes: Attributes) -> Leave | None:
        self._add_apart(html_images.drawn(node))
        return None

    def _fragment(self, node: Any, attributes: Attributes) -> Leave | None:
        if node.tag == "iframe":
            source = attributes.get("srcdoc") or ""
        elif node.tag == "noframes":
            source = node.text()
        else:
            source = node.html or "" if "shadowrootmode" in attributes or "shadowroot" in attributes else ""
            source = re.sub(r"^<template\b[^>]*>|</template>\s*$", "", source)
        if not source or self._fragments >= MOST_FRAGMENTS:
            return None
        self._lines.end(blank=True)
        self._queue = self._children(source)
        self._fragments += 1
        return self._end_fragment

    def _end_fragment(self) -> None:
        self._fragments -= 1
        self._lines.end(blank=True)
