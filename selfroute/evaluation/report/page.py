"""What a report is made of, before it is HTML, Markdown or CSV: sections of paragraphs, tables, pictures, examples.

A table holds values, and each column says how they are written: so a CSV file has the numbers themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from selfroute.evaluation.report.examples import Example
from selfroute.evaluation.statistics import Interval

Kind = Literal[
    "text", "count", "score", "points", "share", "ratio", "fraction", "cost", "seconds", "interval", "shares"
]
"""`interval` is a pair of scores or ratios, `shares` a pair of shares; a pair is two columns in a CSV file."""

# Text may be empty: where there is nothing to say in a column of costs, whose null is an unknown price.
Value = str | int | float | Decimal | None | tuple[float | None, float | None]
NONE = "-"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind = "text"

    @property
    def is_text(self) -> bool:
        return self.kind == "text"


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is that of its CSV file, without the suffix."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def grouped(self) -> bool:
        """Whether rows that begin alike stand together."""
        return len({row[0] for row in self.rows}) < len(self.rows)

    @property
    def written(self) -> list[list[str]]:
        return [
            [written(value, column.kind) for value, column in zip(row, self.columns, strict=True)] for row in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Picture:
    """`name` is that of its PNG file, without the suffix; `alt` says what it shows to who cannot see it."""

    name: str
    alt: str


Block = str | Table | Picture | Example


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    facts: tuple[str, ...]
    sections: tuple[Section, ...]


def around(made: Interval | None) -> tuple[float | None, float | None]:
    """An interval's bounds as a value."""
    return (None, None) if made is None else (made.low, made.high)


def mean(made: Interval | None) -> float | None:
    return None if made is None else made.mean


def written(value: Value, kind: Kind) -> str:
    """A value as a reader sees it; a dash where there is none."""
    if isinstance(value, tuple):
        low, high = value
        if low is None or high is None:
            return NONE
        return f"{low:.0%} to {high:.0%}" if kind == "shares" else f"{low:.1f} to {high:.1f}"
    if value is None:
        return "unknown" if kind == "cost" else NONE
    if isinstance(value, str):
        return value or NONE
    if kind == "cost":
        return format(Decimal(value).quantize(Decimal("0.0001")).normalize() if value else Decimal(0), "f")
    return format(value, FORMATS[kind])


FORMATS: dict[Kind, str] = {
    "text": "",
    "count": ",",
    "score": ".1f",
    "points": "+.1f",
    "share": ".1%",
    "ratio": "+.0%",
    "fraction": ".3f",
    "seconds": ".2f",
}
