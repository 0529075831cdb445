"""Runs the command line for the tests: in this process, which is quicker, or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from selfroute import cli

COMMAND = Path(sys.executable).with_name("selfroute")


def in_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command."""
    monkeypatch.setattr(sys, "argv", ["selfroute", *words])
    capsys.readouterr()
    try:
        cli.main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    return (code, *capsys.readouterr())


def environment(**more: str) -> dict[str, str]:
    """The machine's, without settings of ours; a child imports the package that is tested here."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("SELFROUTE_")}
    return theirs | {"PYTHONPATH": str(Path(cli.__file__).parents[1])} | more


def modules_after(*words: str) -> set[str]:
    """The modules that a process has loaded when the command has ended."""
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
