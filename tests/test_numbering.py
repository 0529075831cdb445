"""The numbers of list items as they are written."""

import pytest

from selfroute.ingest.formats.numbering import written


@pytest.mark.parametrize(
    ("number", "kind", "as_written"),
    [
        (7, "decimal", "7"),
        (7, "decimalZero", "07"),
        (3, "lowerLetter", "c"),
        (26, "upperLetter", "Z"),
        (27, "lowerLetter", "aa"),
        (53, "lowerLetter", "ba"),
        (4, "lowerRoman", "iv"),
        (1994, "upperRoman", "MCMXCIV"),
        (0, "upperRoman", "0"),
        (-2, "lowerLetter", "-2"),
        (5, "none", ""),
        (5, "ideographDigital", "5"),
    ],
)
def test_numbers_are_written_in_their_kind(number: int, kind: str, as_written: str) -> None:
    assert written(number, kind) == as_written
