"""What a person sees of an answer as it is made, at a terminal: the command itself, run at one."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import re
import signal
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from commands import Command, process
from rich.console import Console
from stub_openai import Plan, StubOpenAI
from test_terminal import ANSWER, DRIVING, NASTY

from selfroute import terminal
from selfroute.errors import EndpointUnreachable
from selfroute.live import follow
from selfroute.types import Delta, Done, Event, Step

pytestmark = pytest.mark.end_to_end

HARBOUR = "The harbour master of Norrvik is Olof Berg.\n\nNight work is approved by him.\n"
WHO = "Who is the harbour master?"
SAID = "Olof Berg,\nthe harbour master"
CONFIG = """
embedder: {{kind: hashing}}
reader: {{kind: chat, chunks: small}}
endpoints:
  small: {{base_url: {url}, model: small, window: 8000}}
"""


def test_the_answer_is_written_as_it_is_made_and_ends_as_any_other() -> None:
    written = followed(
        Step("retrieve"), Step("read_chunks"), Step("read_chunks", False), Delta("Olof "), Delta("Berg"), Done(ANSWER)
    )
    assert written.plain.endswith(plain(terminal.answer(ANSWER)))
    assert written.raw.index("reading the chunks") < written.raw.index("Olof ")


def test_without_an_answer_it_ends_as_any_other_too() -> None:
    none = replace(ANSWER, answer=None)
    written = followed(Step("read_chunks"), Step("read_chunks", True), Step("read_documents"), Done(none))
    assert written.plain.endswith(plain(terminal.answer(none)))
    assert "the reader declined: reading the document" in written.raw


def test_nothing_in_an_answer_drives_the_terminal_however_it_is_cut() -> None:
    answer = replace(ANSWER, answer=NASTY + DRIVING)
    written = followed(*[Delta(c) for c in NASTY + DRIVING], Done(answer))
    assert written.plain.endswith(plain(terminal.answer(answer)))
    assert DRIVING not in written.raw
    assert "\x1b[31m" not in written.raw


def test_an_error_in_the_middle_leaves_the_cursor_at_the_beginning_of_a_line() -> None:
    async def breaks() -> AsyncGenerator[Event]:
        yield Delta("Olof")
        raise EndpointUnreachable("x", "cut")

    console = terminal_of(io.StringIO())
    with pytest.raises(EndpointUnreachable):
        asyncio.run(follow(breaks(), WHO, console))
    assert console.file.getvalue().endswith("\x1b[1mOlof\x1b[0m\n")  # type: ignore[attr-defined]


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    reply = json.dumps({"answerable": True, "answer": SAID, "quotes": ["is Olof Berg"]})
    with StubOpenAI(lambda asked: Plan(reply)) as running:
        yield running


@pytest.fixture
def folder(stub: StubOpenAI, tmp_path: Path) -> Path:
    (tmp_path / "harbour.md").write_text(HARBOUR)
    (tmp_path / "mine.yaml").write_text(CONFIG.format(url=stub.url))
    return tmp_path


def test_at_a_terminal_an_answer_streams_unless_it_is_told_not_to(folder: Path, stub: StubOpenAI) -> None:
    for more in ([], ["--no-stream"], ["--json"]):
        with asking(folder, *more) as seen:
            text = "".join(seen)
        assert SAID.splitlines()[1] in text
        assert ("[?25l" in text) == (not more)
    assert [bool(asked.body.get("stream")) for asked in stub.asked] == [True, False, False]


def test_what_is_no_terminal_sees_the_same_as_ever(folder: Path, stub: StubOpenAI) -> None:
    done = process(*ASK, folder=folder)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"question {WHO}\nanswer   {SAID}\noutcome  answered\n")
    assert not stub.asked[0].body.get("stream")


def test_an_interruption_in_the_middle_of_an_answer_ends_the_call_and_is_accounted(
    folder: Path, stub: StubOpenAI, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    reply = json.dumps({"answerable": True, "answer": SAID, "quotes": []})
    stub.answer = lambda asked: Plan(reply, breaks="stall_at_end")
    text = ""
    with asking(folder, code=130) as seen:
        for piece in seen:
            text += piece
            if "harbour master" in re.sub(r"\x1b\[[\d;]*m", "", text.partition("answer ")[2]):
                os.kill(seen.pid, signal.SIGINT)
                break
        text = "".join(seen)
    assert "Traceback" not in text
    assert text.endswith("\n")
    wait_until(lambda: stub.gone == 1)
    connection = sqlite3.connect(folder / "indexes/ledger.sqlite")
    [(read, written, error)] = connection.execute(
        "SELECT input_tokens, output_tokens, error FROM calls WHERE stage = 'read_documents'"
    ).fetchall()
    connection.close()
    assert (read, error) == (stub.charged["input_tokens"], "abandoned")
    assert 0 < written <= stub.charged["output_tokens"]


ASK = ("ask", WHO, "--file", "harbour.md", "--policy", "always_long", "--config", "mine.yaml")


class Seen:
    """What appears on the terminal, piece by piece."""

    def __init__(self, pid: int, terminal: int) -> None:
        self.pid, self._terminal = pid, terminal

    def __iter__(self) -> Iterator[str]:
        while True:
            try:
                piece = os.read(self._terminal, 4096)
            except OSError:  # so a terminal says that nobody writes to it any more
                return
            if not piece:
                return
            yield piece.decode(errors="replace").replace("\r\n", "\n")


@contextmanager
def asking(folder: Path, *more: str, code: int = 0) -> Iterator[Seen]:
    ours, theirs = pty.openpty()
    with Command(*ASK, *more, folder=folder, stdout=theirs, stderr=theirs, TERM="xterm") as child:
        os.close(theirs)
        try:
            yield Seen(child.pid, ours)
            assert child.wait() == code
        finally:
            os.close(ours)


class Written:
    def __init__(self, raw: str) -> None:
        self.raw = raw
        self.plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\r", "", raw)


def terminal_of(file: io.StringIO) -> Console:
    return Console(file=file, force_terminal=True, width=200, color_system="standard", _environ={"TERM": "xterm"})


def followed(*events: Event) -> Written:
    async def stream() -> AsyncGenerator[Event]:
        for event in events:
            yield event

    file = io.StringIO()
    asyncio.run(follow(stream(), ANSWER.question, terminal_of(file)))
    return Written(file.getvalue())


def plain(shown: object) -> str:
    """Without the line of the question, which stands above what is done meanwhile."""
    file = io.StringIO()
    Console(file=file, width=200).print(shown, highlight=False)
    return file.getvalue().partition("\n")[2]
