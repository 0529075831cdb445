"""What is named is found, and of folders what is neither hidden nor ignored nor left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfroute.errors import BadInput, UnreadableFile
from selfroute.ingest.finder import Choice, counted, find, gone


def test_a_folder_is_searched_to_its_depth_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.txt", "a/deep/er.jsonl", "C.TXT", "picture.png", "Makefile"):
        written(tmp_path / name)
    assert [file.id for file in find([tmp_path]).files] == ["C.TXT", "a/deep/er.jsonl", "a/z.txt", "b.md"]


def test_what_is_hidden_in_a_folder_is_left_out(tmp_path: Path) -> None:
    for name in ("seen.txt", ".hidden.txt", ".git/config.txt", "a/.cache/b/page.md"):
        written(tmp_path / name)
    assert [file.id for file in find([tmp_path]).files] == ["seen.txt"]


def test_a_hidden_file_that_is_named_is_found(tmp_path: Path) -> None:
    assert [file.id for file in find([written(tmp_path / ".notes.txt")]).files] == [".notes.txt"]


def test_a_folder_below_a_hidden_one_is_searched_if_it_is_named(tmp_path: Path) -> None:
    written(tmp_path / ".home" / "a.txt")
    assert [file.id for file in find([tmp_path / ".home"]).files] == ["a.txt"]


def test_files_are_known_by_their_path_below_what_was_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a" / "b.md")
    assert [file.id for named in (tmp_path, tmp_path / "a", path) for file in find([named]).files] == [
        "a/b.md",
        "b.md",
        "b.md",
    ]


def test_a_file_that_is_named_twice_is_found_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.md")
    (tmp_path / "b.md").symlink_to(path)
    assert len(find([path, tmp_path, path]).files) == 1


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"gone\.txt: there is no such file or folder"):
        find([written(tmp_path / "a.txt"), tmp_path / "gone.txt"])


@pytest.mark.parametrize("name", ["a.txt/below", "a\0b.txt", "x" * 5_000], ids=["below a file", "NUL", "too long"])
def test_a_path_that_cannot_exist_is_refused(tmp_path: Path, name: str) -> None:
    written(tmp_path / "a.txt")
    with pytest.raises(UnreadableFile):
        find([tmp_path / name])


def test_what_a_refused_folder_holds_is_told(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "sub/c.PNG", "LICENSE"):
        written(tmp_path / name)
    with pytest.raises(UnreadableFile, match=r"; it holds 3 \.png files and 1 without a suffix$"):
        find([tmp_path])


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(UnreadableFile, match="no such file"):
        find([tmp_path / "a.txt"])


@pytest.mark.parametrize("name", [None, "picture.png", ".hidden.txt"])
def test_a_folder_without_a_file_to_index_is_refused(tmp_path: Path, name: str | None) -> None:
    if name:
        written(tmp_path / name)
    with pytest.raises(UnreadableFile, match=r"the folder holds no \.txt, \.md, \.jsonl, \.pdf, .*\.csv file"):
        find([tmp_path])


# Choosing


def test_only_files_that_match_an_included_glob_are_found(tmp_path: Path) -> None:
    for name in ("a.md", "b.txt", "sub/c.md", "sub/d.pdf"):
        written(tmp_path / name)
    assert ids(tmp_path, include=("*.md",)) == ["a.md", "sub/c.md"]
    assert ids(tmp_path, include=("*.txt", "*.pdf")) == ["b.txt", "sub/d.pdf"]
    assert ids(tmp_path, include=("sub/",)) == ["sub/c.md", "sub/d.pdf"]
    assert ids(tmp_path, include=("/*.md",)) == ["a.md"]


def test_what_matches_an_excluded_glob_is_left_out_even_if_it_is_included(tmp_path: Path) -> None:
    for name in ("a.md", "drafts/b.md", "sub/drafts/c.md", "sub/d.md"):
        written(tmp_path / name)
    assert ids(tmp_path, exclude=("drafts/",)) == ["a.md", "sub/d.md"]
    assert ids(tmp_path, include=("*.md",), exclude=("drafts/", "/sub/*.md")) == ["a.md"]


def test_a_folder_of_which_nothing_is_wanted_says_so(tmp_path: Path) -> None:
    written(tmp_path / "a.md")
    with pytest.raises(UnreadableFile, match=r"file that is wanted$"):
        ids(tmp_path, include=("*.pdf",))


def test_a_file_that_is_named_is_found_whatever_is_excluded_or_ignored(tmp_path: Path) -> None:
    written(tmp_path / ".gitignore", "*.md\n")
    path = written(tmp_path / "a.md")
    assert [file.id for file in find([path], Choice(("*.txt",), ("*.md",))).files] == ["a.md"]


@pytest.mark.parametrize("glob", ["a\\", "!"])
def test_a_glob_that_is_none_is_refused(tmp_path: Path, glob: str) -> None:
    written(tmp_path / "a.md")
    with pytest.raises(BadInput, match="is no glob: write one as in"):
        ids(tmp_path, include=(glob,))


# Ignoring


def test_what_a_gitignore_names_is_left_out_below_it(tmp_path: Path) -> None:
    written(tmp_path / ".gitignore", "# comment\nbuild/\n*.csv\n/top.md\n")
    for name in ("a.md", "b.csv", "top.md", "build/c.md", "sub/top.md", "sub/d.csv", "sub/build/e.md"):
        written(tmp_path / name)
    assert ids(tmp_path) == ["a.md", "sub/top.md"]


def test_the_deepest_gitignore_decides(tmp_path: Path) -> None:
    written(tmp_path / ".gitignore", "*.csv\n")
    written(tmp_path / "kept" / ".gitignore", "!*.csv\n*.md\n")
    for name in ("a.csv", "a.md", "kept/a.csv", "kept/a.md", "kept/deep/b.csv"):
        written(tmp_path / name)
    assert ids(tmp_path) == ["a.md", "kept/a.csv", "kept/deep/b.csv"]


def test_the_gitignore_of_the_repository_counts_for_a_folder_in_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    written(tmp_path / ".gitignore", "docs/drafts/\n")
    for name in ("docs/a.md", "docs/drafts/b.md"):
        written(tmp_path / name)
    assert ids(tmp_path / "docs") == ["a.md"]


def test_a_gitignore_above_counts_only_within_a_repository(tmp_path: Path) -> None:
    written(tmp_path / ".gitignore", "docs/drafts/\n")
    for name in ("docs/a.md", "docs/drafts/b.md"):
        written(tmp_path / name)
    assert ids(tmp_path / "docs") == ["a.md", "drafts/b.md"]


def test_an_ignored_folder_that_is_named_is_searched(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    written(tmp_path / ".gitignore", "build/\n")
    written(tmp_path / "build" / "a.md")
    assert ids(tmp_path / "build") == ["a.md"]


def test_a_gitignore_that_is_a_folder_or_no_text_or_holds_no_pattern_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "one" / ".gitignore").mkdir(parents=True)
    (written(tmp_path / "two" / "a.md").parent / ".gitignore").write_bytes(b"\xff\0\n!\n*.csv\n")
    for name in ("one/a.md", "two/b.csv"):
        written(tmp_path / name)
    assert ids(tmp_path) == ["one/a.md", "two/a.md"]


# Links and what is gone


def test_folders_that_link_to_each_other_are_searched_once(tmp_path: Path) -> None:
    written(tmp_path / "one" / "a.md")
    (tmp_path / "one" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "two").symlink_to(tmp_path / "one", target_is_directory=True)
    assert ids(tmp_path) == ["one/a.md"]


def test_a_folder_that_is_reached_by_a_link_heeds_its_gitignore(tmp_path: Path) -> None:
    written(tmp_path / "one" / ".gitignore", "b.md\n")
    for name in ("one/a.md", "one/b.md"):
        written(tmp_path / name)
    (tmp_path / "two").symlink_to(tmp_path / "one", target_is_directory=True)
    assert ids(tmp_path / "two") == ["a.md"]


def test_an_empty_folder_is_no_error_where_it_may_be_empty(tmp_path: Path) -> None:
    assert find([tmp_path], empty=True).files == ()


def test_only_what_is_certainly_not_there_is_gone(tmp_path: Path) -> None:
    path = written(tmp_path / "a.md")
    assert not gone(str(path))
    assert gone(str(tmp_path / "b.md"))
    assert gone(str(path / "below a file"))
    assert not gone(str(tmp_path / "caf\ufffd.md"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert not gone(str(tmp_path / "loop"))


def ids(folder: Path, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
    return [file.id for file in find([folder], Choice(include, exclude)).files]


def written(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def test_what_is_passed_over_is_told_by_its_most_frequent_suffixes() -> None:
    assert counted({"": 1, ".xyz": 3, ".log": 1}) == "3 .xyz files, 1 without a suffix and 1 .log file"
    logs = {f".{n}": 1 for n in range(28)} | {".log": 1200, "": 2, ".gz": 4}
    assert counted(logs) == (
        "1,200 .log files, 4 .gz files, 2 without a suffix, 1 .0 file, 1 .1 file, 1 .2 file, 1 .3 file, 1 .4 file, "
        "1 .5 file, 1 .6 file and 21 files of 21 other kinds"
    )
    assert counted({f".{n}": 1 for n in range(11)}).endswith("1 .9 file and 1 file of 1 other kind")
