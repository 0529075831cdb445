"""The errors a user can meet. Each message is one line that says what is wrong and what to do.

SelfrouteError
├── BadInput                 what was asked for cannot be done as asked
│   ├── EmptyQuestion
│   ├── UnknownCorpus
│   ├── UnknownDocument
│   ├── UnknownPolicy
│   ├── UnknownDataset
│   ├── InvalidName
│   ├── NameTaken            a corpus cannot be renamed to what another is called
│   ├── EmptyCorpus          its documents were all deleted
│   ├── InvalidSettings
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
├── HomeNotWritable
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


class MissingExtra(SelfrouteError):
    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed: run `pip install 'selfroute[{extra}]'`")


def _have(name: str, have: list[str]) -> str:
    """What is like `name`, and else what there is."""
    near = get_close_matches(name, have, n=3)
    shown = ", ".join(have[:8]) + (f" and {len(have) - 8} more" if len(have) > 8 else "")
    return (f"did you mean {' or '.join(map(repr, near))}? " if near else "") + f"have: {shown or 'none'}"
