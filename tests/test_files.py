"""A file appears whole or not at all, and a folder has one writer."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from selfroute.errors import HomeNotWritable, IndexBusy
from selfroute.index.files import LOCK, is_ours, make_folder, only_writer, staging, write_whole

BIG = b"x" * 100_000


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", BIG)
    assert (tmp_path / "a").read_bytes() == BIG
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_is_replaced_and_whoever_reads_the_old_one_reads_on(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"old")
    with (tmp_path / "a").open("rb") as reader:
        write_whole(tmp_path / "a", b"new")
        assert reader.read() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"


def test_what_an_interrupted_run_left_is_written_over(tmp_path: Path) -> None:
    staging(tmp_path / "a").write_bytes(BIG)
    write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_cannot_be_opened_leaves_the_old_one(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"old")
    staging(tmp_path / "a").mkdir()
    with pytest.raises(HomeNotWritable, match="is a directory"):
        write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_file_that_cannot_be_synced_leaves_the_old_one(tmp_path: Path) -> None:
    """A pipe takes what is written and cannot be synced."""
    write_whole(tmp_path / "a", b"old")
    os.mkfifo(staging(tmp_path / "a"))
    reader = threading.Thread(target=staging(tmp_path / "a").read_bytes)
    reader.start()
    with pytest.raises(HomeNotWritable):
        write_whole(tmp_path / "a", b"new")
    reader.join()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_cannot_be_renamed_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(HomeNotWritable):
        write_whole(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.end_to_end
def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path, processes: ForkServerContext) -> None:
    write_whole(tmp_path / "a", b"old")
    process = processes.Process(target=_finds_the_disk_full, args=(tmp_path / "a",))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def _finds_the_disk_full(path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(BIG) // 2,) * 2)
    with pytest.raises(HomeNotWritable, match="file too large"):
        write_whole(path, BIG)


def test_a_folder_is_made_with_those_above_it_and_may_be_there_already(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(HomeNotWritable, match=r"not a directory.*set SELFROUTE_HOME to another folder"):
        make_folder(tmp_path / "a" / "b")


def test_a_second_writer_is_refused_in_one_line_until_the_first_has_ended(tmp_path: Path) -> None:
    with only_writer(tmp_path):
        with pytest.raises(IndexBusy) as refused, only_writer(tmp_path):
            pytest.fail("two writers hold one folder")
        assert len(str(refused.value).splitlines()) == 1
    with only_writer(tmp_path):
        assert (tmp_path / LOCK).exists()


def test_an_error_under_the_lock_frees_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_writer(tmp_path):
        _ = 1 / 0
    with only_writer(tmp_path):
        assert (tmp_path / LOCK).exists()


@pytest.mark.end_to_end
def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path, processes: ForkServerContext) -> None:
    here, there = processes.Pipe()
    process = processes.Process(target=_holds_the_lock, args=(tmp_path, there))
    process.start()
    assert here.recv() == "held"
    with pytest.raises(IndexBusy), only_writer(tmp_path):
        pytest.fail("two processes hold one folder")
    process.kill()
    process.join()
    with only_writer(tmp_path):
        assert (tmp_path / LOCK).exists()


@pytest.mark.end_to_end
def test_the_lock_names_its_owner_while_it_is_held(tmp_path: Path, processes: ForkServerContext) -> None:
    here, there = processes.Pipe()
    process = processes.Process(target=_holds_the_lock, args=(tmp_path, there))
    process.start()
    assert here.recv() == "held"
    owner = rf"another process \(process {process.pid} on .+, since \d{{4}}-.*\)"
    with pytest.raises(IndexBusy, match=owner), only_writer(tmp_path):
        pytest.fail("two processes hold one folder")
    here.send("go on")
    process.join()
    assert (tmp_path / LOCK).read_bytes() == b""


def test_a_lock_of_a_folder_that_was_moved_away_is_none(tmp_path: Path) -> None:
    """Two that hold what they take for one folder's lock would both write."""
    (tmp_path / "a").mkdir()
    with only_writer(tmp_path / "a"):
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a").mkdir()
        with only_writer(tmp_path / "a"), pytest.raises(IndexBusy), only_writer(tmp_path / "b"):
            pytest.fail("two hold one folder")


def _holds_the_lock(folder: Path, pipe: Connection) -> None:
    with only_writer(folder):
        pipe.send("held")
        pipe.recv()


@pytest.mark.end_to_end
def test_a_process_started_under_the_lock_does_not_keep_it(tmp_path: Path) -> None:
    with only_writer(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with only_writer(tmp_path):
            assert child.poll() is None
    finally:
        child.communicate(b"\n")


@pytest.mark.end_to_end
def test_a_folder_that_may_not_be_written_is_refused(
    open_home: Path, processes: ForkServerContext, as_nobody: Callable[[], None]
) -> None:
    open_home.chmod(0o555)
    process = processes.Process(target=_may_not_write, args=(as_nobody, open_home))
    process.start()
    process.join()
    assert process.exitcode == 0


def _may_not_write(as_nobody: Callable[[], None], folder: Path) -> None:
    as_nobody()
    with pytest.raises(HomeNotWritable, match="permission denied"):
        make_folder(folder / "a")
    with pytest.raises(HomeNotWritable, match="permission denied"), only_writer(folder):
        pass
    with pytest.raises(HomeNotWritable, match="permission denied"):
        write_whole(folder / "a", b"new")


@pytest.mark.parametrize(
    ("name", "ours"),
    [(LOCK, True), (staging(Path("manifest.json")).name, True), (".store.sqlite.staging-journal", True)]
    + [(name, False) for name in ("manifest.json", "notes.txt", ".git", ".DS_Store", "a.staging")],
)
def test_only_locks_and_staging_files_are_ours_to_remove(name: str, ours: bool) -> None:
    assert is_ours(Path("indexes/harbour") / name) is ours
