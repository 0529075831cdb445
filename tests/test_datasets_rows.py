"""Rows come out of lines, arrays and tables one at a time; what is wrong with one of them costs that one."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfroute.errors import MissingExtra
from selfroute.evaluation.datasets.rows import Damaged, Place, Row, array, json_rows, lines, table

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(['"', "\\", "]", "},{", '\\"', "\u2028"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


class Trickle(io.RawIOBase):
    """A file that gives a few bytes at a time, as a compressed one may."""

    def __init__(self, content: bytes, size: int) -> None:
        self._inner = io.BytesIO(content)
        self._size = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._inner.read(min(self._size, len(buffer)))
        buffer[: len(piece)] = piece
        return len(piece)


def stream(content: bytes, size: int = 1 << 20) -> io.BufferedReader:
    return io.BufferedReader(Trickle(content, size))


def read_lines(content: bytes) -> list[Row]:
    return list(lines(stream(content), "f"))


def read_array(content: bytes) -> list[Row]:
    return list(array(stream(content), "f"))


def test_a_place_in_lines_counts_from_one_and_in_an_array_from_zero() -> None:
    assert [str(row.place) for row in read_lines(b"1\n2\n")] == ["f:1", "f:2"]
    assert [str(row.place) for row in read_array(b"[1, 2]")] == ["f[0]", "f[1]"]


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (b"1\n2\n", [1, 2]),
        (b"1\n2", [1, 2]),
        (b"1\r\n2\r\n", [1, 2]),
        (b"1\r2\r", [1, 2]),
        (b"1\r\n2\r3\n4", [1, 2, 3, 4]),
        (b"1\n\n  \n2\n", [1, 4]),
        (b"1\r\n\r\n2", [1, 3]),
        (b"\xef\xbb\xbf1\n2\n", [1, 2]),
        (b"\n\xef\xbb\xbf", [2]),
        (b"", []),
    ],
)
def test_lines_end_in_any_of_three_ways_and_their_numbers_are_right(content: bytes, numbers: list[int]) -> None:
    assert [row.place.number for row in read_lines(content)] == numbers


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert [row.value for row in read_lines(b'\xef\xbb\xbf{"a": 1}')] == [{"a": 1}]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\u000b", "\u001c"])
def test_other_separators_inside_of_a_string_do_not_end_a_line(separator: str) -> None:
    value = {"context": f"one{separator}two"}
    raw = json.dumps(value, ensure_ascii=separator < " ").encode()
    assert [row.value for row in read_lines(raw + b"\n1")] == [value, 1]


def test_a_line_that_is_not_json_is_a_fault_and_the_next_one_follows() -> None:
    bad, good = read_lines(b'{"a": }\n{"a": 1}\n')
    assert bad.fault == "is not JSON (expecting value after 6 characters)"
    assert (good.value, good.fault) == ({"a": 1}, None)


def test_bytes_that_are_not_utf_8_cost_one_line() -> None:
    first, bad, last = read_lines(b'"a"\n"caf\xe9"\n"b"')
    assert bad.fault == "holds bytes that are not UTF-8 (0xe9 after 4 characters)"
    assert (first.value, last.value) == ("a", "b")


def test_json_that_is_nested_too_deep_costs_one_line() -> None:
    deep, good = read_lines(b"[" * 200_000 + b"\n1")
    assert deep.fault is not None
    assert good.value == 1


def test_a_number_with_too_many_digits_costs_one_line() -> None:
    long, good = read_lines(b"9" * 5000 + b"\n1")
    assert long.fault is not None
    assert len(long.fault) < 200
    assert good.value == 1


@settings(deadline=None)
@given(st.lists(values, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_the_elements_of_an_array_are_those_that_json_sees(
    elements: list[object], size: int, indent: int | None, ascii_: bool
) -> None:
    raw = json.dumps(elements, indent=indent, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")
    assert [row.value for row in array(stream(raw, size), "f")] == elements


@settings(deadline=None)
@given(st.lists(values, max_size=5), st.integers(1, 9))
def test_lines_are_the_same_however_few_bytes_come_at_a_time(written: list[object], size: int) -> None:
    raw = "\r\n".join(json.dumps(value) for value in written).encode()
    assert [row.value for row in lines(stream(raw, size), "f")] == written


@pytest.mark.parametrize("bad", [b'{"a": "caf\xe9"}', b'{"a": }', b'{"a": 1} {"a": 2}', b"", b'{"a"}'])
def test_an_element_that_cannot_be_decoded_is_a_fault_and_the_next_one_follows(bad: bytes) -> None:
    first, wrong, last = read_array(b'[{"a": 0}, ' + bad + b', {"a": 2}]')
    assert wrong.fault is not None
    assert (first.value, last.value) == ({"a": 0}, {"a": 2})


@pytest.mark.parametrize(
    "cut", [b'[{"a": 1}, {"b": "', b'[{"a": 1}, {"b": "\\', b'[{"a": 1}, ', b'[{"a": 1}, {"b": [1']
)
def test_the_elements_before_a_cut_are_given(cut: bytes) -> None:
    rows = array(stream(cut), "f")
    assert next(rows).value == {"a": 1}
    with pytest.raises(EOFError):
        next(rows)


def test_anything_after_an_array_is_damage() -> None:
    rows = array(stream(b"[1] \n [2]", 2), "f")
    assert next(rows).value == 1
    with pytest.raises(Damaged, match="after the end of its array"):
        next(rows)


def test_white_space_after_an_array_is_none() -> None:
    assert [row.value for row in array(stream(b" [1] \n \r\n", 2), "f")] == [1]


@pytest.mark.parametrize(
    "content", [b'[{"a": 1}]', b'\xef\xbb\xbf\n [{"a": 1}]', b'{"a": 1}\n', b'\xef\xbb\xbf{"a": 1}']
)
def test_a_json_file_may_be_an_array_or_lines(content: bytes) -> None:
    assert [row.value for row in json_rows(stream(content), "f")] == [{"a": 1}]


@pytest.mark.parametrize("content", [b"", b"  \n", b"[]", b" [ ] "])
def test_an_empty_json_file_has_no_rows(content: bytes) -> None:
    assert list(json_rows(stream(content), "f")) == []


@pytest.mark.parametrize("content", [b"42", b'"text"', b"<html>"])
def test_a_json_file_of_anything_else_is_not_what_it_says(content: bytes) -> None:
    with pytest.raises(Damaged, match="neither a JSON array nor lines"):
        list(json_rows(stream(content), "f"))


def test_a_parquet_table_is_read_row_by_row(tmp_path: Path) -> None:
    file = written(tmp_path, [{"_id": str(n), "answers": ["a", "b"], "all_classes": None} for n in range(20)])
    rows = list(table(file, "f"))
    assert rows[19] == Row(Place("f", 19, line=False), {"_id": "19", "answers": ["a", "b"], "all_classes": None})
    assert [row.place.number for row in rows] == list(range(20))


def test_text_in_a_parquet_table_that_is_not_utf_8_costs_one_row(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    raw = pyarrow.array([b"one", b"caf\xe9", b"three"])
    text = pyarrow.Array.from_buffers(pyarrow.string(), 3, raw.buffers())
    file = tmp_path / "made.parquet"
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({"context": text}), file)
    first, bad, last = table(file, "f")
    assert bad.fault is not None
    assert "utf-8" in bad.fault
    assert (first.value, last.value) == ({"context": "one"}, {"context": "three"})


def test_a_parquet_file_that_is_cut_off_is_told_from_one_that_is_something_else(tmp_path: Path) -> None:
    file = written(tmp_path, [{"_id": "1"}])
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(EOFError):
        list(table(file, "f"))
    file.write_bytes(b"no parquet at all")
    with pytest.raises(Damaged):
        list(table(file, "f"))


def test_without_pyarrow_a_parquet_file_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"selfroute\[parquet\]"):
        list(table(tmp_path / "made.parquet", "f"))


def written(folder: Path, rows: list[dict[str, object]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    file = folder / "made.parquet"
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), file)
    return file
