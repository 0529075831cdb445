"""Files become documents, or are named with the reason why not; none is skipped in silence."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.errors import UnreadableFile
from selfroute.ingest.finder import SUFFIXES, File, find
from selfroute.ingest.loaders import load, load_one
from selfroute.types import Document

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


# Loading


@given(texts)
def test_text_is_kept_as_it_stands(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    assert document(path).text == text.removeprefix("\ufeff")


@given(texts)
def test_text_in_a_line_of_json_is_kept_as_it_stands(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": text}))
    assert document(path).text == text


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.MD"])
def test_a_text_file_is_one_document_with_its_size_and_place(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, "Överfart.\r\nNight\n")
    [loaded] = load(File(path, "sub/a"))
    assert loaded.document == Document("sub/a", "Överfart.\r\nNight\n", str(path.resolve()))
    assert (loaded.source, loaded.size, loaded.reason) == (str(path.resolve()), 18, None)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfNight work")
    assert document(path).text == "Night work"


REFUSED = {
    "empty": ("a.txt", b"", "is empty"),
    "white space": ("a.txt", " \r\n\u00a0\t".encode(), "is empty"),
    "a byte order mark": ("a.md", b"\xef\xbb\xbf", "is empty"),
    "a picture": ("a.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is binary, not text"),
    "NUL": ("a.txt", b"text\0more", "holds NUL characters: it is not a text file"),
    "half a pair": ("a.txt", b"ab\xed\xa0\x80", "is damaged UTF-8 (byte 2): convert it to UTF-8 first"),
    "damaged UTF-8": (
        "a.txt",
        "Överfart på Åland".encode()[:-1] + b"\xff",
        "is damaged UTF-8 (byte 19): convert it to UTF-8 first",
    ),
    "cut UTF-16": ("a.txt", "Night".encode("utf-16")[:-1], "is damaged UTF-16 (byte 10): convert it to UTF-8 first"),
    "UTF-16 without a mark": ("a.txt", "Överby".encode("utf-16-le"), "is binary, not text"),
    "control characters": ("a.txt", b"\x01\x02\x03\xff\xfe text", "is binary, not text"),
    "a program": ("a.md", b"\x7fELF\x02\x01\x01\x80", "is binary, not text"),
    "xls": ("a.xls", b"PK", f"files .xls are not supported; use {', '.join(SUFFIXES)}"),
    "no suffix": ("LICENSE", b"text", f"files without a suffix are not supported; use {', '.join(SUFFIXES)}"),
    "no line": ("a.jsonl", b"", "is empty"),
    "blank lines": ("a.jsonl", b"\n  \r\n\n", "is empty"),
}


@pytest.mark.parametrize(("name", "content", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_no_text_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    [loaded] = load(File(path, name))
    assert (loaded.source, loaded.document, loaded.reason) == (str(path.resolve()), None, reason)


def test_a_folder_that_is_called_like_a_file_is_searched_when_it_is_named(tmp_path: Path) -> None:
    written(tmp_path / "folder.txt" / "a.md")
    assert [file.id for file in find([tmp_path / "folder.txt"]).files] == ["a.md"]
    assert [file.id for file in find([tmp_path]).files] == ["folder.txt/a.md"]


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    assert reasons(File(tmp_path / "a.txt", "a.txt")) == ["is a folder, not a file"]


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    [file] = find([written(tmp_path / "a.txt")]).files
    file.path.unlink()
    assert reasons(file) == ["no such file or directory"]


def test_a_link_in_a_folder_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "b.txt")
    files = find([tmp_path]).files
    assert [file.id for file in files] == ["a.txt", "b.txt"]
    assert reasons(*files) == [
        "no such file or directory",
        os.strerror(errno.ELOOP).lower(),
    ]


def test_a_pipe_or_a_socket_is_named_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    os.mkfifo("a.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("b.jsonl")
        assert reasons(*find([tmp_path]).files) == ["is not a regular file"] * 2


@pytest.mark.end_to_end
def test_files_and_folders_that_may_not_be_read_are_named(
    open_home: Path, processes: ForkServerContext, as_nobody: Callable[[], None]
) -> None:
    written(open_home / "closed.txt").chmod(0)
    written(open_home / "shut" / "a.txt").parent.chmod(0)
    written(open_home / "seen" / "a.txt").parent.chmod(0o444)  # its names can be listed, its files not be opened
    written(open_home / "b.txt")
    process = processes.Process(target=_names_what_it_may_not_read, args=(as_nobody, open_home))
    process.start()
    process.join()
    assert process.exitcode == 0


def _names_what_it_may_not_read(as_nobody: Callable[[], None], folder: Path) -> None:
    as_nobody()
    files = find([folder]).files
    assert [file.id for file in files] == ["b.txt", "closed.txt", "seen/a.txt", "shut"]
    assert reasons(*files) == [None, *["permission denied"] * 3]
    assert reasons(*find([folder / "shut"]).files) == ["permission denied"]
    with pytest.raises(UnreadableFile, match="permission denied"):
        find([folder / "shut" / "a.txt"])
    with pytest.raises(UnreadableFile, match="permission denied"):
        load_one(folder / "shut" / "a.txt")


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="file names are always UTF-8 on macOS")
def test_a_name_that_is_not_utf_8_can_be_stored_and_printed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("Night work")
    [file] = find([tmp_path]).files
    [loaded] = load(file)
    assert loaded.document is not None
    assert loaded.document.id == "caf\ufffd.txt"
    assert loaded.source.encode().endswith("caf\ufffd.txt".encode())


# Other formats


@pytest.mark.end_to_end
def test_every_suffix_has_a_loader(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = written(tmp_path / f"a{suffix}", "\0")
        assert not any("not supported" in (reason or "") for reason in reasons(File(path, path.name)))


def test_a_page_and_a_table_are_documents_of_their_text(tmp_path: Path) -> None:
    page = written(tmp_path / "a.HTML", "<nav>no</nav><h1>Harbour</h1><p>Night work.")
    table = written(tmp_path / "b.csv", "name,post\nOlof,master\n")
    assert document(page) == Document("a.HTML", "# Harbour\n\nNight work.", str(page.resolve()))
    assert document(table) == Document("b.csv", "name: Olof; post: master", str(table.resolve()))


@pytest.mark.end_to_end
def test_a_pdf_is_a_document_with_its_pages(tmp_path: Path) -> None:
    fpdf = pytest.importorskip("fpdf", reason="fpdf2 writes the PDF")
    made = fpdf.FPDF()
    made.set_font("helvetica", size=12)
    for text in ("One", "Two"):
        made.add_page()
        made.cell(text=text)
    made.output(str(tmp_path / "a.pdf"))
    path = tmp_path / "a.pdf"
    assert load_one(path) == Document("a.pdf", "One\nTwo", str(path.resolve()), (0, 4))


@pytest.mark.end_to_end
def test_what_a_loader_refuses_is_named_with_the_reason(tmp_path: Path) -> None:
    refused = {
        "binary.csv": (b"\x00\xff\xfe", "is binary, not text"),
        "broken.docx": (b"PK\x03\x04", "is broken"),
        "broken.epub": (b"words", "is broken"),
        "broken.pdf": (b"%PDF-1.7", "is broken: it cannot be opened as a PDF"),
        "empty.docx": (b"", "is empty"),
        "empty.html": (b"<nav>no</nav>", "is empty"),
        "empty.pdf": (b"", "is empty"),
        "nested.html": (b"<div>" * 30_000, "nests more than 20,000"),
    }
    for name, (content, reason) in refused.items():
        (tmp_path / name).write_bytes(content)
        [loaded] = load(File(tmp_path / name, name))
        assert loaded.document is None
        assert (loaded.reason or "").startswith(reason), name


# Lines of JSON


def test_every_line_is_a_document_of_its_own(tmp_path: Path) -> None:
    rows = [{"id": "one", "text": "First"}, {"id": 2, "context": "Second"}, {"_id": "c", "text": "Third"}]
    path = lines(tmp_path, *rows, {"doc_id": "d", "text": "Fourth", "more": [1]}, {"text": "Fifth"})
    place = str(path.resolve())
    assert [one.document for one in load(File(path, "sub/rows.jsonl"))] == [
        Document("one", "First", f"{place}:1"),
        Document("2", "Second", f"{place}:2"),
        Document("c", "Third", f"{place}:3"),
        Document("d", "Fourth", f"{place}:4"),
        Document("sub/rows.jsonl:5", "Fifth", f"{place}:5"),
    ]


def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = lines(tmp_path, "", {"text": "First"}, "  ", {"text": "Second"})
    assert [one.document.id for one in load(File(path, "a.jsonl")) if one.document] == ["a.jsonl:2", "a.jsonl:4"]


def test_a_line_may_end_in_a_carriage_return_or_not_at_all_and_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "b\\u2028c"}')
    assert [one.document.text for one in load(File(path, "a.jsonl")) if one.document] == ["a", "b\u2028c"]


def test_the_sizes_of_the_lines_add_up_to_the_file(tmp_path: Path) -> None:
    path = lines(tmp_path, {"text": "Överfart"}, "no JSON", {"text": "Second"})
    assert sum(one.size for one in load(File(path, "a.jsonl"))) == path.stat().st_size


BAD_LINES = {
    "no JSON": ("{text: 1}", "not a line of JSON"),
    "cut short": ('{"text": "Nigh', "not a line of JSON"),
    "two objects": ('{"text": "a"} {"text": "b"}', "not a line of JSON"),
    "too deep": ("[" * 200_000, "not a line of JSON"),
    "a list": ('["text"]', "not a JSON object"),
    "a string": ('"text"', "not a JSON object"),
    "no text": ('{"id": "a", "body": "b"}', "has no string under 'text' (or 'context')"),
    "a number": ('{"text": 7}', "has no string under 'text' (or 'context')"),
    "null": ('{"text": null, "context": "b"}', "has no string under 'text' (or 'context')"),
    "empty": ('{"text": " "}', "is empty"),
    "NUL": ('{"text": "a\\u0000b"}', "holds NUL characters: it is not a text file"),
    "half a pair": ('{"text": "a\\ud83d"}', "holds half of a surrogate pair: it is not valid Unicode text"),
    "null id": ('{"id": null, "text": "a"}', "its 'id' is neither a string nor a whole number"),
    "list id": ('{"id": ["a"], "text": "a"}', "its 'id' is neither a string nor a whole number"),
    "fraction id": ('{"id": 1.5, "text": "a"}', "its 'id' is neither a string nor a whole number"),
    "truth id": ('{"id": true, "text": "a"}', "its 'id' is neither a string nor a whole number"),
    "empty id": ('{"id": "", "text": "a"}', "its 'id' is neither a string nor a whole number"),
    "half an id": ('{"id": "\\udc00", "text": "a"}', "its 'id' holds half of a surrogate pair"),
}


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_named_by_its_number_and_the_others_are_loaded(tmp_path: Path, line: str, reason: str) -> None:
    path = lines(tmp_path, {"text": "before"}, line, {"text": "after"})
    before, bad, after = load(File(path, "a.jsonl"))
    assert bad.document is None
    assert bad.source == f"{path.resolve()}:2"
    assert bad.reason is not None
    assert bad.reason.startswith(reason)
    assert (before.reason, after.reason) == (None, None)


def test_a_line_that_is_not_utf_8_is_named_and_the_others_are_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "\xe5"}\n{"text": "after"}\n')
    bad, after = load(File(path, "a.jsonl"))
    assert (bad.reason or "").startswith("not a line of JSON: 'utf-8' codec")
    assert after.document is not None


def test_ids_that_repeat_are_loaded_for_the_indexer_to_judge(tmp_path: Path) -> None:
    path = lines(tmp_path, {"id": 1, "text": "a"}, {"id": "1", "text": "b"})
    assert [one.document.id for one in load(File(path, "a.jsonl")) if one.document] == ["1", "1"]


# One document


def test_the_one_document_of_a_file_is_known_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "sub" / "a.txt", "Night work")
    assert load_one(path) == Document("a.txt", "Night work", str(path.resolve()))


def test_one_line_of_json_is_one_document(tmp_path: Path) -> None:
    assert load_one(lines(tmp_path, {"id": "x", "text": "Night work"})).id == "x"


def test_a_file_of_several_documents_is_not_one(tmp_path: Path) -> None:
    path = lines(tmp_path, {"text": "a"}, {"text": "b"})
    with pytest.raises(UnreadableFile, match="holds 2 documents, one is wanted: index it as a corpus instead"):
        load_one(path)


def test_one_bad_line_is_refused_with_its_number(tmp_path: Path) -> None:
    path = lines(tmp_path, {"text": "a"}, "no JSON")
    with pytest.raises(UnreadableFile, match=r"rows\.jsonl:2: not a line of JSON"):
        load_one(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone.txt", "no such file or directory"),
        ("a.xls", "files .xls are not supported"),
        (".", "is a folder, not a file"),
    ],
)
def test_what_is_no_document_is_refused_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    written(tmp_path / "a.xls")
    with pytest.raises(UnreadableFile, match=reason):
        load_one(tmp_path / name)


def written(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def lines(folder: Path, *rows: object) -> Path:
    """A file of these lines; what is no string becomes JSON."""
    return written(folder / "rows.jsonl", "".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in rows))


def document(path: Path) -> Document:
    [loaded] = load(File(path, path.name))
    assert loaded.document is not None
    return loaded.document


def reasons(*files: File) -> list[str | None]:
    return [loaded.reason for file in files for loaded in load(file)]
