"""The errors a user can meet. Each message is one line that says what is wrong and what to do.

SelfrouteError
├── BadInput                 what was asked for cannot be done as asked
│   ├── EmptyQuestion
│   ├── UnknownCorpus
│   ├── UnknownDocument
│   ├── UnknownPolicy
│   ├── UnknownQuestion
│   ├── UnknownJob
│   ├── KeyReused            an Idempotency-Key came with something else before
│   ├── UnusableUpload       what was uploaded cannot be taken as it is
│   ├── TooLarge             more than the service takes at once
│   ├── WrongField           one field of a request is wrong: says which
│   │   ├── ModelNotFound    the service offers no such model to whoever asks
│   │   └── UnsupportedParameter
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
│   └── ReceivingMost        as many uploads are being received as may be
├── QueueFull                as many jobs wait as may
├── CorruptJobs
├── DeadlineExceeded         a question took longer than it was allowed
├── OverLimit                what comes next would exceed what was allowed: it is not begun
│   ├── OverTerms            what the question itself allows
│   ├── OverBudget           what its API key may take in a day
│   └── UnknownPrice         money is limited, and what a model costs is not known
├── RunStopped               such a limit ends an evaluation
├── OverRate                 an API key asks more questions a minute than it may
├── NotAdmitted              the service needs an API key, and none that it knows was sent
├── NotAllowed               the API key lacks a right
├── ForeignSite             without API keys, a page of another site would ask
├── UnusableKeys             the file of the API keys cannot be used
├── Unprotected              without API keys the service would listen beyond this machine
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

    @property
    def outward(self) -> str:
        """What is told beyond this machine: names no folder of it, where its own words may, and no command for it that
        a request does as well."""
        return str(self)


ON_DISK = "the service cannot use what it keeps on its disk: its log says what, and how to mend it"


class BadInput(SelfrouteError):
    """What was asked for cannot be done as asked."""


class EmptyQuestion(BadInput):
    def __init__(self) -> None:
        super().__init__("the question is empty: write what you want to know")


class UnknownCorpus(BadInput):
    """`known` are those that there are; who may not know of them is told fewer."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = have = sorted(known)
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


class UnknownJob(BadInput):
    def __init__(self, id: str) -> None:  # noqa: A002 (the field's own name)
        super().__init__(f"no job {id!r}: take the id from what you submitted, or list those that there are")


class KeyReused(BadInput):
    def __init__(self, token: str) -> None:
        super().__init__(
            f"the Idempotency-Key {token!r} came with another request before: send what it came with, or another key"
        )


class UnusableUpload(BadInput):
    """What was uploaded cannot be taken as it is."""


class TooLarge(BadInput):
    """`limit` names what sets it."""

    def __init__(self, what: str, most: str, limit: str) -> None:
        super().__init__(f"{what} is too large: at most {most} are taken; send less, or raise the setting '{limit}'")


class WrongField(BadInput):
    """One field of a request, `field`, cannot be as it is."""

    field: str


class ModelNotFound(WrongField):
    field = "model"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"no model {model!r}: a model is a policy at a corpus, as 'self_route@docs'; /v1/models lists them"
        )


class UnsupportedParameter(WrongField):
    """`instead` says what of it is supported."""

    def __init__(self, field: str, instead: str = "") -> None:
        super().__init__(f"{field!r} is not supported{instead and f' but as {instead}'}: leave it out")
        self.field = field


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
        self._name = name
        super().__init__(f"corpus {name!r} holds no documents: run `selfroute index PATH --corpus {name}` first")

    @property
    def outward(self) -> str:
        return f"corpus {self._name!r} holds no documents: add some with POST /v1/corpora/{self._name}/documents first"


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
        self.path = path
        self.reason = reason

    @property
    def outward(self) -> str:
        return f"{Path(self.path).name}: {self.reason}" if Path(self.path).is_absolute() else str(self)


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

    @property
    def outward(self) -> str:
        return "the index of this corpus cannot be used as it is: the service's log says why, and what to do"


class CorruptIndex(UnusableIndex):
    def __init__(self, folder: Path, reason: str, remedy: str | None = None) -> None:
        remedy = remedy or (
            f"run `selfroute index repair --corpus {folder.name}`: it is rebuilt from the stored vectors"
        )
        super().__init__(f"the index in {folder} is damaged: {reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy
        self._corpus = folder.name

    @property
    def outward(self) -> str:
        return (
            f"the index of this corpus is damaged: run `selfroute index repair --corpus {self._corpus}`; the service's "
            "log says what is wrong"
        )


class OutdatedIndex(UnusableIndex):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the index in {folder} was written by an earlier selfroute: run `selfroute index repair --corpus "
            f"{folder.name}`: it is brought up to date from the stored vectors"
        )
        self._corpus = folder.name

    @property
    def outward(self) -> str:
        return (
            "the index of this corpus was written by an earlier selfroute: run `selfroute index repair --corpus "
            f"{self._corpus}`"
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
        self._owner = owner

    @property
    def outward(self) -> str:
        owner = f" ({self._owner})" if self._owner else ""
        return f"this corpus is being written, by a job or another process{owner}: try again when it has ended"


class RunBusy(SelfrouteError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"another process is running an evaluation in {folder}: wait for it to end or name another --out"
        )

    @property
    def outward(self) -> str:
        return "another process is running this evaluation: wait for it to end"


class CorruptLedger(SelfrouteError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the ledger {path} cannot be used: {reason}; move it away and a new one is begun")

    @property
    def outward(self) -> str:
        return ON_DISK


class HomeNotWritable(SelfrouteError):
    """`setting` names what moves it elsewhere."""

    def __init__(self, path: Path, reason: str, setting: str = "SELFROUTE_HOME to another folder") -> None:
        super().__init__(f"cannot write to {path} ({reason}): make it writable or set {setting}")

    @property
    def outward(self) -> str:
        return ON_DISK


class DeadlineExceeded(SelfrouteError):
    """`own`: by the deadline that the question came with, not by the setting."""

    def __init__(self, seconds: float, *, own: bool = False) -> None:
        super().__init__(
            f"the question was not answered within {seconds:g} seconds: ask about fewer documents, or raise the "
            + ("question's deadline" if own else "setting 'deadline'")
        )


class OverLimit(SelfrouteError):
    """A call would exceed what was allowed, and is not made."""


class OverTerms(OverLimit):
    """`what` would be done, `term` the limit that the question came with, both as they are named."""

    def __init__(self, what: str, term: str, needed: str, left: str, most: str) -> None:
        super().__init__(
            f"{what} would take up to {needed}, and of the question's {term} of {most} there is {left} left: raise it, "
            "or ask about fewer documents"
        )


class OverBudget(OverLimit):
    """`retry_after` are seconds until the budget is renewed."""

    def __init__(self, what: str, budget: str, needed: str, left: str, renewed: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"{what} would take up to {needed}, and of the API key's {budget} there is {left} left: wait until it is "
            f"renewed at {renewed}, or ask for less"
        )


class UnknownPrice(OverLimit):
    def __init__(self, model: str, limit: str) -> None:
        super().__init__(
            f"what model {model!r} costs is not known, so {limit} cannot be kept: set its price under 'prices' in the "
            "settings of the service"
        )


class RunStopped(SelfrouteError):
    """`limit` leaves no room for what an evaluation would read next."""

    def __init__(self, limit: OverLimit) -> None:
        self.limit = limit
        super().__init__(f"the evaluation ended before its end, with the rows that were done: {limit}")


class OverRate(SelfrouteError):
    """`retry_after` are seconds until the next question may be asked."""

    def __init__(self, most: int, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"the API key may ask {most} questions a minute, and asked them: try again in {retry_after} seconds"
        )


class NotAdmitted(SelfrouteError):
    def __init__(self, reason: str) -> None:
        # Not as it is sent, 'Bearer ...': what stands behind that word is taken for a key, and left out.
        super().__init__(f"{reason}: send an API key that is valid in the header 'Authorization', after 'Bearer'")


class NotAllowed(SelfrouteError):
    def __init__(self, what: str, right: str) -> None:
        super().__init__(f"this API key may not {what}: use one that was made with --{right}")


class ForeignSite(SelfrouteError):
    def __init__(self) -> None:
        super().__init__(
            "there is no API key, so that this machine's own address is served only under its own name (127.0.0.1, "
            "localhost, [::1]) and to no page of another site: use that name, or make a key with "
            "`selfroute keys create NAME`"
        )


class UnusableKeys(SelfrouteError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"the API keys in {path} cannot be used ({reason}): make the file readable, or move it away and make new "
            "keys with `selfroute keys create`"
        )

    @property
    def outward(self) -> str:
        return ON_DISK


class Unprotected(SelfrouteError):
    def __init__(self, host: str) -> None:
        super().__init__(
            f"on {host} others than this machine could ask, at your cost, and there is no API key: make one with "
            "`selfroute keys create NAME`, or say --insecure"
        )


class DiskFull(HomeNotWritable):
    def __init__(self, path: Path, reason: str) -> None:
        SelfrouteError.__init__(self, f"the disk of {path} is full ({reason}): make room there, then try again")

    @property
    def outward(self) -> str:
        return "the disk of the service is full: make room there, then try again; its log says what is full"


class LedgerBusy(SelfrouteError):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"another process is writing the ledger {path} and does not end: see which one has it open, then try again"
        )

    @property
    def outward(self) -> str:
        return ON_DISK


class CannotListen(SelfrouteError):
    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host} port {port} ({reason}): choose another with --host and --port")


class TooBusy(SelfrouteError):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} questions are in flight, which is the most: try again in a moment, or raise the setting "
            "'server.in_flight'"
        )


class ReceivingMost(TooBusy):
    def __init__(self, most: int, whose: str = "") -> None:
        told = f"{most} uploads{whose} are being received, which is the most: try again in a moment"
        SelfrouteError.__init__(self, told)


class QueueFull(SelfrouteError):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} jobs wait already, which is the most: try again when some are done, or raise the setting "
            "'server.queue'"
        )


class CorruptJobs(SelfrouteError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the jobs in {path} cannot be read: {reason}; move it away and a new one is begun")

    @property
    def outward(self) -> str:
        return ON_DISK


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
