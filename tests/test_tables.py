"""Tables are found in a text by their rows, whoever wrote them."""

from __future__ import annotations

import pytest

from selfroute.ingest.tables import Table, cells_of, tables

MARKDOWN = "| quay | fee |\n|---|---:|\n| north | 40 |\n| south | 25 |"
PLAIN = "quay | fee\nnorth | 40\nsouth | 25"
TABS = "quay\tfee\nnorth\t40\nsouth\t25"


@pytest.mark.parametrize(
    ("text", "header", "body"),
    [
        (MARKDOWN, "| quay | fee |", MARKDOWN.index("| north")),
        (PLAIN, "quay | fee", PLAIN.index("north")),
        (TABS, "quay\tfee", TABS.index("north")),
    ],
)
def test_a_table_is_found_with_its_header(text: str, header: str, body: int) -> None:
    before = "Fees of the harbour.\n\n"
    assert tables(f"{before}{text}\n\nThe end.") == [
        Table(len(before), len(before) + body, len(before) + len(text), header)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No table at all.",
        "one | two\nthree | four",  # no more than a header and a row
        "a | b\nplain\nc | d\nplain\ne | f",
        "a | b | c | d\nx | y\nz | w\nu | v",  # the first is no header of the others
        "cat x | sort\n\ncat y | sort\n\ncat z | sort",
    ],
)
def test_what_is_no_table_is_none(text: str) -> None:
    assert tables(text) == []


def test_rows_with_fewer_cells_do_not_end_a_table() -> None:
    text = "quay | season | fee\nnorth | summer | 40\nsouth | free\neast | winter | 31\nwest | winter | 12"
    [table] = tables(text)
    assert table.end == len(text)


def test_two_tables_are_two() -> None:
    found = tables(f"{PLAIN}\n\n{MARKDOWN}")
    assert [table.header for table in found] == ["quay | fee", "| quay | fee |"]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| a | b c |", ["a", "b c"]),
        ("a | b c", ["a", "b c"]),
        ("a\t\tb", ["a", "b"]),
        ("| a | | c |", ["a", "", "c"]),
        (r"a \| still a | b", [r"a \| still a", "b"]),
        ("alone", ["alone"]),
    ],
)
def test_cells_stand_where_they_stand(row: str, cells: list[str]) -> None:
    assert [row[start:end] for start, end in cells_of(row)] == cells


def test_some_cells_have_their_names_beside_them() -> None:
    table = Table(0, 0, 0, "| quay | season | fee |")
    assert table.beside("| north | summer | 40 |", (1, 3)) == "season | fee"
    assert table.beside("| north | 40 |", (0, 1)) == ""
