"""Tables are found in a text by their rows, whoever wrote them."""

from __future__ import annotations

import pytest

from selfroute.ingest.tables import Table, cells_of, tables

MARKDOWN = "| quay | fee |\n|---|---:|\n| north | 40 |\n| south | 25 |"
PLAIN = "quay | fee\nnorth | 40\nsouth | 25"
TABS = "quay\tfee\nnorth\t40\nsouth\t25"


@pytest.mark.parametrize(
    ("text", "header", "body", "edged"),
    [
        (MARKDOWN, "| quay | fee |", MARKDOWN.index("| north"), True),
        (PLAIN, "quay | fee", PLAIN.index("north"), False),
        (TABS, "quay\tfee", TABS.index("north"), False),
    ],
)
def test_a_table_is_found_with_its_header(text: str, header: str, body: int, edged: bool) -> None:
    before = "Fees of the harbour.\n\n"
    assert tables(f"{before}{text}\n\nThe end.") == [
        Table(len(before), len(before) + body, len(before) + len(text), header, edged)
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("| 2019 | 2020\nnorth | 40 | 41\nsouth | 25 | 26\neast | 3 | 4", ["", "2019", "2020"]),
        ("quay | 2019 |\nnorth | 40 | a\nsouth | 25 |\neast | 3 |", ["quay", "2019", ""]),
        ("\t2019\t2020\nnorth\t40\t41\nsouth\t25\t26", ["", "2019", "2020"]),
        ("quay\tnote\tfee\nnorth\t\t40\nsouth\tcold\t25", ["quay", "note", "fee"]),
        ("| quay | fee |\r\n|---|---|\r\n| north | 40 |\r\n", ["quay", "fee"]),
        ("quay | fee |\n---|---|\nnorth | 40 |", ["quay", "fee", ""]),
        ("| | fee |\n|---|---|\n| north | 40 |", ["", "fee"]),
    ],
)
def test_empty_cells_at_the_ends_of_rows_are_cells(text: str, names: list[str]) -> None:
    [table] = tables(text)
    assert [table.header[start:end] for start, end in table.cells(table.header)] == names
    assert "\r" not in table.header
    for row in text.splitlines()[2:]:
        assert len(table.cells(row)) == len(names)


def test_lines_that_begin_with_tabs_are_indented_and_no_rows() -> None:
    assert tables("def f():\n\treturn 1\n\treturn 2\n\treturn 3\n\treturn 4") == []


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
        ("a\t\tb", ["a", "", "b"]),
        ("| a | | c |", ["a", "", "c"]),
        (r"a \| still a | b", [r"a \| still a", "b"]),
        ("alone", ["alone"]),
    ],
)
def test_cells_stand_where_they_stand(row: str, cells: list[str]) -> None:
    assert [row[start:end] for start, end in cells_of(row, edged=True)] == cells
