"""HTML as text a person would read: headings marked as in Markdown, list items and table rows on lines of their own;
navigation, footers, scripts and forms' controls are dropped.

Parsed by selectolax (lexbor), which follows the HTML standard, and walked without recursion.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.ingest.texts import Text, content, decoded

DEEPEST = 20_000
"""Elements inside each other; the standard's way of parsing takes time that grows with the square of it."""

DROPPED = {
    *("head", "nav", "footer", "script", "style", "noscript", "template", "iframe", "object", "svg", "canvas"),
    *("button", "select", "input", "textarea", "datalist", "audio", "video", "map", "dialog"),
}
ROLES = {"navigation", "banner", "contentinfo", "search", "menu", "menubar"}
BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "center", "details", "dialog", "div", "dl", "fieldset"),
    *("figcaption", "figure", "form", "header", "hr", "html", "main", "p", "pre", "section", "summary", "table"),
    "caption",
}
LISTS = {"ol", "ul"}
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
LINES = {"li": "- ", "tr": "", "dt": "", "dd": "", "br": ""}
CELLS = {"td", "th"}
LAYOUT = "table, h1, h2, h3, h4, h5, h6"
"""What a cell of a table that holds data has not: one that has is a place on the page."""
OPTIONAL_END = {"p", "li", "td", "th", "tr", "dt", "dd", "thead", "tbody", "tfoot", "option", "optgroup", "colgroup"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
SELF_CLOSED = re.compile(
    rf"""<(?!(?:{"|".join(sorted(VOID))})\b)([A-Za-z][\w:.-]*)((?:[^<>"']|"[^"]*"|'[^']*')*?)\s*/>"""
)
"""Elements that are closed where they open, in XML: HTML would take all that follows for their content."""
DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,100}?encoding=["']([\w.-]+)""", re.I
)


def read(path: Path) -> Text:
    return Text(text_of(content(path), path))


def text_of(data: bytes, path: Path, *, xml: bool = False) -> str:
    """The text of a page (`xml`: of XHTML, which may not say so). Raises `UnreadableFile` if it is no text or nested
    beyond reason."""
    found = DECLARED.search(data[:4096])
    declared = (found[1] or found[2]).decode() if found else None
    markup = decoded(data, path, declared)
    if "\0" in markup:
        raise UnreadableFile(path, "holds NUL characters: it is not a text file")
    if xml or markup.lstrip("\ufeff \t\r\n").startswith("<?xml"):
        markup = SELF_CLOSED.sub(r"<\1\2></\1>", markup)
    if _depth(markup) > DEEPEST:
        raise UnreadableFile(path, f"nests more than {DEEPEST:,} elements inside each other: it is no page to read")
    from selectolax.lexbor import LexborHTMLParser

    page = _Page()
    root = LexborHTMLParser(markup).root
    if root is not None:
        page.walk(root)
    return page.text()


def _depth(markup: str) -> int:
    """How deep elements may be nested, at most: those that need not be closed are left out of the count."""
    deepest = depth = 0
    for close, name in re.findall(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)", markup):
        if name.lower() not in OPTIONAL_END | VOID:
            depth = max(depth - 1, 0) if close else depth + 1
            deepest = max(deepest, depth)
    return deepest


class _Page:
    """Lines as they are made of a tree."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._pre = 0
        self._lists = 0
        self._inside = 0  # of cells, in which everything is on one line
        self._cells = 0  # of the row so far

    def walk(self, root: Any) -> None:
        node, depth, entering = root, 0, True
        while True:
            if entering and self._enter(node) and node.child is not None:
                node, depth = node.child, depth + 1
                continue
            self._leave(node)
            if not depth:
                return
            following = node.next
            entering = following is not None
            node, depth = (following, depth) if entering else (node.parent, depth - 1)

    def text(self) -> str:
        self._end()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip("\n")

    def _enter(self, node: Any) -> bool:
        """Whether its children are wanted."""
        tag = node.tag
        if tag == "-text":
            self._say(node.text_content or "")
            return False
        if tag in DROPPED or tag.startswith("-") or _hidden(node):
            return False
        if _is_cell(node):
            self._line.append(" | " if self._cells and not self._inside else " ")
            self._cells += not self._inside
            self._inside += 1
        elif tag in HEADINGS:
            self._end(blank=True)
            self._line.append(HEADINGS[tag] if not self._inside else "")
        elif tag in LINES:
            self._end()
            self._line.append(LINES[tag] if not self._inside else "")
            self._cells = 0 if tag == "tr" and not self._inside else self._cells
        elif tag in LISTS:
            self._end(blank=not self._lists)
            self._lists += 1
        elif tag in BLOCKS or tag in CELLS:
            self._end(blank=True)
        self._pre += tag == "pre"
        return True

    def _leave(self, node: Any) -> None:
        tag = node.tag
        if tag == "-text" or tag in DROPPED or tag.startswith("-") or _hidden(node):
            return
        self._pre -= tag == "pre"
        if _is_cell(node):
            self._inside -= 1
        elif tag in LISTS:
            self._lists -= 1
            self._end(blank=not self._lists)
        elif tag in HEADINGS or tag in BLOCKS or tag in CELLS:
            self._end(blank=True)
        elif tag in LINES and tag != "br":
            if self._line == [LINES["li"]]:
                self._line = []
            self._end()

    def _say(self, text: str) -> None:
        if self._pre and not self._inside:
            first, *rest = text.split("\n")
            self._line.append(first)
            for line in rest:
                self._end(keep=True)
                self._line.append(line)
        else:
            self._line.append(re.sub(r"\s+", " ", text))

    def _end(self, blank: bool = False, keep: bool = False) -> None:
        """Ends the line; `blank` leaves a line free after it. In a cell a line's end is a space."""
        if self._inside:
            self._line.append(" ")
            return
        line = "".join(self._line)
        if line == LINES["li"]:  # the item's text is to come
            return
        line = line.rstrip() if keep or self._pre else re.sub(r" {2,}", " ", line).strip()
        self._line = []
        if line.strip(" -#|") or (keep and line.strip()):
            self._lines.append(line)
        elif keep and self._lines:
            self._lines.append("")
        if blank and self._lines and self._lines[-1]:
            self._lines.append("")


def _is_cell(node: Any) -> bool:
    return node.tag in CELLS and node.css_first(LAYOUT) is None


def _hidden(node: Any) -> bool:
    attributes = node.attributes
    return bool(attributes) and (
        "hidden" in attributes or attributes.get("aria-hidden") == "true" or attributes.get("role") in ROLES
    )
