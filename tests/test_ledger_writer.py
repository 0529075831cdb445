"""What is written at once is committed together, and each write is told its own fate."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, create_engine, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from selfroute.ledger import Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.ledger.writer import Write, Writer
from selfroute.types import Call, Question, Stage, Usage

NUMBERS = Table("numbers", MetaData(), Column("at", Integer, primary_key=True), Column("number", Integer, unique=True))


class File:
    """A database whose transactions are counted, and begun only when they are `let`."""

    def __init__(self, path: Path) -> None:
        self.engine: Engine = create_engine(f"sqlite:///{path}")
        NUMBERS.metadata.create_all(self.engine)
        self.begun = 0
        self.waits, self.let = threading.Event(), threading.Event()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.begun += 1
        self.waits.set()
        assert self.let.wait(30)
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def busy(self) -> Iterator[Connection]:
        """As `transaction`, but another process holds the file."""
        with self.transaction() as connection:
            yield connection
            raise OperationalError("BEGIN IMMEDIATE", {}, sqlite3.OperationalError("database is locked"))

    def numbers(self) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(NUMBERS.c.number).order_by(NUMBERS.c.at)).scalars())


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "numbers.sqlite")


def test_what_is_written_while_the_disk_is_waited_for_is_committed_together_in_its_order(file: File) -> None:
    writer = Writer(file.transaction)
    first = writer.submit(number(0))
    assert file.waits.wait(30)
    rest = [writer.submit(number(n)) for n in range(20, 1, -1)]
    assert not first.done()
    file.let.set()
    for done in (first, *rest):
        done.result(30)
    assert file.begun == 2
    assert file.numbers() == [0, *range(20, 1, -1)]


def test_a_write_that_fails_takes_no_other_with_it(file: File) -> None:
    writer = Writer(file.transaction)
    writer.submit(number(0))
    assert file.waits.wait(30)
    done = [writer.submit(number(n)) for n in (1, 0, 2)]
    file.let.set()
    assert [type(one.exception(30)) for one in done] == [type(None), IntegrityError, type(None)]
    assert file.numbers() == [0, 1, 2]
    writer.submit(number(3)).result(30)


def test_a_busy_file_is_waited_for_once_by_all_that_wait(file: File) -> None:
    writer = Writer(file.busy)
    done = [writer.submit(number(0))]
    assert file.waits.wait(30)
    done += [writer.submit(number(n)) for n in range(1, 6)]
    file.let.set()
    assert {type(one.exception(30)) for one in done} == {OperationalError}
    assert file.begun == 2


def test_what_fails_by_itself_is_tried_once(file: File) -> None:
    file.let.set()
    writer = Writer(file.transaction)
    writer.submit(number(0)).result(30)
    assert isinstance(writer.submit(number(0)).exception(30), IntegrityError)
    assert file.begun == 2


def test_without_a_thread_it_is_written_by_whoever_submits(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    file.let.set()
    writer = Writer(file.transaction)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        writer.submit(number(0)).result(0)
    writer.submit(number(1)).result(30)
    assert file.numbers() == [0, 1]


@pytest.mark.end_to_end
def test_threads_that_outlive_the_program_can_still_write(tmp_path: Path) -> None:
    program = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from selfroute.ledger import Ledger\n"
        "from selfroute.types import Question\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    for n in range(3): ledger.begin(f'q{n}', Question('Who?'), 'always_rag', 'port')\n"
        "threading.Thread(target=late).start()\n"
    )
    assert written_by(program, tmp_path).question("q2") is not None


@pytest.mark.end_to_end
def test_a_child_process_writes_too(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from selfroute.ledger import Ledger\n"
        "from selfroute.types import Question\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "ledger.begin('parent', Question('Who?'), 'always_rag', 'port')\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    ledger.begin('child', Question('Who?'), 'always_rag', 'port')\n"
        "    os._exit(0)\n"
        "sys.exit(os.waitpid(child, 0)[1])\n"
    )
    assert written_by(program, tmp_path).question("child") is not None


def test_who_gives_up_waiting_does_not_undo_what_was_to_be_written(file: File) -> None:
    writer = Writer(file.transaction)
    done: list[Future[None]] = []

    async def gives_up() -> None:
        done.append(writer.submit(number(0)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(done[0]), 0.01)

    asyncio.run(gives_up())
    file.let.set()
    done[0].result(30)
    assert file.numbers() == [0]


def test_an_engines_account_stands_in_the_ledger_when_it_returns(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    account, other = LedgerAccount(ledger), Ledger(tmp_path / "ledger.sqlite")
    call = Call(Stage.READ_CHUNKS, "m", Usage(12, output_tokens=3), 0.5)

    async def asked(id_: str) -> None:
        await account.begin(id_, Question("Who?"), "always_rag", "port", "key")
        began = other.question(id_)
        assert began is not None
        assert (began.question, began.corpus, began.key, began.calls) == ("Who?", "port", "key", ())
        await account.record(id_, call)
        assert other.calls(id_) == [call]
        account.fail(id_, "X: y")
        failed = other.question(id_)
        assert failed is not None
        assert failed.error == "X: y"

    async def all_at_once() -> None:
        await asyncio.gather(*(asked(f"q{n}") for n in range(20)))

    asyncio.run(all_at_once())


def written_by(program: str, folder: Path) -> Ledger:
    """The ledger that a process of its own wrote, having ended well."""
    path = folder / "ledger.sqlite"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)
    return Ledger(path)


def number(n: int) -> Write:
    return Write(insert(NUMBERS), {"number": n})
