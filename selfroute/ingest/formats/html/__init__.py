"""HTML as text a person would read: headings marked as in Markdown, list items and table rows on lines of their own;
navigation, footers, scripts and what was struck out are dropped.

Parsed by selectolax (lexbor), which follows the HTML standard; `html_page` walks the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.html.page import Page
from selfroute.ingest.formats.html.styles import sheets
from selfroute.ingest.formats.texts import Text, content, decoded

DEEPEST = 20_000
"""Elements inside each other; the standard's way of parsing takes time that grows with the square of it."""

OPTIONAL_END = {"p", "li", "td", "th", "tr", "dt", "dd", "thead", "tbody", "tfoot", "option", "optgroup", "colgroup"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
SELF_CLOSED = re.compile(
    rf"""<(?!(?:{"|".join(sorted(VOID))})\b)([A-Za-z][\w:.-]*)((?:[^<>"']|"[^"]*"|'[^']*')*?)\s*/>"""
)
"""Elements that are closed where they open, in XML: HTML would take all that follows for their content."""
DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,100}?encoding=["']([\w.-]+)""", re.I
)
NO_TITLES = {"", "untitled", "untitled document", "document", "new page", "title"}
FILE = re.compile(r"\S+\.(?:x?html?|docx?|pdf|php|aspx?|odt|rtf|txt|xml)", re.IGNORECASE)
"""A title that some program made of the file's name."""

MOST_FRAMES = 5
"""Frames that are named."""

ASKS = re.compile(
    r"(?:enable|activate|turn on|need|requires?|without|support)\w*\b.{0,80}\bjavascript"
    r"|javascript\b.{0,80}\b(?:enable|disabled|required|need|activ)",
    re.IGNORECASE | re.DOTALL,
)
"""What a page says that is written by scripts alone."""

MOST_ASKED = 300


def read(path: Path) -> Text:
    markup = _markup(content(path), path)
    root, parsers = _parsed(markup, path)
    text = _text(root, parsers, path)
    frames = [frame for one in root.css("frame[src]") if (frame := one.attributes.get("src") or "")]
    if not text or (len(text) < MOST_ASKED and ASKS.search(text) and root.css_first("script[src]") is not None):
        _refuse(root, frames, path)
        return Text("")
    title = _title(root)
    if title and not _is_said(title, text):
        text = f"# {title}\n\n{text}"
    if not frames:
        return Text(text)
    warning = f"the page shows {len(frames)} other files in frames, which are read only by themselves: {_named(frames)}"
    return Text(text, warnings=(warning,), readable=1 / (1 + len(frames)))


def text_of(data: bytes, path: Path, *, xml: bool = False, css: str = "") -> str:
    """The text of a page without its title (`xml`: of XHTML, which may not say so; `css`: style sheets beside it).
    Raises `UnreadableFile` if it is no text or nested beyond reason."""
    root, parsers = _parsed(_markup(data, path, xml=xml), path)
    return _text(root, parsers, path, css)


def _markup(data: bytes, path: Path, *, xml: bool = False) -> str:
    found = DECLARED.search(data[:4096])
    declared = (found[1] or found[2]).decode() if found else None
    markup = decoded(data, path, declared)
    if "\0" in markup:
        raise UnreadableFile(path, "holds NUL characters: it is not a text file")
    if xml or markup.lstrip("\ufeff \t\r\n").startswith("<?xml"):
        markup = SELF_CLOSED.sub(r"<\1\2></\1>", markup)
    return markup


def _parsed(markup: str, path: Path) -> tuple[Any, list[Any]]:
    """The root of a page, and the parsers that must live as long as its nodes."""
    if _depth(markup) > DEEPEST:
        raise UnreadableFile(path, f"nests more than {DEEPEST:,} elements inside each other: it is no page to read")
    from selectolax.lexbor import LexborHTMLParser

    parser = LexborHTMLParser(markup)
    return parser.root, [parser]


def _text(root: Any, parsers: list[Any], path: Path, css: str = "") -> str:
    """Return what the page shows, or what it shows where no scripts run if that is all."""
    if root is None:
        return ""

    def children(source: str) -> Iterable[Any]:
        if not source.strip():
            return []
        inner, kept = _parsed(source, path)
        parsers.extend(kept)
        body = inner.css_first("body") if inner is not None else None
        return body.iter(include_text=True) if body is not None else []

    styles = sheets("\n".join([css, *(one.text() for one in root.css("style"))]))
    text = Page(root, children, styles).text()
    if text or root.css_first("noscript, noframes") is None:
        return text
    return Page(root, children, styles, without_scripts=True).text()


def _refuse(root: Any, frames: list[str], path: Path) -> None:
    """Says why a page has no text, if it is not empty."""
    if frames:
        raise UnreadableFile(path, f"only shows other files in frames: index those ({_named(frames)})")
    if root.css_first("script[src], body script") is not None:
        raise UnreadableFile(path, "holds no text: scripts write it in a browser, from which it can be saved as shown")
    if root.css_first("img, svg, canvas, object, embed, video") is not None:
        raise UnreadableFile(path, "holds no text: it shows pictures only")


def _title(root: Any) -> str:
    title = root.css_first("head > title")
    said = " ".join((title.text() if title is not None else "").split())[:500]
    return "" if said.lower() in NO_TITLES or FILE.fullmatch(said) else said


def _is_said(title: str, text: str) -> bool:
    """Tell whether a heading of the text repeats the title."""
    words = "".join(re.findall(r"\w+", title.lower()))
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)[:20]
    return not words or any(words in "".join(re.findall(r"\w+", heading.lower())) for heading in headings)


def _named(frames: list[str]) -> str:
    return ", ".join(frames[:MOST_FRAMES]) + (", ..." if len(frames) > MOST_FRAMES else "")


def _depth(markup: str) -> int:
    """Tell how deep elements may be nested, at most: those that need not be closed are left out of the count."""
    deepest = depth = 0
    for close, name in re.findall(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)", markup):
        if name.lower() not in OPTIONAL_END | VOID:
            depth = max(depth - 1, 0) if close else depth + 1
            deepest = max(deepest, depth)
    return deepest
