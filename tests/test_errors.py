"""Errors form the tree that is drawn, and each message is one line that says what to do."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from selfroute import errors
from selfroute.errors import (
    BadInput,
    CannotListen,
    CorruptIndex,
    CorruptJobs,
    CorruptLedger,
    DeadlineExceeded,
    DiskFull,
    EmptyCorpus,
    EmptyQuestion,
    EndpointError,
    ForeignIndex,
    ForeignSite,
    HomeNotWritable,
    IndexBusy,
    InvalidName,
    KeyReused,
    LedgerBusy,
    MissingExtra,
    MissingKey,
    ModelNotFound,
    NameTaken,
    NoQuery,
    NotAdmitted,
    NotAllowed,
    OutdatedIndex,
    OverBudget,
    OverRate,
    OverTerms,
    QueueFull,
    ReceivingMost,
    RunBusy,
    RunStopped,
    SelfrouteError,
    TooBusy,
    TooLarge,
    UnknownCorpus,
    UnknownDataset,
    UnknownDocument,
    UnknownJob,
    UnknownMetric,
    UnknownPolicy,
    UnknownPrice,
    UnknownQuestion,
    Unprotected,
    UnreadableFile,
    UnsupportedParameter,
    UnusableIndex,
    UnusableKeys,
)

HERE = Path("indexes/harbour")

MESSAGES = {
    EmptyQuestion(): "write what you want to know",
    UnknownCorpus("harbor", ["harbour", "forest"]): "did you mean 'harbour'? have: forest, harbour",
    UnknownCorpus("harbor", []): "run `selfroute index PATH --corpus harbor` first",
    UnknownDocument(["a"], "harbour", ["b", "c"]): "'a' in corpus 'harbour'; have: b, c",
    UnknownPolicy("best", ["self_route", "always_rag"]): "have: self_route, always_rag",
    UnknownDataset("qaspr", ["qasper", "hotpotqa"]): "no dataset 'qaspr'; did you mean qasper?",
    UnknownDataset("Qasper_E", ["qasper_e", "qasper"]): "did you mean qasper_e or qasper?",
    UnknownDataset("x", ["qasper", "hotpotqa"]): "no dataset 'x'; have: hotpotqa, qasper",
    UnknownDataset("x", []): "have: none",
    UnknownMetric("f2", ["rouge", "qa_f1"]): "no metric 'f2'; have: qa_f1, rouge",
    InvalidName("../x"): "use up to 64 letters, digits",
    UnreadableFile("a.pdf", "files .pdf are not supported; use .txt"): "a.pdf: files .pdf are not supported",
    NoQuery(): "use the policy always_long",
    ModelNotFound("gpt-4o"): "no model 'gpt-4o': a model is a policy at a corpus, as 'self_route@docs'",
    UnsupportedParameter("tools"): "'tools' is not supported: leave it out",
    UnsupportedParameter("n", "1"): "'n' is not supported but as 1: leave it out",
    UnknownDocument(
        ["hanbook.md"], "harbour", ["handbook.md", "c"]
    ): "did you mean 'handbook.md'? have: c, handbook.md",
    NameTaken("harbour"): "choose another name, or delete that one first",
    EmptyCorpus("harbour"): "run `selfroute index PATH --corpus harbour` first",
    CorruptIndex(HERE, "a segment is missing"): "run `selfroute index repair --corpus harbour`",
    OutdatedIndex(HERE): "run `selfroute index repair --corpus harbour`",
    IndexBusy(HERE, "process 7"): "another process (process 7) is writing the index in indexes/harbour: wait",
    CorruptIndex(HERE, "the store is torn", "remove it"): "the store is torn; remove it",
    ForeignIndex(HERE, "use another corpus name"): "use another corpus name",
    IndexBusy(HERE): "wait for it to end, then run this again",
    RunBusy(HERE): "wait for it to end or name another --out",
    CorruptLedger(HERE, "not a database"): "move it away and a new one is begun",
    HomeNotWritable(HERE, "permission denied"): "set SELFROUTE_HOME to another folder",
    HomeNotWritable(HERE, "permission denied", "SELFROUTE_LEDGER to a file"): "set SELFROUTE_LEDGER to a file",
    MissingKey("small", "OPENAI_API_KEY"): "set the environment variable OPENAI_API_KEY to it",
    CannotListen("127.0.0.1", 80, "permission denied"): "choose another with --host and --port",
    TooLarge("the body", "10 bytes", "server.body_bytes"): "or raise the setting 'server.body_bytes'",
    UnknownQuestion("7"): "take the id from an answer",
    UnknownJob("abc"): "or list those that there are",
    KeyReused("k-1"): "send what it came with, or another key",
    ReceivingMost(16): "try again in a moment",
    ReceivingMost(8, " of this key"): "8 uploads of this key are being received",
    QueueFull(100): "raise the setting 'server.queue'",
    CorruptJobs(HERE, "not a database"): "move it away and a new one is begun",
    DiskFull(HERE, "nothing is left"): "make room there, then try again",
    LedgerBusy(HERE): "see which one has it open, then try again",
    DeadlineExceeded(30): "within 30 seconds: ask about fewer documents, or raise the setting 'deadline'",
    DeadlineExceeded(30, own=True): "ask about fewer documents, or raise the question's deadline",
    OverTerms("reading the chunks", "max_cost", "$ 2", "$ 1", "$ 3"): "max_cost of $ 3 there is $ 1 left: raise it, or",
    OverBudget("reading the chunks", "budget of 10 tokens a day", "9 tokens", "8", "2026-11-25 00:00 UTC", 60): (
        "budget of 10 tokens a day there is 8 left: wait until it is renewed at 2026-11-25 00:00 UTC"
    ),
    UnknownPrice("m", "max_cost"): "model 'm' costs is not known, so max_cost cannot be kept: set its price under",
    OverRate(10, 7): "10 questions a minute, and asked them: try again in 7 seconds",
    NotAdmitted("no API key was sent"): "no API key was sent: send an API key that is valid in the header",
    ForeignSite(): "use that name, or make a key with `selfroute keys create NAME`",
    RunStopped(
        OverBudget("reading the chunks", "budget of 9 tokens a day", "8 tokens", "1", "2026-02-01 00:00 UTC", 9)
    ): ("ended before its end, with the rows that were done: reading the chunks would take up to 8 tokens"),
    NotAllowed("write corpora", "may-write"): "may not write corpora: use one that was made with --may-write",
    UnusableKeys(HERE, "file is not a database"): "make the file readable, or move it away and make new keys",
    Unprotected("0.0.0.0"): "make one with `selfroute keys create NAME`, or say --insecure",
    TooBusy(64): "try again in a moment, or raise the setting 'server.in_flight'",
    EndpointError("endpoint 'a'", "it sent no choices"): "endpoint 'a': it sent no choices: see what the server's log",
    MissingExtra("sentence-transformers", "sentence-transformers"): "pip install 'selfroute[sentence-transformers]'",
}


def test_the_tree_is_as_drawn() -> None:
    real = {name: cls.__mro__[1].__name__ for name, cls in _classes().items() if cls is not SelfrouteError}
    assert _drawn(errors.__doc__ or "") == real


@pytest.mark.parametrize(("error", "remedy"), MESSAGES.items(), ids=lambda value: type(value).__name__)
def test_a_message_is_one_line_that_says_what_to_do(error: SelfrouteError, remedy: str) -> None:
    assert remedy in str(error)
    assert len(str(error).splitlines()) == 1


def test_every_error_that_writes_its_own_message_is_tried_above() -> None:
    own = {cls for cls in _classes().values() if "__init__" in vars(cls)}
    assert own == {type(error) for error in MESSAGES}


def test_a_long_list_of_documents_is_cut_and_counted() -> None:
    message = str(UnknownDocument(["x"], "harbour", [f"doc{n:02}" for n in range(20)]))
    assert message.endswith("doc06, doc07 and 12 more")


def test_a_long_list_of_datasets_is_cut_and_counted() -> None:
    message = str(UnknownDataset("x", [f"set{n:02}" for n in range(20)]))
    assert message.endswith("set06, set07 and 12 more")


def test_every_error_of_an_endpoint_says_what_to_do() -> None:
    kinds = [cls for cls in _classes().values() if issubclass(cls, EndpointError)]
    assert len(kinds) == 10
    for cls in kinds:
        assert str(cls("endpoint 'a'", "it failed")) == f"endpoint 'a': it failed: {cls.remedy}"
        assert str(cls("endpoint 'a'", "it failed", "do that")) == "endpoint 'a': it failed: do that"


def test_a_caller_can_tell_bad_input_from_a_bad_index() -> None:
    assert isinstance(EmptyQuestion(), BadInput)
    assert not isinstance(CorruptIndex(HERE, "torn"), BadInput)
    assert isinstance(ForeignIndex(HERE, "x"), UnusableIndex)


def _classes() -> dict[str, type[SelfrouteError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, SelfrouteError)
    }


def _drawn(text: str) -> dict[str, str]:
    """Child -> parent, read from the drawing: a name's depth is its column."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        found = re.match(r"([│├└─ ]*)([A-Z]\w+)", line)
        if not found or found.group(2) not in _classes():
            continue
        depth, name = len(found.group(1)), found.group(2)
        above = [(column, other) for column, other in above if column < depth]
        if above:
            parents[name] = above[-1][1]
        above.append((depth, name))
    return parents
