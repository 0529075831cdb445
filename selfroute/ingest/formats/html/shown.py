"""Tells what of a page is shown to a person: at once, or when a control opens it (an accordion, a tab, a menu of
answers).

Decides by elements' attributes and by what stands beside them; knows nothing of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from selfroute.ingest.formats.html.names import Kind
from selfroute.ingest.formats.html.styles import Style

Attributes = Mapping[str, str | None]

ROLES = {
    "navigation",
    "banner",
    "contentinfo",
    "search",
    "menu",
    "menubar",
    "doc-backlink",
    "doc-pagebreak",
    "deletion",
}
OPENED = re.compile(
    r"accordi|collaps|panel|tab-?content|tab-?pane|\btabs?\b|faq|answer|toggl|expand|reveal|spoiler|drawer__content",
    re.IGNORECASE,
)
"""Class names of what a control opens, and of controls."""

OPENERS = re.compile(
    r"accordi|collaps|faq|question|expand|reveal|spoiler|\btabs?\b|tab-?(?:link|btn|button)", re.IGNORECASE
)
"""Class names of buttons that open text."""

WINDOWS = re.compile(
    r"modal|dialog|cookie|consent|popup|overlay|lightbox|newsletter|sign-?(?:up|in)|log-?in", re.IGNORECASE
)
"""Names of what is laid over a page, which is not about the page."""

SPOKEN = re.compile(r"sr-only|visually-?hidden|screen-reader|offscreen|a11y-only", re.IGNORECASE)
ICON = re.compile(r"icon|glyph|\bfa[bsrl]?\b|caret|chevron|arrow|emoji|bullet|separator|divider", re.IGNORECASE)
MENU = re.compile(r"navbar|hamburger|menu|nav-?toggle|drawer|close|dismiss|modal|cookie|search|share", re.IGNORECASE)
MENU_WORDS = re.compile(
    r"(?:(?:open|close|show|hide|toggle|main|site)\s+)?(?:menu|navigation|nav|search|sidebar|close|share|more|less)|×|☰",
    re.IGNORECASE,
)
CONTROLS = "[aria-controls], [data-bs-target], [data-target], [popovertarget], [commandfor], [data-bs-toggle][href]"
POINTS = ("aria-controls", "data-bs-target", "data-target", "popovertarget", "commandfor", "href", "aria-owns")
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
INLINE = {"span", "i", "b", "em", "strong", "small", "a", "abbr", "sup", "sub", "font", "u", "svg", "img", "code"}
CONTENT = {"article", "aside", "blockquote", "details", "dialog", "fieldset", "figure", "main", "section", "td", "li"}
"""Elements whose own header and footer belong to their content."""

WORD = re.compile(r"[^\W_]+(?:['\u2019.,-][^\W_]+)*")
MOST_LOOKED_AT = 2000
"""Characters of an element's text by which it is judged."""

MOST_NODES = 500
"""Nodes of an element that are looked at: a page may nest them thousands deep."""

BLOCKS = {*HEADINGS, "p", "div", "table", "ul", "ol", "dl", "pre", "section", "article", "li", "blockquote", "form"}


class Shown:
    """Judges the elements of one page."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._targets: frozenset[str] | None = None

    def is_dropped(self, node: Any, tag: str, attributes: Attributes, style: Style) -> bool:
        """Tell whether an element with such attributes is no text of the page."""
        role = attributes.get("role")
        if role in ROLES or style.struck or attributes.get("epub:type") == "pagebreak":
            return True
        if style.unseen:
            return not (
                tag in ("html", "body")  # until scripts have run
                or node.css_first("math, main, article, h1") is not None
                or self.is_opened(node, attributes)
            )
        if ("hidden" in attributes or attributes.get("aria-hidden") == "true") and _is_window(attributes):
            return (attributes.get("id") or "") not in self._pointed_at()
        if "hidden" in attributes:
            found = attributes["hidden"] == "until-found"  # by a search in the page
            return not (found or self.is_opened(node, attributes) or _is_said(node))
        if attributes.get("aria-hidden") == "true":
            return not (self._is_seen(node, tag, attributes) or self.is_opened(node, attributes))
        return False

    def _is_seen(self, node: Any, tag: str, attributes: Attributes) -> bool:
        """Tell whether what is only kept from being spoken is text: an icon is not, nor what is spoken in other
        words."""
        names = attributes.get("class") or ""
        if "katex-html" in names:
            return node.parent.css_first("math") is None
        if tag not in INLINE:
            return _is_said(node)
        text = _text(node)
        if ICON.search(names) or not (_is_said(node) or re.search(r"\d", text)):
            return False
        return not any(
            (about := beside.attributes) and (SPOKEN.search(about.get("class") or "") or beside.tag == "math")
            for beside in node.parent.iter()
        ) and not (node.parent.attributes or {}).get("aria-label")

    def is_opened(self, node: Any, attributes: Attributes) -> bool:
        """Tell whether a control shows it when it is asked to."""
        if attributes.get("role") in ("tabpanel", "region"):
            return True
        if OPENED.search(attributes.get("class") or "") or (attributes.get("id") or "") in self._pointed_at():
            return True
        before = node.prev
        while before is not None and before.tag.startswith("-"):
            before = before.prev
        if before is None:
            return False
        if self._opens(before) or before.tag in ("summary", "dt"):
            return True
        return before.tag not in ("form", "section", "article", "table", "nav", "header") and any(
            self._opens(one) for one in before.css("button, [aria-expanded], [role=button]")
        )

    def _opens(self, node: Any) -> bool:
        """Tell whether a click on the element may show what comes after it."""
        about = node.attributes
        if "onclick" in about:
            return True
        if node.tag == "button":
            return self.is_heading(node, about)
        return (
            "aria-expanded" in about
            or about.get("role") in ("button", "tab")
            or any(name in about for name in ("data-toggle", "data-bs-toggle", "aria-controls"))
        )

    def is_heading(self, node: Any, attributes: Attributes) -> bool:
        """Tell whether a button is a heading by which a text is opened: a question of an accordion, a tab."""
        text = _text(node).strip()
        if not text:
            return False
        names = " ".join(filter(None, (attributes.get("class"), attributes.get("id"))))
        above, levels = node.parent, 0
        while above is not None and levels < 3:
            if above.tag in HEADINGS or above.tag in ("summary", "dt"):
                return True
            above, levels = above.parent, levels + 1
        if text.endswith(("?", "？", "؟")):
            return True
        if MENU.search(names) or MENU_WORDS.fullmatch(text) or attributes.get("aria-haspopup"):
            return False
        if OPENERS.search(names) or attributes.get("role") == "tab":
            return True
        return any(name in attributes for name in ("aria-expanded", "aria-controls", "data-bs-target", "data-target"))

    def _pointed_at(self) -> frozenset[str]:
        """The ids that controls open, and to which links lead."""
        if self._targets is None:
            found: set[str] = set()
            for control in self._root.css(CONTROLS + ", a[href^='#'], [onclick]"):
                about = control.attributes
                for name in POINTS:
                    found.update(part.removeprefix("#") for part in (about.get(name) or "").split())
                found.update(re.findall(r"['\"]#?([\w-]+)['\"]", about.get("onclick") or ""))
            self._targets = frozenset(found - {""})
        return self._targets


def is_aside(tag: str, node: Any) -> bool:
    """Tell whether it is the page's own navigation or foot, not that of an article, a quotation or a section."""
    if tag == "nav":
        return node.css_first("[role=tablist], [role=doc-endnotes], [role=doc-footnote]") is None
    above = node.parent
    while above is not None:
        if above.tag in CONTENT:
            return False
        above = above.parent
    return True


def is_copy(kind: Kind, node: Any, tag: str) -> bool:
    """Tell whether an element of this kind repeats what is said elsewhere, or leads to it."""
    if kind is Kind.PREVIEW:
        return _is_drawn_after(node)
    if kind is Kind.FALLBACK:
        return node.parent is not None and node.parent.css_first("math") is not None
    if kind is Kind.LINES:
        return tag in ("td", "span", "a", "pre") and not re.search(r"[^\W\d_]", _text(node))
    if kind is Kind.PERMALINK:
        return tag == "a" and len(_text(node).strip()) < 2
    return kind is Kind.COPY


def has_blocks(node: Any) -> bool:
    """Tell whether the element holds more than a line."""
    return any(one.tag in BLOCKS for one in islice(node.traverse(), 1, MOST_NODES))


def _is_drawn_after(node: Any) -> bool:
    """Tell whether an equation follows of which the node shows something until it is drawn."""
    after = node.next
    while after is not None and after.tag == "-text":
        after = after.next
    if after is None or after.tag.startswith("-"):
        return False
    about = after.attributes
    return "MathJax" in (about.get("class") or "") or (about.get("type") or "").startswith("math/")


def _is_window(attributes: Attributes) -> bool:
    return attributes.get("role") in ("dialog", "alertdialog") or bool(
        WINDOWS.search(f"{attributes.get('id')} {attributes.get('class')}")
    )


def _is_said(node: Any) -> bool:
    """Tell whether the element holds words that say something, not the name of an icon or a sign."""
    words = WORD.findall(_text(node))
    return len(words) > 2 or (len(words) == 2 and any(word[0].isdigit() for word in words))


def _text(node: Any) -> str:
    return "".join(_pieces(node))


def _pieces(node: Any) -> Iterator[str]:
    size = 0
    for at, one in enumerate(node.traverse(include_text=True)):
        if at > MOST_NODES:
            return
        if one.tag == "-text" and one.parent.tag not in ("script", "style"):
            text = one.text_content or ""
            yield text
            size += len(text)
            if size > MOST_LOOKED_AT:
                return
