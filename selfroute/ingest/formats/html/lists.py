"""The marks of list items of a page: `3. `, `c. `, or a bullet.

Knows nothing of text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from selfroute.ingest.formats.html.lines import BULLET
from selfroute.ingest.formats.numbering import SIGNS, written

STYLES: Mapping[str, str] = MappingProxyType(
    {
        "decimal": "decimal",
        "decimal-leading-zero": "decimalZero",
        "lower-alpha": "lowerLetter",
        "lower-latin": "lowerLetter",
        "upper-alpha": "upperLetter",
        "upper-latin": "upperLetter",
        "lower-roman": "lowerRoman",
        "upper-roman": "upperRoman",
        **dict.fromkeys(("none", "disc", "circle", "square", "disclosure-open", "disclosure-closed"), "none"),
    }
)
STYLE = re.compile(r"list-style(?:-type)?\s*:\s*([^;]+)", re.IGNORECASE)
WHOLE = re.compile(r"\s*([+-]?\d{1,9})")


class List:
    """One list, whose items are marked in their order."""

    def __init__(self, node: Any, tag: str, attributes: Mapping[str, str | None], classed: str | None) -> None:
        """`classed` is the kind that a style sheet gives to lists of this class."""
        kind = SIGNS.get((attributes.get("type") or "").strip(), "decimal") if tag == "ol" else "none"
        self._kind = styled(attributes) or classed or kind
        self._by = -1 if "reversed" in attributes and tag == "ol" else 1
        start = _whole(attributes.get("start")) if tag == "ol" else None
        self._next = start if start is not None else (_items(node) if self._by < 0 else 1)

    def mark(self, attributes: Mapping[str, str | None], classed: str | None = None) -> str:
        """The mark of the next item."""
        value = _whole(attributes.get("value"))
        number = self._next if value is None else value
        self._next = number + self._by
        own = SIGNS.get((attributes.get("type") or "").strip())
        kind = styled(attributes) or classed or own or self._kind
        made = written(number, kind)
        return f"{made}. " if made else BULLET


def styled(attributes: Mapping[str, str | None]) -> str | None:
    """The kind of numbering that an inline style gives."""
    style = attributes.get("style")
    return kind_of(style) if style and "list-style" in style else None


def kind_of(style: str) -> str | None:
    """The kind of numbering that declarations of CSS give."""
    found = STYLE.search(style)
    words = found[1].lower().split() if found else []
    return next((STYLES[word] for word in words if word in STYLES), None)


def _whole(value: str | None) -> int | None:
    found = WHOLE.match(value or "")
    return int(found[1]) if found else None


def _items(node: Any) -> int:
    return sum(child.tag == "li" for child in node.iter())
