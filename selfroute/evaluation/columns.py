"""What a value read from a file of a run may be: such files are kept for years, packed, moved and edited by hand, and
an odd value is told with its column and not met as a traceback pages later. Pure. Knows nothing of files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal, InvalidOperation

Check = Callable[[object], bool]
MOST = 2**53
"""Counts above this are no counts, and floats do not hold them."""
SLIP = 1e-6
"""By which arithmetic may miss the end of a range."""


def text(value: object) -> bool:
    return isinstance(value, str)


def truth(value: object) -> bool:
    return isinstance(value, bool)


def count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST


def positive(value: object) -> bool:
    """A count of 1 or more."""
    return count(value) and value != 0


def number(value: object) -> bool:
    """Finite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST  # nor NaN


def amount(value: object) -> bool:
    """Of seconds, and the like."""
    return number(value) and value >= 0  # type: ignore[operator]


def share(value: object) -> bool:
    """0 to 1."""
    return number(value) and -SLIP <= value <= 1 + SLIP  # type: ignore[operator]


def points(value: object) -> bool:
    """0 to 100."""
    return number(value) and -SLIP <= value <= 100 + SLIP  # type: ignore[operator]


def cost(value: object) -> bool:
    """Decimal text, finite."""
    try:
        return isinstance(value, str) and (made := Decimal(value)).is_finite() and abs(made) < MOST
    except InvalidOperation:
        return False


def texts(value: object) -> bool:
    return isinstance(value, list) and all(map(text, value))


def counts(value: object) -> bool:
    """An object of counts."""
    return isinstance(value, dict) and all(map(count, value.values()))


def mapping(value: object) -> bool:
    return isinstance(value, dict)


def maybe(check: Check) -> Check:
    """Or null."""
    return lambda value: value is None or check(value)


def one_of(known: Collection[str]) -> Check:
    return lambda value: isinstance(value, str) and value in known


def objects(columns: Mapping[str, Check]) -> Check:
    """A list of objects that have all these columns."""
    return lambda value: isinstance(value, list) and all(isinstance(i, dict) and not odd(i, columns) for i in value)


def odd(values: Mapping[str, object], columns: Mapping[str, Check], *, may_lack: Collection[str] = ()) -> str | None:
    """What is odd about the first column that is missing or is not what it may be; `None` if nothing is."""
    for name, check in columns.items():
        if name not in values:
            if name not in may_lack:
                return f"it has no {name!r}"
        elif not check(values[name]):
            return f"its {name!r} is {shown(values[name])}"
    return None


def shown(value: object) -> str:
    """Short, for an error."""
    told = "not a number" if isinstance(value, float) and math.isnan(value) else repr(value)
    return told if len(told) <= 60 else f"{told[:59]}…"
