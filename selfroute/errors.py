"""The errors a user can meet. Each message is one line that says what is wrong and what to do.

SelfrouteError
├── BadInput                 what was asked for cannot be done as asked
│   ├── EmptyQuestion
│   ├── UnknownCorpus
│   ├── UnknownDocument
│   ├── UnknownPolicy
│   ├── UnknownDataset
│   ├── InvalidName
│   ├── InvalidSettings
│   ├── UnreadableFile
│   ├── UnsupportedTask      the reader cannot do this shape or language
│   ├── NoQuery              a task without a query cannot be retrieved for
│   ├── UnknownMetric
│   └── UnscorableRecord     a record lacks what its metric needs
├── UnusableIndex            an index on disk cannot be used as it is
│   ├── CorruptIndex
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
        have = ", ".join(sorted(known))
        super().__init__(
            f"no corpus {name!r}; have: {have}"
            if have
            else f"no corpus {name!r}; have none yet: run `selfroute index PATH --corpus {name}` first"
        )


class UnknownDocument(BadInput):
    def __init__(self, ids: Iterable[str], corpus: str, known: Iterable[str]) -> None:
        have = sorted(known)
        shown = ", ".join(have[:8]) + (f" and {len(have) - 8} more" if len(have) > 8 else "")
        super().__init__(f"no document {', '.join(map(repr, ids))} in corpus {corpus!r}; have: {shown or 'none'}")


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
        remedy = remedy or "run `selfroute index` on its files again: it is rebuilt from the stored vectors"
        super().__init__(f"the index in {folder} is damaged: {reason}; {remedy}")


class ForeignIndex(UnusableIndex):
    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"the index in {folder} cannot be used: {reason}")


class IndexBusy(UnusableIndex):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"another process is writing the index in {folder}: wait for it to end, then run this again")


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
