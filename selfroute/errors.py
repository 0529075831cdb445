"""The errors a user can meet. Each message is one line that says what is wrong and what to do.

SelfrouteError
├── BadInput                 what was asked for cannot be done as asked
│   ├── EmptyQuestion
│   ├── UnknownCorpus
│   ├── UnknownDocument
│   ├── UnknownPolicy
│   ├── UnknownQuestion
│   ├── TooLarge             more than the service takes at once
│   ├── UnknownDataset
│   ├── InvalidName
│   ├── NameTaken            a corpus cannot be renamed to what another is called
│   ├── EmptyCorpus          its documents were all deleted
│   ├── InvalidSettings
│   │   └── MissingKey       an endpoint needs a key that is not set
│   ├── UnreadableFile
│   ├── UnsupportedTask      the reader cannot do this shape or language
│   ├── NoQuery              a task without a query cannot be retrieved for
│   ├── UnknownMetric
│   └── UnscorableRecord     a record lacks what its metric needs
├── UnusableIndex            an index on disk cannot be used as it is
│   ├── CorruptIndex
│   ├── OutdatedIndex        written by an earlier selfroute
│   ├── ForeignIndex         made by another embedder or another program
│   └── IndexBusy            another process is writing it
├── RunBusy                  another process is running an evaluation in this folder
├── CorruptLedger
├── LedgerBusy               another process writes the ledger, and does not end
├── HomeNotWritable
│   └── DiskFull
├── CannotListen             the service cannot have the address it is to listen on
├── TooBusy                  the service has as many questions in flight as it takes
├── DeadlineExceeded         a question took longer than it was allowed
├── EndpointError            an endpoint did not complete a request; names it and its model
│   ├── EndpointUnreachable  no connection
│   ├── EndpointTimeout      connected, but no reply in time
│   ├── EndpointBusy         too many requests, or no credit left
│   ├── EndpointFailed       the server failed, or sent what is no reply
│   ├── KeyRejected          the key is missing, wrong or may not do this
│   ├── UnknownModel         the server knows no such model or address
│   ├── RequestRejected      the server does not take the request as it is
│   │   └── PromptTooLong    the prompt exceeds the model's window
│   └── UnusableReply        a reply that holds neither an answer nor a decline
└── MissingExtra             an optional library is not installed
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class SelfrouteError(Exception):
    """The root: catch this to catch all of ours."""


class BadInput(SelfrouteError):
    """What was asked for cannot be done as asked."""


class EmptyQuestion(BadInput):
    def __init__(self) -> None:
        super().__init__("the question is empty: write what you want to know")


class UnknownCorpus(BadInput):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        have = sorted(known)
        super().__init__(
            f"no corpus {name!r}; {_have(name, have)}"
            if have
            else f"no corpus {name!r}; have none yet: run `selfroute index PATH --corpus {name}` first"
        )


class UnknownDocument(BadInput):
    def __init__(self, ids: Iterable[str], corpus: str, known: Iterable[str]) -> None:
        unknown = list(ids)
        super().__init__(
            f"no document {', '.join(map(repr, unknown))} in corpus {corpus!r}; {_have(unknown[0], sorted(known))}"
        )


class UnknownPolicy(BadInput):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no policy {name!r}; have: {', '.join(known)}")


class UnknownQuestion(BadInput):
    def __init__(self, id: str) -> None:  # noqa: A002 (the field's own name)
        super().__init__(f"no question {id!r}: take the id from an answer")


class TooLarge(BadInput):
    """`limit` names what sets it."""

    def __init__(self, what: str, most: str, limit: str) -> None:
        super().__init__(f"{what} is too large: at most {most} are taken; send less, or raise the setting '{limit}'")


class UnknownDataset(BadInput):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        have = sorted(known)
        near = get_close_matches(name.lower(), have, n=3)
        shown = ", ".join(have[:8]) + (f" and {len(have) - 8} more" if len(have) > 8 else "")
        super().__init__(
            f"no dataset {name!r}; " + (f"did you mean {' or '.join(near)}?" if near else f"have: {shown or 'none'}")
        )


class InvalidName(BadInput):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a corpus: use up to 64 letters, digits, '.', '_' or '-', the first a letter or digit"
        )


class NameTaken(BadInput):
    def __init__(self, name: str) -> None:
        super().__init__(f"there is a corpus {name!r} already: choose another name, or delete that one first")


class EmptyCorpus(BadInput):
    def __init__(self, name: str) -> None:
        super().__init__(f"corpus {name!r} holds no documents: run `selfroute index PATH --corpus {name}` first")


class InvalidSettings(BadInput):
    """A configuration file or environment variable that cannot be used."""


class MissingKey(InvalidSettings):
    def __init__(self, endpoint: str, variable: str) -> None:
        self.remedy = f"set the environment variable {variable} to it"
        super().__init__(f"endpoint {endpoint!r} needs a key: {self.remedy}")


class UnreadableFile(BadInput):
    """A file that cannot be ingested."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class UnsupportedTask(BadInput):
    """The reader cannot do this shape or language."""


class NoQuery(BadInput):
    def __init__(self) -> None:
        super().__init__("this task has no query to retrieve chunks for: use the policy always_long")


class UnknownMetric(BadInput):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no metric {name!r}; have: {', '.join(sorted(known))}")


class UnscorableRecord(BadInput):
    """A record lacks what its metric needs."""


class UnusableIndex(SelfrouteError):
    """An index on disk cannot be used as it is."""


class CorruptIndex(UnusableIndex):
    def __init__(self, folder: Path, reason: str, remedy: str | None = None) -> None:
        remedy = remedy or (
            f"run `selfroute index repair --corpus {folder.name}`: it is rebuilt from the stored vectors"
        )
        super().__init__(f"the index in {folder} is damaged: {reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


class OutdatedIndex(UnusableIndex):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the index in {folder} was written by an earlier selfroute: run `selfroute index repair --corpus "
            f"{folder.name}`: it is brought up to date from the stored vectors"
        )


class ForeignIndex(UnusableIndex):
    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"the index in {folder} cannot be used: {reason}")


class IndexBusy(UnusableIndex):
    """`owner` is what the lock says of who holds it."""

    def __init__(self, folder: Path, owner: str = "") -> None:
        super().__init__(
            f"another process{f' ({owner})' if owner else ''} is writing the index in {folder}: "
            "wait for it to end, then run this again"
        )


class RunBusy(SelfrouteError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"another process is running an evaluation in {folder}: wait for it to end or name another --out"
        )


class CorruptLedger(SelfrouteError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the ledger {path} cannot be used: {reason}; move it away and a new one is begun")


class HomeNotWritable(SelfrouteError):
    """`setting` names what moves it elsewhere."""

    def __init__(self, path: Path, reason: str, setting: str = "SELFROUTE_HOME to another folder") -> None:
        super().__init__(f"cannot write to {path} ({reason}): make it writable or set {setting}")


class DeadlineExceeded(SelfrouteError):
    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the question was not answered within {seconds:g} seconds: ask about fewer documents, or raise the "
            "setting 'deadline'"
        )


class DiskFull(HomeNotWritable):
    def __init__(self, path: Path, reason: str) -> None:
        SelfrouteError.__init__(self, f"the disk of {path} is full ({reason}): make room there, then try again")


class LedgerBusy(SelfrouteError):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"another process is writing the ledger {path} and does not end: see which one has it open, then try again"
        )


class CannotListen(SelfrouteError):
    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host} port {port} ({reason}): choose another with --host and --port")


class TooBusy(SelfrouteError):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} questions are in flight, which is the most: try again in a moment, or raise the setting "
            "'server.in_flight'"
        )


class EndpointError(SelfrouteError):
    """`where` names the endpoint and its model, `reason` says what happened; neither holds a key. `status` is what
    the server answered, if that is what went wrong."""

    remedy = "see what the server's log says"

    def __init__(self, where: str, reason: str, remedy: str | None = None, status: int | None = None) -> None:
        self.remedy = remedy or self.remedy
        self.status = status
        super().__init__(f"{where}: {reason}: {self.remedy}")


class EndpointUnreachable(EndpointError):
    remedy = "check its base_url and that the server runs"


class EndpointTimeout(EndpointError):
    remedy = "raise its timeout, or show it less"


class EndpointBusy(EndpointError):
    remedy = "wait, ask with less concurrency, or raise its retries"


class EndpointFailed(EndpointError):
    """The server failed, or sent what is no reply."""


class KeyRejected(EndpointError):
    remedy = "check the key in the environment variable that its api_key_env names"


class UnknownModel(EndpointError):
    remedy = "check its model and base_url; `GET base_url/models` lists what it has"


class RequestRejected(EndpointError):
    remedy = "name what it does not know under omit, or turn json_schema, logprobs or stream off for it"


class PromptTooLong(RequestRejected):
    remedy = "lower its window in the settings to what the server has"


class UnusableReply(EndpointError):
    remedy = "raise its max_output_tokens, or turn json_schema off for it"


class MissingExtra(SelfrouteError):
    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed: run `pip install 'selfroute[{extra}]'`")


def _have(name: str, have: list[str]) -> str:
    """What is like `name`, and else what there is."""
    near = get_close_matches(name, have, n=3)
    shown = ", ".join(have[:8]) + (f" and {len(have) - 8} more" if len(have) > 8 else "")
    return (f"did you mean {' or '.join(map(repr, near))}? " if near else "") + f"have: {shown or 'none'}"
