"""A row of a CSV file can be read alone: it names its columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.table import read


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
