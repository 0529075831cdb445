"""The rows of a Word file's tables are lines; every value stands in the rows and columns that its cell spans."""

from __future__ import annotations

from pathlib import Path

from wordfiles import cell, p, r, row, table, word

from selfroute.ingest.formats.docx import read

DOWN, ON = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"


def span(columns: int) -> str:
    return f'<w:gridSpan w:val="{columns}"/>'


def test_a_cell_over_columns_stands_in_each(tmp_path: Path) -> None:
    body = table(row(cell("Fees", properties=span(2)), "Year"), row("Summer", "Winter", "2024"))
    assert read(word(tmp_path, body)).text == "Fees | Fees | Year\nSummer | Winter | 2024"


def test_a_cell_over_rows_stands_in_each(tmp_path: Path) -> None:
    body = table(
        row(cell("North", properties=DOWN), "Summer", "40"),
        row(cell(properties=ON), "Winter", "25"),
        row(cell(properties='<w:vMerge w:val="continue"/>'), "Night", "10"),
        row("South", "Summer", "30"),
    )
    assert (
        read(word(tmp_path, body)).text
        == "North | Summer | 40\nNorth | Winter | 25\nNorth | Night | 10\nSouth | Summer | 30"
    )


def test_a_cell_over_rows_and_columns_stands_in_all(tmp_path: Path) -> None:
    body = table(
        row("a", cell("b", properties=span(2) + DOWN), "c"),
        row("d", cell("not on the page", properties=span(2) + ON), "e"),
    )
    assert read(word(tmp_path, body)).text == "a | b | b | c\nd | b | b | e"


def test_text_that_goes_on_from_no_cell_above_is_kept(tmp_path: Path) -> None:
    assert read(word(tmp_path, table(row(cell("a", properties=ON), "b")))).text == "a | b"


def test_cells_merged_across_in_the_older_way_stand_in_each_column(tmp_path: Path) -> None:
    merged = row(cell("Fees", properties='<w:hMerge w:val="restart"/>'), cell(properties="<w:hMerge/>"), "Year")
    assert read(word(tmp_path, table(merged))).text == "Fees | Fees | Year"


def test_a_row_that_begins_late_keeps_its_columns(tmp_path: Path) -> None:
    body = table(row("Quay", "Summer", "Winter"), row("25", properties='<w:gridBefore w:val="2"/>'))
    assert read(word(tmp_path, body)).text == "Quay | Summer | Winter\n |  | 25"


def test_a_row_without_its_last_cells_is_one_of_the_table(tmp_path: Path) -> None:
    body = table(row("Quay", "Summer", "Winter"), row("North"), row("South", "30"))
    assert read(word(tmp_path, body)).text == "Quay | Summer | Winter\nNorth |  | \nSouth | 30 | "


def test_a_long_note_over_many_columns_stands_once(tmp_path: Path) -> None:
    note = "All fees are in euros and include the tax. " * 5
    body = table(row(*"abcd"), row(cell(note, properties=span(4))))
    assert read(word(tmp_path, body)).text.count("All fees") == 5


def test_deleted_and_hidden_rows_and_cells_are_dropped(tmp_path: Path) -> None:
    body = table(
        row("a", "b"),
        row("gone", "too", properties="<w:del/>"),
        row("unseen", "too", properties="<w:hidden/>"),
        row("c", cell("old", properties="<w:cellDel/>")),
    )
    assert read(word(tmp_path, body)).text == "a | b\nc | "


def test_tables_rows_and_cells_in_content_controls_are_read(tmp_path: Path) -> None:
    def controlled(inside: str) -> str:
        return f"<w:sdt><w:sdtPr/><w:sdtContent>{inside}</w:sdtContent></w:sdt>"

    body = controlled(table(row("Quay", "Fee"), controlled(row("North", controlled(cell("40"))))))
    assert read(word(tmp_path, body)).text == "Quay | Fee\nNorth | 40"


def test_a_small_table_in_a_cell_is_a_list_there(tmp_path: Path) -> None:
    pairs = table(row("Length", "12 m"), row("Draft", "3 m"))
    wide = table(row("Season", "Day", "Fee"), row("Summer", "Monday", "40"), row("Winter", "", "25"))
    body = table(row("Berth", "About"), row("A", cell(pairs + p())), row("B", cell("See:", wide, p())))
    assert read(word(tmp_path, body)).text == (
        "Berth | About\nA | Length: 12 m; Draft: 3 m\n"
        "B | See: Season: Summer, Day: Monday, Fee: 40; Season: Winter, Fee: 25"
    )


def test_a_large_table_in_a_cell_stays_a_table(tmp_path: Path) -> None:
    inner = table(*(row(f"row {at}", str(at)) for at in range(20)))
    text = read(word(tmp_path, table(row("Left", cell(inner + p()))))).text
    assert text.startswith("Left\n\nrow 0 | 0\nrow 1 | 1\n")


def test_a_table_that_only_frames_the_page_is_no_table(tmp_path: Path) -> None:
    heading = p("Rules", properties='<w:outlineLvl w:val="0"/>')
    inner = table(row("Quay", "Fee"), row("North", "40"))
    body = table(row(cell(heading, p("First."), p("Second."), inner, p())))
    assert read(word(tmp_path, body)).text == "# Rules\n\nFirst.\n\nSecond.\n\nQuay | Fee\nNorth | 40"


def test_numbers_in_one_cell_stay_two(tmp_path: Path) -> None:
    broken = p("<w:r><w:t>40</w:t><w:br/><w:t>25</w:t></w:r>")
    body = table(row(cell("1", "200"), cell(broken), cell("Fee", "in euros")))
    assert read(word(tmp_path, body)).text == "1; 200 | 40; 25 | Fee in euros"


def test_a_row_of_struck_text_is_no_row(tmp_path: Path) -> None:
    body = table(row("a", "b"), row(cell(p(r("gone", "<w:strike/>"))), cell()))
    assert read(word(tmp_path, body)).text == "a | b"
