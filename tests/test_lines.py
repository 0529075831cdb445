"""A file of JSON lines that a killed process leaves whole, but for a last line that is dropped."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.errors import HomeNotWritable, UnreadableFile
from selfroute.evaluation.lines import Lines, encode, read_lines, write_lines


def lines_of(path: Path) -> list[dict[str, object]]:
    return [value for _, value in read_lines(path)]


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "a.jsonl")
    lines.append({"n": 1, "text": "Ö\u2028\n"})
    lines.append({"n": 2})
    assert lines_of(tmp_path / "a.jsonl") == [{"n": 1, "text": "Ö\u2028\n"}, {"n": 2}]
    lines.close()


def test_a_line_is_with_the_operating_system_when_append_returns(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "a.jsonl")
    lines.append({"n": 1})
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"n": 1}\n'  # read by another handle, nothing closed
    lines.close()


@pytest.mark.parametrize("cut", range(1, len(encode({"n": 2}))))
def test_a_torn_end_is_dropped_and_written_over(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(encode({"n": 1}) + encode({"n": 2})[:-cut])
    assert lines_of(path) == [{"n": 1}]
    lines = Lines(path)
    lines.append({"n": 3})
    lines.close()
    assert lines_of(path) == [{"n": 1}, {"n": 3}]


def test_a_file_that_is_only_torn_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": ' + b"1" * 100_000)
    assert lines_of(path) == []
    Lines(path).close()
    assert path.read_bytes() == b""


def test_no_file_has_no_lines(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("broken", [b"{\n", b"[1]\n", b"\xff\n", b"\n"])
def test_a_whole_line_that_is_no_object_is_refused_with_its_number(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(encode({"n": 1}) + broken)
    with pytest.raises(UnreadableFile, match="line 2"):
        lines_of(path)


def test_a_file_that_cannot_be_read_or_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(UnreadableFile, match="is a directory"):
        lines_of(tmp_path / "a.jsonl")
    with pytest.raises(HomeNotWritable, match="set --out to a folder with room"):
        write_lines(tmp_path / "gone" / "a.jsonl", [])
    with pytest.raises(HomeNotWritable, match="set --out to a folder with room"):
        Lines(tmp_path / "gone" / "a.jsonl")


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none())))
def test_any_objects_survive_being_written_whole(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    write_lines(path, values)
    assert lines_of(path) == values


@pytest.mark.end_to_end
def test_a_line_that_does_not_fit_on_the_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """The limit on a file's size stands in for a full disk: the write is cut short in the same way."""
    path = tmp_path / "a.jsonl"
    program = f"""
import resource, signal
from pathlib import Path
from selfroute.errors import HomeNotWritable
from selfroute.evaluation.lines import Lines
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
lines = Lines(Path({str(path)!r}))
lines.append({{"n": 1}})
try:
    lines.append({{"text": "x" * 200}})
except HomeNotWritable as error:
    print(error)
lines.append({{"n": 2}})
"""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "what was done so far is kept" in done.stdout
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"n": 1}, {"n": 2}]
