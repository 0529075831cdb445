"""Reads what is typed and ticked in a page's forms, beside the label that says what it is.

Never reads what is kept secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from selfroute.ingest.formats.html.lines import NO_TICK, SPACE, Lines

Attributes = Mapping[str, str | None]

UNTYPED = {"hidden", "password", "submit", "button", "reset", "image", "file"}
"""Types of `input` in which nothing is written; an unknown type is one of text."""

TICKED = {"checkbox", "radio"}
SECRET = ("cc-number", "cc-csc", "one-time-code", "current-password", "new-password")
TICK = "[x]"
OPENERS = re.compile(r"\bnav|menu|sidebar|drawer|toggle|hamburger|dropdown", re.IGNORECASE)
"""Names of boxes whose tick only opens a part of the page."""


class Fields:
    """The fields on the lines of one page."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._label: tuple[str, int] | None = None

    def label(self, attributes: Attributes) -> Callable[[], None]:
        """A label, which may stand a line above its field. Returns how it is left."""

        def leave() -> None:
            self._label = (attributes.get("for") or "", len(self._lines.done))

        return leave

    def input(self, attributes: Attributes) -> None:
        text = value(attributes)
        if text in (TICK, NO_TICK) and OPENERS.search(f"{attributes.get('id')} {attributes.get('class')}"):
            return
        if text and text not in (TICK, NO_TICK):
            self._go_on_after_label(attributes)
        self._add(text)

    def select(self, node: Any, attributes: Attributes) -> None:
        text = chosen(node)
        if text:
            self._go_on_after_label(attributes)
        self._add(text)

    def textarea(self, node: Any, attributes: Attributes) -> None:
        text = node.text().strip()
        if not text:
            return
        self._go_on_after_label(attributes)
        self._lines.space()
        for at, line in enumerate(text.split("\n")):
            if at:
                self._lines.end()
            self._lines.say(line)
        self._lines.space()

    def _add(self, text: str) -> None:
        if text:
            self._lines.space()
            self._lines.add(text, SPACE)

    def _go_on_after_label(self, attributes: Attributes) -> None:
        """Has a value stand on the line of its label, though that is the line above."""
        if self._label is None or not self._lines.is_empty():
            return
        name, at = self._label
        self._label = None
        done = self._lines.done
        last = next((i for i in range(len(done) - 1, -1, -1) if done[i]), -1)
        if at == last and name in ("", attributes.get("id") or ""):
            self._lines.reopen()


def value(attributes: Attributes) -> str:
    """Return what an `input` shows: its value, or whether it is ticked."""
    kind = (attributes.get("type") or "text").strip().lower()
    if kind in TICKED:
        return TICK if "checked" in attributes or attributes.get("aria-checked") == "true" else NO_TICK
    if kind in UNTYPED or (attributes.get("autocomplete") or "") in SECRET:
        return ""
    typed = " ".join((attributes.get("value") or "").split())
    label = " ".join((attributes.get("aria-label") or "").split()) if typed else ""
    return f"{label} {typed}" if label else typed


def chosen(select: Any) -> str:
    """The options of a `select` that are chosen in the file."""
    made = []
    for option in select.css("option"):
        about = option.attributes
        if "selected" in about:
            made.append(" ".join((about.get("label") or option.text()).split()))
    return ", ".join(filter(None, made))
