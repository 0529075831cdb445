"""A row of a CSV file can be read alone: it names its columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.csv import read


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_row_is_a_paragraph_that_names_its_columns(tmp_path: Path, delimiter: str) -> None:
    rows = [["name", "post", "since"], ["Olof Berg", "harbour master", "1998"], ["Anna Lind", "", "2004"]]
    path = written(tmp_path, "\n".join(delimiter.join(row) for row in rows))
    assert read(path).text == "name: Olof Berg; post: harbour master; since: 1998\n\nname: Anna Lind; since: 2004"


def test_quoted_cells_may_hold_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    path = written(tmp_path, 'name,note\r\n"Berg, Olof","says ""night""\r\nand day"\r\n\r\nLind,x\r\n')
    assert read(path).text == 'name: Berg, Olof; note: says "night" and day\n\nname: Lind; note: x'


def test_columns_without_a_name_have_their_number(tmp_path: Path) -> None:
    assert read(written(tmp_path, "a,,c\n1,2,3,4\n5\n")).text == "a: 1; column 2: 2; c: 3; column 4: 4\n\na: 5"


def test_commas_in_text_are_no_reason_to_take_them_for_the_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path, "name;note\nBerg;one, two, three\nLind;four\n")
    assert read(path).text == "name: Berg; note: one, two, three\n\nname: Lind; note: four"


def test_a_file_of_one_row_or_one_column_is_read(tmp_path: Path) -> None:
    assert read(written(tmp_path, "one,two\n")).text == "one; two"
    assert read(written(tmp_path, "word\nfirst\nsecond\n")).text == "word: first\n\nword: second"


def test_a_field_of_a_megabyte_is_read_whole(tmp_path: Path) -> None:
    field = "word " * 250_000
    assert read(written(tmp_path, f"name,note\nBerg,{field}\n")).text == f"name: Berg; note: {field.strip()}"


def test_other_encodings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("namn;ort\nÅsa;Överby på Åland\n".encode("latin-1"))
    assert read(path).text == "namn: Åsa; ort: Överby på Åland"


@pytest.mark.parametrize(("content", "reason"), [(b"", "is empty"), (b"a,\0", "NUL"), (b"\xff\xfe\0", "UTF-16")])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=reason):
        read(path)


def written(folder: Path, text: str) -> Path:
    path = folder / "a.csv"
    path.write_bytes(text.encode())
    return path


def test_a_quotation_mark_that_is_never_closed_is_refused_and_swallows_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, 'id,note\n1,"unclosed\n2,row 2\n3,row 3\n')
    with pytest.raises(UnreadableFile, match="a quotation mark is opened and never closed"):
        read(path)


# What stands above, below and between tables

QUAYS = "quay: North; season: summer; fee: 40,50\n\nquay: South; season: winter; fee: 25,10"


@pytest.mark.parametrize("name", ["a09-preamble.csv", "a09-sep.csv"])
def test_the_header_is_found_below_a_title_and_a_sep_line(name: str) -> None:
    text = read(Path(__file__).parent / "cases" / "documents" / name).text
    assert QUAYS in text
    assert "sep" not in text
    assert text.startswith("Berth report 2024\n\n") == (name == "a09-preamble.csv")


ROWS = "quay;season;fee\nNorth;summer;40,50\nSouth;winter;25,10\n"


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "sep=;;;"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_line_that_tells_the_delimiter_is_no_row(tmp_path: Path, line: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"{line}\r\n{ROWS}".encode(encoding))
    assert read(path).text == QUAYS


def test_a_told_delimiter_counts_even_if_another_would_part_more(tmp_path: Path) -> None:
    assert read(written(tmp_path, "sep=^\na,b^c,d\n1,2^3,4\n")).text == "a,b: 1,2; c,d: 3,4"
    assert read(written(tmp_path, "sep=\\t\na,b\tc\n1,2\t3\n")).text == "a,b: 1,2; c: 3"


ABOVE = {
    "a title": ("Berth report 2024\n", "Berth report 2024"),
    "a title and a blank line": ("Berth report 2024\n\n", "Berth report 2024"),
    "a title filled up": ("Berth report 2024;;\n;;\n", "Berth report 2024"),
    "names with values": ("Account;12345\nPeriod;2024\n\n", "Account: 12345\n\nPeriod: 2024"),
    "names with values, no blank line": ("Account;12345\nPeriod;2024\n", "Account: 12345\n\nPeriod: 2024"),
    "comments": ("# made in May; by hand\n# all in euro\n", "made in May; by hand\n\nall in euro"),
    "a sentence with commas": ("Made on 3 May, for all, by hand\n\n", "Made on 3 May, for all, by hand"),
}


@pytest.mark.parametrize(("above", "text"), ABOVE.values(), ids=ABOVE)
def test_what_stands_above_the_header_is_text_of_its_own(tmp_path: Path, above: str, text: str) -> None:
    assert read(written(tmp_path, above + ROWS)).text == f"{text}\n\n{QUAYS}"


def test_a_table_may_begin_right_of_its_title(tmp_path: Path) -> None:
    text = read(written(tmp_path, "Squares,,\n,,\n,number,square\n,,\n,1,1\n,2,4\n,,\nMade by hand,,\n")).text
    assert text == "Squares\n\nnumber: 1; square: 1\n\nnumber: 2; square: 4\n\nMade by hand"


def test_a_header_may_look_like_a_comment(tmp_path: Path) -> None:
    assert read(written(tmp_path, "#by hand\n#quay\tfee\nNorth\t40\n")).text == "by hand\n\nquay: North; fee: 40"


def test_what_stands_below_a_table_is_no_row(tmp_path: Path) -> None:
    text = read(written(tmp_path, ROWS + ";;\nTotal;;65,60\n\nSource: the office\n")).text
    assert text == f"{QUAYS}\n\nquay: Total; fee: 65,60\n\nSource: the office"


def test_a_table_that_follows_with_its_own_header_has_it(tmp_path: Path) -> None:
    text = read(written(tmp_path, "Quays\nquay,fee\nNorth,40\n\nMasters\nname,phone\nOlof,123\n")).text
    assert text == "Quays\n\nquay: North; fee: 40\n\nMasters\n\nname: Olof; phone: 123"
    text = read(written(tmp_path, "quay,fee\nNorth,40\nSouth,41\n\nharbour,mooring,metres\nVisby,A1,12\n")).text
    assert text.endswith("quay: South; fee: 41\n\nharbour: Visby; mooring: A1; metres: 12")


def test_rows_after_a_blank_line_go_on(tmp_path: Path) -> None:
    assert (
        read(written(tmp_path, "quay,fee\nNorth,40\n\nSouth,25\n")).text
        == "quay: North; fee: 40\n\nquay: South; fee: 25"
    )


# Names


def test_names_that_repeat_are_told_apart(tmp_path: Path) -> None:
    assert read(written(tmp_path, "quay,fee,fee\nNorth,40,50\n")).text == "quay: North; fee: 40; fee (2): 50"


def test_numbers_alone_have_no_header(tmp_path: Path) -> None:
    assert read(written(tmp_path, "1,5;2,5\n1,4;2,4\n")).text == (
        "column 1: 1,5; column 2: 2,5\n\ncolumn 1: 1,4; column 2: 2,4"
    )


def test_years_are_names(tmp_path: Path) -> None:
    assert read(written(tmp_path, "2023,2024\n4,5\n")).text == "2023: 4; 2024: 5"
    assert read(written(tmp_path, "quay,2023,2024\nNorth,4,5\n")).text == "quay: North; 2023: 4; 2024: 5"


def test_pairs_are_no_table(tmp_path: Path) -> None:
    assert read(written(tmp_path, "Name:,Berg\nPost:,master\n")).text == "Name: Berg\n\nPost: master"


# Cells


@pytest.mark.parametrize("column", ["fee\n40,50\n25,10\n", "note\none, two\nthree\n", "note\none\ntwo\n"])
def test_one_column_is_not_parted_at_commas_of_text_and_numbers(tmp_path: Path, column: str) -> None:
    name, *values = column.split("\n")[:-1]
    assert read(written(tmp_path, column)).text == "\n\n".join(f"{name}: {value}" for value in values)


def test_a_quoted_cell_may_follow_a_space(tmp_path: Path) -> None:
    assert read(written(tmp_path, 'name, note\nBerg, "a, b"\n')).text == "name: Berg; note: a, b"


def test_a_quotation_mark_between_tabs_may_be_one_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('pipe\tsize\n"wide\t5\nthin\t1\n')
    assert read(path).text == 'pipe: "wide; size: 5\n\npipe: thin; size: 1'


def test_a_header_is_not_lost_that_has_no_rows_or_is_all_its_rows(tmp_path: Path) -> None:
    assert read(written(tmp_path, "Fees of May\nquay;fee\n")).text == "Fees of May\n\nquay; fee"
    assert read(written(tmp_path, "quay;fee\nquay;fee\n")).text == "quay; fee"


def test_a_header_may_be_parted_from_its_rows_by_a_blank_line(tmp_path: Path) -> None:
    assert read(written(tmp_path, "Fees\nquay;fee\n\nNorth;40\nSouth;25\n")).text == (
        "Fees\n\nquay: North; fee: 40\n\nquay: South; fee: 25"
    )


def test_a_header_that_repeats_between_rows_is_no_row(tmp_path: Path) -> None:
    text = read(written(tmp_path, "quay,fee\nNorth,40\n\nquay,fee\nSouth,25\n")).text
    assert text == "quay: North; fee: 40\n\nquay: South; fee: 25"


def test_a_row_of_a_few_words_within_a_table_keeps_its_name(tmp_path: Path) -> None:
    text = read(written(tmp_path, "quay,fee\nThe old quay,\nSouth,25\n")).text
    assert text == "quay: The old quay\n\nquay: South; fee: 25"


def test_rows_that_are_all_alike_and_no_names_are_kept(tmp_path: Path) -> None:
    assert read(written(tmp_path, "x,x\nx,x\n")).text == "x: x; x (2): x"
