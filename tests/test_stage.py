"""What `make` takes long over shows that it is alive, says how it ended, and hides nothing if it failed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

STAGE = Path(__file__).parents[1] / "deploy" / "stage.py"
pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not STAGE.exists(), reason="what make runs is not part of the wheel"),
]


def stage(*words: str, every: str = "0.05", **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(STAGE), "install it", *words]
    told = os.environ | {"STAGE_EVERY": every, **variables}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=told)


def test_it_tells_the_last_line_until_it_is_done(tmp_path: Path) -> None:
    waits = f"echo first; echo Collecting torch; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done"
    process = stage("sh", "-c", waits)
    assert process.stdout is not None
    assert process.stdout.readline() == "install it ...\n"
    while not re.fullmatch(r"  \d+ s: Collecting torch\n", line := process.stdout.readline()):
        assert re.fullmatch(r"  \d+ s: (still at it|first)\n", line)
    (tmp_path / "go").touch()
    out, err = process.communicate(timeout=60)
    assert re.fullmatch(r"install it: done in \d+ s", out.splitlines()[-1])
    assert (process.returncode, err) == (0, "")


def test_a_stage_that_fails_shows_all_that_it_printed_and_keeps_its_exit_code() -> None:
    process = stage("sh", "-c", "echo first; echo no such package >&2; exit 7", every="60")
    out, err = process.communicate(timeout=60)
    assert out == "install it ...\n"
    assert re.fullmatch(r"first\nno such package\ninstall it: failed after \d+ s; the lines above say why\n", err)
    assert process.returncode == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_what_it_runs(
    tmp_path: Path, wait_until: Callable[[Callable[[], bool]], None], number: signal.Signals
) -> None:
    process = stage("sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600")
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and bool(pid.read_text()))
    process.send_signal(number)
    assert process.wait(60) == 130
    wait_until(lambda: not _runs(int(pid.read_text())))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_command_that_is_not_there_is_told() -> None:
    process = stage("no-such-command")
    assert process.communicate(timeout=60)[1] == "install it: cannot run no-such-command: No such file or directory\n"
    assert process.returncode == 127


def test_a_terminal_that_is_not_utf_8_does_not_end_it(tmp_path: Path) -> None:
    waits = f"printf '\\342\\224\\201 50 %%\\r'; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done"
    process = stage("sh", "-c", waits, PYTHONIOENCODING="ascii")
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(3)]
    (tmp_path / "go").touch()
    out, err = process.communicate(timeout=60)
    assert seen[-1].endswith(": ? 50 %\n")
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1].startswith("install it: done")


def test_where_nobody_reads_what_it_says_it_ends_what_it_runs(
    tmp_path: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    process = stage("sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) != 0
    pid = tmp_path / "pid"
    wait_until(lambda: not (pid.exists() and pid.read_text()) or not _runs(int(pid.read_text())))


def test_without_a_command_it_says_how_it_is_used() -> None:
    process = stage()
    assert process.communicate(timeout=60)[1] == "usage: python deploy/stage.py NAME COMMAND [WORD...]\n"
