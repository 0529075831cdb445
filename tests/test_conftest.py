"""The marks hold what they promise, and what is made once is made whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

STARTS = {
    "by itself": "import subprocess\n\ndef test_one():\n    subprocess.run(['true'])\n",
    "by a fork server": "def test_one(processes):\n    pass\n",
    "by a fixture": (
        "import os, pytest\n\n@pytest.fixture\ndef child():\n    os.waitpid(os.fork() or os._exit(0), 0)\n\n"
        "def test_one(child):\n    pass\n"
    ),
    "by a command": "from commands import process\n\ndef test_one():\n    process('--version')\n",
}


def ran(folder: Path, *words: str) -> str:
    """What pytest says of the tests in `folder`, under the rules of these tests."""
    for name in ("conftest.py", "commands.py", "interpreter.py"):
        shutil.copy(Path(__file__).with_name(name), folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False, cwd=folder).stdout


@pytest.mark.parametrize("how", STARTS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnknownMarkWarning")
def test_a_test_that_starts_a_process_without_its_mark_fails(tmp_path: Path, how: str) -> None:
    (tmp_path / "test_it.py").write_text(STARTS[how])
    assert "mark this test end_to_end, since it starts processes" in ran(tmp_path)
    (tmp_path / "test_it.py").write_text(f"import pytest\npytestmark = pytest.mark.end_to_end\n\n{STARTS[how]}")
    assert "1 passed" in ran(tmp_path)


def test_a_module_is_left_out_where_none_of_its_tests_is_wanted_and_nowhere_else(tmp_path: Path) -> None:
    marked = "import pytest\n\npytestmark = pytest.mark.end_to_end\n\n\ndef test_one():\n    pass\n"
    (tmp_path / "test_it.py").write_text(marked)
    assert "1 passed" in ran(tmp_path, "-m", "not slow")
    assert "1 passed" in ran(tmp_path, "-m", "end_to_end")
    assert "1 passed" in ran(tmp_path, "-m", "slow or not slow and not end_to_end or end_to_end")
    assert "no tests ran" in ran(tmp_path, "-m", "not slow and not end_to_end")


def test_what_could_not_be_made_once_is_made_by_the_next(
    once: Callable[[str, Callable[[Path], None]], Path], tmp_path: Path
) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        once(tmp_path.name, fails)
    made = once(tmp_path.name, lambda folder: (folder / "whole").touch())
    assert [path.name for path in made.iterdir()] == ["whole"]
    assert once(tmp_path.name, fails) == made
