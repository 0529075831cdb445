"""Runs a command as a stage that shows that it is alive.

    python deploy/stage.py "install selfroute" pip install .

prints the stage's name, every five seconds the last line that the command printed, and at the end the time it took.
What the command printed is shown whole if it fails, and its exit code is passed on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from tempfile import TemporaryFile
from typing import BinaryIO

EVERY = max(float(os.environ.get("STAGE_EVERY", "5")), 0.01)
WIDEST = 100
INTERRUPTED = 130


def run(name: str, command: list[str]) -> int:
    """The exit code of `command`; `INTERRUPTED` where this was told to stop, and the command with it."""
    began = time.monotonic()
    say(f"{name} ...")
    told: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: told.append(number))
    with TemporaryFile() as log:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except OSError as error:
            print(f"{name}: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
            return 127
        soon = time.monotonic() + EVERY
        try:
            while (code := waited(child)) is None:
                if told:
                    child.terminate() if len(told) == 1 else child.kill()
                elif time.monotonic() >= soon:
                    soon = time.monotonic() + EVERY
                    say(f"  {time.monotonic() - began:.0f} s: {last_line(log) or 'still at it'}")
        finally:
            if child.poll() is None:  # nobody reads what this says any more
                child.terminate()
        if told:
            return INTERRUPTED
        seconds = f"{time.monotonic() - began:.0f} s"
        if code:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            print(f"{name}: failed after {seconds}; the lines above say why", file=sys.stderr)
        else:
            say(f"{name}: done in {seconds}")
        return code if code >= 0 else 128 - code


def waited(child: subprocess.Popen[bytes]) -> int | None:
    """The exit code of `child`, `None` if it does not end soon."""
    try:
        return child.wait(min(EVERY, 0.2))
    except subprocess.TimeoutExpired:
        return None


def last_line(log: BinaryIO) -> str:
    """The last line that is not blank, cut to `WIDEST`."""
    size = os.fstat(log.fileno()).st_size
    lines = os.pread(log.fileno(), 4096, max(size - 4096, 0)).decode(errors="replace").split("\n")
    said = [line.rstrip("\r").rpartition("\r")[2].strip() for line in lines]
    return next((line[:WIDEST] for line in reversed(said) if line), "")


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python deploy/stage.py NAME COMMAND [WORD...]")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 is no reason to fail
    sys.exit(run(sys.argv[1], sys.argv[2:]))
