"""The equations of a page, each once: as MathML, or as the TeX that was written for a script which draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from selfroute.ingest.formats.html import mathml
from selfroute.ingest.formats.html.lines import APART, Lines

Attributes = Mapping[str, str | None]
Children = Callable[[str], Iterable[Any]]


class Equations:
    """Equations on the lines of one page."""

    def __init__(self, lines: Lines, children: Children) -> None:
        """`children` parses what stands in an attribute or a script."""
        self._lines = lines
        self._children = children

    def add(self, text: str, is_block: bool = False) -> None:
        """An equation in its sentence, or on a line of its own."""
        lines = self._lines
        if is_block:
            lines.end(blank=True)
        elif lines.tail()[-1:].isalnum() and text[:1].isalnum():
            lines.space()
        lines.add(text, APART)
        if is_block:
            lines.end(blank=True)

    def add_math(self, math: Any, is_block: bool = False) -> None:
        """A `math` element."""
        about = math.attributes
        self.add(mathml.text_of(math), is_block or about.get("display") == "block" or about.get("mode") == "display")

    def add_drawn(self, node: Any, attributes: Attributes) -> bool:
        """An equation as scripts draw it, beside which its MathML or its TeX is kept. False if neither is: then what
        is drawn is all that there is."""
        is_block = "isplay" in (attributes.get("class") or "") or attributes.get("display") == "true"
        math = node.css_first("math")
        if math is None and (data := node.css_first("[data-mathml]")) is not None:
            math = self._math(data.attributes.get("data-mathml") or "")
        if math is not None:
            self.add_math(math, is_block)
            return True
        if (data := node.css_first("[data-latex]")) is not None:
            self.add(mathml.tex(data.attributes.get("data-latex") or ""), is_block)
            return True
        label = " ".join((attributes.get("aria-label") or "").split())
        if label:
            self.add(label, is_block)
            return True
        return _is_source(_beside(node.next, forward=True))

    def add_source(self, node: Any, attributes: Attributes) -> None:
        """A script that holds an equation, unless that is there as MathML already."""
        kind = attributes.get("type") or ""
        drawn = _beside(node.prev, forward=False)
        if drawn is not None and drawn.css_first("math, [data-mathml]") is not None:
            return
        if "mml" in kind:
            math = self._math(node.text())
            if math is not None:
                self.add_math(math, "display" in kind)
        else:
            self.add(mathml.tex(node.text()), "display" in kind)

    def _math(self, source: str) -> Any | None:
        return next((one for one in self._children(source) if one.tag == "math"), None)


def is_source(attributes: Attributes) -> bool:
    """Tell whether a script holds an equation."""
    return (attributes.get("type") or "").startswith("math/")


def _is_source(node: Any | None) -> bool:
    return node is not None and node.tag == "script" and is_source(node.attributes)


def _beside(node: Any | None, *, forward: bool) -> Any | None:
    """The nearest element, if no text stands between."""
    while node is not None and node.tag.startswith("-"):
        if (node.text_content or "").strip() and node.tag == "-text":
            return None
        node = node.next if forward else node.prev
    return node
