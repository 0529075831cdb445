"""A reply while it grows: what of its answer can be shown already, whatever follows.

What is shown is the beginning of what `read_reply` says of the whole: in doubt nothing more is shown, and the rest
comes at the end. Of JSON only the field `answer` is shown, once `answerable` was seen to be true before it; of plain
text nothing that may yet be a decline; thoughts never. Knows nothing of prompts or endpoints.
"""

from __future__ import annotations

import json
import re

from selfroute.replies import Unreadable, begins_object, decided, storable, thoughts_end
from selfroute.replies.form import BREAK
from selfroute.replies.thoughts import LEAKED, TURN_ENDS

_OBJECT = re.compile(r"(?:\A|>|(?:`{3,}|~{3,})[^\n`]*\n)\s*\{")
"""What may be the beginning of a structured reply."""
_BODY = re.compile(r"\s*(?:(?:`{3,}|~{3,})[^\n`]*\n\s*)?(?=\{)")
_S = r"[ \t\r\n]*"
_HEAD = re.compile(rf'\{{{_S}"answerable"{_S}:{_S}true{_S},{_S}"answer"{_S}:{_S}"')
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURE = re.compile(
    rf"""
    (?P<text> [^"\\<\x00-\x1f]+ | <(?=[^|]) )
    | (?P<escape> \\["\\/] | {BREAK}(?=[a-z]*[^a-z]) | {_HIGH}{_LOW} | \\u(?![dD][89a-fA-F])[0-9a-fA-F]{{4}} )
    """,
    re.X,
)
"""What stands for itself in a string of JSON and in one that only resembles it: there `\\nu` is no line break, a line
break may end the text, and `<|end|>` at the end of a reply is none of it."""
_CLOSING = re.compile("</think", re.I)
_LEAD = 200
"""Characters behind which the beginning of an object is looked for."""


class GrowingReply:
    """`structured` as for `read_reply`; `thinks`: the model may think aloud before it replies, without a mark where
    its thoughts begin. `shown` is all that was shown so far."""

    def __init__(self, *, structured: bool, thinks: bool = False) -> None:
        self._structured = structured
        self._thinks = thinks
        self._text = ""
        self._at: int | None = None  # from where on it is read: within the answer's string, or where plain text begins
        self._said = ""  # of a structured answer, decoded
        self._found = False  # whether the text begins with the object
        self._within = False  # thoughts that have not ended
        self._over = False  # nothing more is shown
        self.shown = ""

    def add(self, piece: str) -> str:
        """What can be shown after this piece that could not before."""
        self._text += piece
        if self._over:
            return ""
        sure = self._of_object(piece) if self._structured else self._of_prose(piece)
        more = sure[len(self.shown) :]
        self.shown += more
        return more

    def _of_object(self, piece: str) -> str:
        if self._at is None:
            self._at = self._answer_begins(piece)
        if self._at is None:
            return ""
        while found := _SURE.match(self._text, self._at):
            self._said += found["text"] or json.loads(f'"{found["escape"]}"')
            self._at = found.end()
        if not self.shown:
            self._said = self._said.lstrip()
        return storable(self._said.rstrip())

    def _answer_begins(self, piece: str) -> int | None:
        """Behind the quotation mark that opens the answer; `None` as long as it is not seen."""
        if not self._found:
            if not _OBJECT.search(self._text, max(len(self._text) - len(piece) - _LEAD, 0)):
                return None
            try:
                body = _BODY.match(self._text, thoughts_end(self._text))
            except Unreadable:
                return None
            if body is None:
                return None
            self._text, self._found = self._text[body.end() :], True
        head = _HEAD.match(self._text)
        return head.end() if head else None

    def _of_prose(self, piece: str) -> str:
        if self._at is None:
            self._at = self._prose_begins(piece)
        elif ">" in piece and _CLOSING.search(self._text, self._at):
            self._over = True  # it was no answer but thoughts, perhaps
        if self._at is None or self._over:
            return ""
        return storable(self._text[self._at : self._settled()])

    def _prose_begins(self, piece: str) -> int | None:
        if self._within and ">" not in piece:
            return None
        try:
            at = thoughts_end(self._text)
        except Unreadable:
            self._within = True
            return None
        self._within = self._thinks and not _CLOSING.search(self._text, 0, at)
        said = self._text[at:]
        # A channel without its marks may yet come to a final one.
        self._over = begins_object(said) is True or LEAKED.match(self._text) is not None
        return len(self._text) - len(said.lstrip()) if not self._within and decided(said) else None

    def _settled(self) -> int:
        """Where white space begins, or the mark at the end of a turn, that may be the last of the reply."""
        end = len(self._text.rstrip())
        mark = self._text.rfind("<", max(end - 10, 0), end)
        if mark >= 0 and any(one.startswith(self._text[mark:end]) for one in TURN_ENDS):
            end = len(self._text[:mark].rstrip())
        return end
