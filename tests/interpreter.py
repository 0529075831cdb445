"""One started interpreter, from which commands are forked: each is a process of its own, without its second of imports.

It is a program that runs beside the tests and has imported what commands import late. Who wants a command sends one
byte with four file descriptors over its socket: standard input, output and error, and a channel. Over the channel goes
what the command is to be, a line of JSON (the parameters of `become`); back come its process id and, when it has ended,
its exit code, a line each. `commands.Command` is the other side.

A command leaves through the interpreter's own end, with its exit handlers, as it does when a shell starts it. What is
decided while Python starts or imports is not its own, however: tests of that start the command by its entry point.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import io
import json
import os
import signal
import socket
import sys

IMPORTED = (
    "selfroute.cli",
    "selfroute.build",
    "selfroute.build_service",
    "selfroute.doctor",
    "selfroute.embedders.onnx",
    "selfroute.evaluation.report",
    "selfroute.readers.extractive",
    "selfroute.server.app",
    "selfroute.terminal",
    "llama_index.core.node_parser",
    "nltk",
    "openai",
    "uvicorn.protocols.http.httptools_impl",
)


def serve(control: socket.socket) -> None:
    """Forks until the other side of `control` is closed; comes back in each command, and at the end."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # else each command would walk through, and copy, all of that as it ends: a second
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # at a terminal it comes to the tests too, which end this
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.sendall(b".")
    while True:
        byte, handles, _, _ = socket.recv_fds(control, 1, 4)
        if not byte:
            return
        if os.fork() == 0:
            control.close()
            run_and_watch(*handles)
            return
        for handle in handles:
            os.close(handle)


def run_and_watch(standard_input: int, output: int, error: int, told: int) -> None:
    """Comes back in the command alone: the process that waits for it ends with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    channel = socket.socket(fileno=told)
    with channel.makefile(encoding="utf-8") as lines:
        wanted = json.loads(lines.readline())
    pid = os.fork()
    if pid:
        for handle in (0, 1, 2, standard_input, output, error):
            os.close(handle)
        channel.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        try:
            channel.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        finally:  # nobody may listen any more
            os._exit(0)
    channel.close()
    for number, handle in enumerate((standard_input, output, error)):
        os.dup2(handle, number)
        os.close(handle)
    become(**wanted)
    sys.stdin, sys.stdout, sys.stderr = (_stream(number) for number in range(3))
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def become(words: list[str], environment: dict[str, str], folder: str, ignored: list[int], powerless: bool) -> None:
    """Takes on what a new process would begin with; see `commands.Command`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if powerless and os.geteuid() == 0:
        give_up_power_over_files()
    sys.argv = ["selfroute", *words]


def give_up_power_over_files() -> None:
    """Drops root's capabilities to pass over the permissions of files (capabilities(7)). Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, for capabilities below 32 and above
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    for held in (0, 1):
        sets[held] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _stream(number: int) -> io.TextIOWrapper:
    """As Python makes its standard streams."""
    return io.TextIOWrapper(
        io.open(number, "rb" if number == 0 else "wb", closefd=False),  # noqa: UP020 - for good
        encoding="utf-8",
        errors="backslashreplace" if number == 2 else "strict",
        line_buffering=number == 2 or os.isatty(number),
        write_through="PYTHONUNBUFFERED" in os.environ,
    )


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as control_:
        serve(control_)
    if sys.argv[0] == "selfroute":
        from selfroute.cli import main

        main()
