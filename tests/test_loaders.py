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
from selfroute.ingest.loaders import File, find, load, load_one
from selfroute.types import Document

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


# Finding


def test_a_folder_is_searched_to_its_depth_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.txt", "a/deep/er.jsonl", "C.TXT", "picture.png", "Makefile"):
        written(tmp_path / name)
    assert [file.id for file in find([tmp_path])] == ["C.TXT", "a/deep/er.jsonl", "a/z.txt", "b.md"]


def test_what_is_hidden_in_a_folder_is_left_out(tmp_path: Path) -> None:
    for name in ("seen.txt", ".hidden.txt", ".git/config.txt", "a/.cache/b/page.md"):
        written(tmp_path / name)
    assert [file.id for file in find([tmp_path])] == ["seen.txt"]


def test_a_hidden_file_that_is_named_is_found(tmp_path: Path) -> None:
    assert [file.id for file in find([written(tmp_path / ".notes.txt")])] == [".notes.txt"]


def test_a_folder_below_a_hidden_one_is_searched_if_it_is_named(tmp_path: Path) -> None:
    written(tmp_path / ".home" / "a.txt")
    assert [file.id for file in find([tmp_path / ".home"])] == ["a.txt"]


def test_files_are_known_by_their_path_below_what_was_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a" / "b.md")
    assert [file.id for named in (tmp_path, tmp_path / "a", path) for file in find([named])] == [
        "a/b.md",
        "b.md",
        "b.md",
    ]


def test_a_file_that_is_named_twice_is_found_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.md")
    (tmp_path / "b.md").symlink_to(path)
    assert len(find([path, tmp_path, path])) == 1


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"gone\.txt: there is no such file or folder"):
        find([written(tmp_path / "a.txt"), tmp_path / "gone.txt"])


@pytest.mark.parametrize("name", ["a.txt/below", "a\0b.txt", "x" * 5_000], ids=["below a file", "NUL", "too long"])
def test_a_path_that_cannot_exist_is_refused(tmp_path: Path, name: str) -> None:
    written(tmp_path / "a.txt")
    with pytest.raises(UnreadableFile):
        find([tmp_path / name])


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(UnreadableFile, match="no such file"):
        find([tmp_path / "a.txt"])


@pytest.mark.parametrize("name", [None, "picture.png", ".hidden.txt"])
def test_a_folder_without_a_file_to_index_is_refused(tmp_path: Path, name: str | None) -> None:
    if name:
        written(tmp_path / name)
    with pytest.raises(UnreadableFile, match=r"the folder holds no \.txt, \.md, \.jsonl file"):
        find([tmp_path])


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
    "a picture": ("a.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not UTF-8 (byte 0): convert it to UTF-8 first"),
    "NUL": ("a.txt", b"text\0more", "holds NUL characters: it is not a text file"),
    "Latin-1": ("a.txt", "Åland and Överby".encode("latin-1"), "not UTF-8 (byte 0): convert it to UTF-8 first"),
    "UTF-16": ("a.txt", "Night".encode("utf-16"), "not UTF-8 (byte 0): convert it to UTF-8 first"),
    "half a pair": ("a.txt", b"ab\xed\xa0\x80", "not UTF-8 (byte 2): convert it to UTF-8 first"),
    "pdf": ("a.pdf", b"%PDF-1.7", "files .pdf are not supported; use .txt, .md, .jsonl"),
    "no suffix": ("LICENSE", b"text", "files without a suffix are not supported; use .txt, .md, .jsonl"),
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
    assert [file.id for file in find([tmp_path / "folder.txt"])] == ["a.md"]
    assert [file.id for file in find([tmp_path])] == ["folder.txt/a.md"]


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    assert reasons(File(tmp_path / "a.txt", "a.txt")) == ["is a folder, not a file"]


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    [file] = find([written(tmp_path / "a.txt")])
    file.path.unlink()
    assert reasons(file) == ["no such file or directory"]


def test_a_link_in_a_folder_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "b.txt")
    files = find([tmp_path])
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
        assert reasons(*find([tmp_path])) == ["is not a regular file"] * 2


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
    files = find([folder])
    assert [file.id for file in files] == ["b.txt", "closed.txt", "seen/a.txt", "shut"]
    assert reasons(*files) == [None, *["permission denied"] * 3]
    assert reasons(*find([folder / "shut"])) == ["permission denied"]
    with pytest.raises(UnreadableFile, match="permission denied"):
        find([folder / "shut" / "a.txt"])
    with pytest.raises(UnreadableFile, match="permission denied"):
        load_one(folder / "shut" / "a.txt")


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="file names are always UTF-8 on macOS")
def test_a_name_that_is_not_utf_8_can_be_stored_and_printed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("Night work")
    [file] = find([tmp_path])
    [loaded] = load(file)
    assert loaded.document is not None
    assert loaded.document.id == "caf\ufffd.txt"
    assert loaded.source.encode().endswith("caf\ufffd.txt".encode())


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
        ("a.pdf", "files .pdf are not supported"),
        (".", "is a folder, not a file"),
    ],
)
def test_what_is_no_document_is_refused_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    written(tmp_path / "a.pdf")
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
