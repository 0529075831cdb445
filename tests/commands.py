"""Runs the command line for the tests: in this process, which is quickest, or as a process of its own.

A process of its own is forked from an interpreter that is started once (`interpreter.py`). Where Python's own start is
what is tested, the entry point `COMMAND` is run.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import pytest

from selfroute import cli

COMMAND = Path(sys.executable).with_name("selfroute")
GONE = 255
"""The exit code of a process of which nobody tells how it ended."""


class Done(NamedTuple):
    """What became of a command: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Done:
    """Runs a command in this process."""
    monkeypatch.setattr(sys, "argv", ["selfroute", *words])
    capsys.readouterr()
    try:
        cli.main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Done(code, *capsys.readouterr())


def environment(**more: str) -> dict[str, str]:
    """The machine's, without settings of ours; a child imports the package that is tested here."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("SELFROUTE_")}
    return theirs | {"PYTHONPATH": str(Path(cli.__file__).parents[1])} | more


class Command:
    """The command line as a process, used as a `subprocess.Popen` whose streams are text.

    Standard error is kept in a file, so that a service that logs much is not held up by a pipe that nobody reads.
    """

    def __init__(
        self,
        *words: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int = PIPE,
        stderr: int = PIPE,
        folder: Path | None = None,
        ignored: Sequence[signal.Signals] = (),
        powerless: bool = False,
        **variables: str,
    ) -> None:
        """`stdin`, `stdout` and `stderr` are file descriptors, or as above; `folder` is where the process begins, with
        the signals of `ignored` ignored and `variables` added to its environment. A `powerless` one is bound by the
        permissions of files even where the tests run as root."""
        sys.audit("commands.Command", *words)
        interpreter = _interpreter()
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        self._words = words
        self._errors = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - `close` closes it
        self._channel, theirs = socket.socketpair()
        with ExitStack() as closing:
            closing.enter_context(theirs)
            nowhere = closing.enter_context(open(os.devnull, "rb"))
            if stdout == PIPE:
                reading, stdout = os.pipe()
                closing.callback(os.close, stdout)
                self.stdout = os.fdopen(reading, encoding="utf-8")
            streams = [
                nowhere.fileno() if stdin == subprocess.DEVNULL else stdin,
                stdout,
                self._errors.fileno() if stderr == PIPE else stderr,
            ]
            socket.send_fds(interpreter, [b"."], [*streams, theirs.fileno()])
        wanted = {
            "words": words,
            "environment": environment(**variables),
            "folder": str(folder or Path.cwd()),
            "ignored": [int(number) for number in ignored],
            "powerless": powerless,
        }
        self._channel.sendall(json.dumps(wanted).encode() + b"\n")
        self._lines = self._channel.makefile(encoding="utf-8")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._channel], [], [], 0)[0]:
            told = self._lines.readline()
            self.returncode = int(told) if told else GONE
        return self.returncode

    def wait(self, timeout: float = 60) -> int:
        if self.returncode is None and not select.select([self._channel], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired([*self._words], timeout)
        code = self.poll()
        assert code is not None
        return code

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """(what is left of standard output, standard error), when it has ended."""
        with ThreadPoolExecutor(1) as pool:  # else a full pipe would keep it from ending
            out = pool.submit(self.stdout.read if self.stdout else str)
            try:
                self.wait(timeout)
            finally:
                self.kill()
            self._errors.seek(0)
            return out.result(), self._errors.read()

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Ends it if it runs, and lets go of what was opened for it."""
        self.kill()
        self.wait()
        for opened in (self.stdout, self._errors, self._lines, self._channel):
            if opened is not None:
                opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


def process(
    *words: str,
    stdin: int = subprocess.DEVNULL,
    folder: Path | None = None,
    powerless: bool = False,
    **variables: str,
) -> Done:
    """Runs a command to its end, as a process of its own."""
    with Command(*words, stdin=stdin, folder=folder, powerless=powerless, **variables) as command:
        out, err = command.communicate()
        return Done(command.wait(), out, err)


def entered(*words: str, folder: Path, **variables: str) -> Done:
    """Runs a command by its entry point, in an interpreter of its own."""
    done = subprocess.run(
        [COMMAND, *words], capture_output=True, text=True, cwd=folder, env=environment(**variables), check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


@cache
def _interpreter() -> socket.socket:
    """The socket of the interpreter that commands are forked from; it ends as its other side does."""
    ours, theirs = socket.socketpair()
    program = str(Path(__file__).with_name("interpreter.py"))
    started = subprocess.Popen(
        [sys.executable, program, str(theirs.fileno())], pass_fds=[theirs.fileno()], env=environment()
    )
    theirs.close()
    if ours.recv(1) != b".":
        raise RuntimeError(f"{program} did not start: it ended with {started.wait(60)}")

    def end() -> None:
        ours.close()
        started.wait(60)

    atexit.register(end)
    return ours


def modules_after(*words: str) -> set[str]:
    """The modules that a fresh interpreter has loaded when the command has ended."""
    program = (
        "import json, sys\n"
        "from selfroute.cli import main\n"
        f"sys.argv = {['selfroute', *words]!r}\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code, ended.code\n"
        "print(json.dumps(list(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment(), check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))
