"""Files are opened by their suffix, and one that cannot be read to its end says so after the rows before the damage."""

from __future__ import annotations

import gzip
import json
import lzma
import zipfile
import zlib
from pathlib import Path
from random import Random

import pytest

from selfroute.errors import UnreadableFile
from selfroute.evaluation.datasets.files import SUFFIXES, Part, find, names, parts, read
from selfroute.evaluation.datasets.rows import Row

WORDS = Random(0)
ROWS: list[object] = [{"_id": str(n), "text": f"{WORDS.getrandbits(40_000):x}"} for n in range(60)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
ARRAY = json.dumps(ROWS, indent=1).encode()
CONTENTS = {
    ".jsonl": LINES,
    ".jsonl.gz": gzip.compress(LINES),
    ".jsonl.xz": lzma.compress(LINES),
    ".json": ARRAY,
    ".json.gz": gzip.compress(ARRAY),
    ".json.xz": lzma.compress(ARRAY),
}


@pytest.mark.parametrize("suffix", CONTENTS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    assert [row.value for row in rows_of(written(tmp_path, f"made{suffix}", CONTENTS[suffix]))] == ROWS


def test_a_parquet_file_gives_the_same_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "made.parquet")
    assert [row.value for row in rows_of(tmp_path / "made.parquet")] == ROWS


@pytest.mark.parametrize("suffix", CONTENTS)
def test_every_format_but_parquet_is_read_inside_of_a_zip(tmp_path: Path, suffix: str) -> None:
    file = zipped(tmp_path, {f"data/made{suffix}": CONTENTS[suffix]})
    rows = rows_of(file)
    assert [row.value for row in rows] == ROWS
    assert rows[0].place.file == f"{file}:data/made{suffix}"


def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path) -> None:
    [part] = parts(written(tmp_path, "Made.JSONL.GZ", CONTENTS[".jsonl.gz"]))
    assert part.stem == "Made"
    assert len(list(read(part))) == len(ROWS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_stem_is_the_name_without_its_suffix(suffix: str) -> None:
    assert Part(Path("x"), f"folder/qasper_e{suffix}").stem == "qasper_e"
    assert Part(Path("x"), "hf://datasets/a/b/data.zip", f"data/qasper{suffix}").stem == "qasper"


def test_a_zip_is_all_its_members_that_hold_records_in_their_order(tmp_path: Path) -> None:
    members = ["data/b.jsonl", "data/a.json", "README.md", "__MACOSX/data/._a.json", "data/.hidden.jsonl", "c.parquet"]
    file = zipped(tmp_path, dict.fromkeys(members, b'{"a": 1}'))
    assert [part.member for part in parts(file)] == ["data/b.jsonl", "data/a.json"]


@pytest.mark.parametrize("suffix", [suffix for suffix in CONTENTS if suffix != ".jsonl"])
@pytest.mark.parametrize("share", [0.5, 0.98])
def test_the_rows_before_a_cut_are_read_and_then_the_cut_is_an_error(tmp_path: Path, suffix: str, share: float) -> None:
    cut = CONTENTS[suffix][: int(len(CONTENTS[suffix]) * share)]
    rows, said = read_until_error(written(tmp_path, f"cut{suffix}", cut))
    assert len(rows) == decompressed(cut).count(b"\n" if suffix.startswith(".jsonl") else b"\n },")
    assert [row.value for row in rows] == ROWS[: len(rows)]
    assert said == f"{tmp_path / f'cut{suffix}'}: is cut off after {rows[-1].place.mark}: fetch or copy it again"


def test_of_lines_that_are_cut_off_the_last_is_at_fault(tmp_path: Path) -> None:
    *whole, last = rows_of(written(tmp_path, "cut.jsonl", LINES[:-100]))
    assert [row.value for row in whole] == ROWS[:-1]
    assert last.fault is not None


def test_a_zip_that_is_cut_off_says_so(tmp_path: Path) -> None:
    file = zipped(tmp_path, {"data/made.jsonl": LINES})
    file.write_bytes(file.read_bytes()[:-200])
    rows, said = read_until_error(file)
    assert rows == []
    assert said.startswith(f"{file}: is cut off")


def test_a_member_of_a_zip_that_is_damaged_says_so_after_its_first_rows(tmp_path: Path) -> None:
    file = zipped(tmp_path, {"data/made.jsonl": LINES})
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    rows, said = read_until_error(file)
    assert [row.value for row in rows[:10]] == ROWS[:10]
    assert said.startswith(f"{file}:data/made.jsonl: is damaged")


def test_a_zip_that_is_encrypted_says_so(tmp_path: Path) -> None:
    file = zipped(tmp_path, {"data/made.jsonl": LINES})
    content = bytearray(file.read_bytes())
    content[6] |= 1  # the flag in the member's header
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # and in the table of contents
    file.write_bytes(content)
    assert "encrypted" in read_until_error(file)[1]


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.xz", ".json", ".zip"])
def test_a_file_that_is_not_what_its_suffix_says_is_refused(tmp_path: Path, suffix: str) -> None:
    file = written(tmp_path, f"page{suffix}", b"<html>not found</html>")
    rows, said = read_until_error(file)
    assert rows == []
    assert "not what its suffix says" in said


def test_a_damaged_archive_says_so(tmp_path: Path) -> None:
    content = bytearray(CONTENTS[".jsonl.gz"])
    content[-6] ^= 0xFF  # the checksum
    rows, said = read_until_error(written(tmp_path, "made.jsonl.gz", bytes(content)))
    assert len(rows) == len(ROWS)
    assert "is damaged" in said


def test_a_parquet_file_that_is_cut_off_says_so(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = written(tmp_path, "cut.parquet", b"PAR1" + bytes(1000))
    assert read_until_error(file) == (
        [],
        f"{file}: is cut off before anything in it can be read: fetch or copy it again",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.jsonl", "none.jsonl: there is no such file"),
        ("folder.jsonl", "folder.jsonl: is a folder"),
        ("notes.txt", "notes.txt: files of this kind are not supported; use .jsonl, .jsonl.gz"),
        ("plain.gz", "plain.gz: files of this kind are not supported"),
        ("empty.jsonl", "empty.jsonl: holds no records"),
        ("blank.jsonl", "blank.jsonl: holds no records"),
        ("array.json", "array.json: holds no records"),
        ("readme.zip", "readme.zip: the archive holds no .jsonl"),
    ],
)
def test_what_cannot_be_read_at_all_is_refused_by_name(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    for file, content in {"notes.txt": b"a", "plain.gz": b"a", "empty.jsonl": b"", "blank.jsonl": b"\n \r\n"}.items():
        written(tmp_path, file, content)
    written(tmp_path, "array.json", b"[ ]")
    zipped(tmp_path, {"README.md": b"# read me"}, "readme.zip")
    rows, message = read_until_error(tmp_path / name)
    assert rows == []
    assert message.startswith(f"{tmp_path}/{said}")


def test_a_dataset_is_found_in_a_folder_by_the_name_of_a_file(tmp_path: Path) -> None:
    written(tmp_path, "qasper.json", b"[]")
    file = written(tmp_path, "qasper.jsonl.xz", CONTENTS[".jsonl.xz"])
    part = find("qasper", tmp_path)
    assert part == Part(file, str(file))
    assert find("qasper_e", tmp_path) is None


def test_a_dataset_is_found_in_a_zip_of_a_folder(tmp_path: Path) -> None:
    file = zipped(tmp_path, {"data/qasper.jsonl": LINES, "data/qasper_e.jsonl": LINES})
    assert find("qasper_e", tmp_path) == Part(file, str(file), "data/qasper_e.jsonl")


def test_a_file_goes_before_a_member_of_a_zip(tmp_path: Path) -> None:
    zipped(tmp_path, {"data/qasper.jsonl": LINES})
    file = written(tmp_path, "qasper.parquet", b"")
    assert find("qasper", tmp_path) == Part(file, str(file))


def test_the_names_of_a_folder_are_those_that_are_found_in_it(tmp_path: Path) -> None:
    written(tmp_path, "notes.txt", b"a")
    written(tmp_path, "one.jsonl.gz", b"")
    zipped(tmp_path, {"data/two.jsonl": LINES, "three.json": ARRAY, "README.md": b""})
    assert names(tmp_path) == {"one", "two", "three"}
    assert all(find(name, tmp_path) for name in names(tmp_path))


def written(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def decompressed(content: bytes) -> bytes:
    """All that can be got out of a file that is cut off."""
    if content.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31).decompress(content)
    return lzma.LZMADecompressor().decompress(content) if content.startswith(b"\xfd7zXZ") else content


def zipped(folder: Path, members: dict[str, bytes], name: str = "data.zip") -> Path:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return folder / name


def rows_of(path: Path) -> list[Row]:
    return [row for part in parts(path) for row in read(part)]


def read_until_error(path: Path) -> tuple[list[Row], str]:
    rows: list[Row] = []
    try:
        for part in parts(path):
            for row in read(part):
                rows.append(row)
    except UnreadableFile as error:
        return rows, str(error)
    pytest.fail(f"{path} was read to its end")
