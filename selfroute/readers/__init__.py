"""The seam for readers: a reader answers a question from text it is shown, or declines."""

from __future__ import annotations

from typing import Protocol

from selfroute.types import Draft, Reading, Record, Shown


class Reader(Protocol):
    """Reads text. Every call it makes, failed ones too, goes to `record` before `read` returns."""

    @property
    def model(self) -> str: ...

    @property
    def window(self) -> int:
        """Input tokens that one reading may take."""
        ...

    @property
    def max_output_tokens(self) -> int:
        """The most that one reading may write."""
        ...

    @property
    def counted_by(self) -> str:
        """What counts its tokens, for people."""
        ...

    def count_tokens(self, reading: Reading) -> int:
        """Input tokens that `read` would process. Asks no model; blocking, since it may ask a server to count."""
        ...

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        """`shown` is there where nothing can overrule this draft. It receives the answer as it is made, by a reader
        that makes it piece by piece: always a beginning of `Draft.answer`, and nothing of a declined draft. What it
        did not receive its giver shows."""
        ...


class Before:
    """Stands before another reader, and is asked in its place: what is known of it is what is known of the other."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def model(self) -> str:
        return self._reader.model

    @property
    def window(self) -> int:
        return self._reader.window

    @property
    def max_output_tokens(self) -> int:
        return self._reader.max_output_tokens

    @property
    def counted_by(self) -> str:
        return self._reader.counted_by

    def count_tokens(self, reading: Reading) -> int:
        return self._reader.count_tokens(reading)
