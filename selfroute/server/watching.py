"""Who looks on as questions are asked: metrics, spans, logs.

`Observer` is the seam. It begins to watch a question before it is admitted, and is told of its steps and calls as they
happen and then, once and whatever happens, how it ended. An observer that fails is logged and asked no more: no
question ends by it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from selfroute.index.names import is_name
from selfroute.server.access import Caller
from selfroute.types import Answer, Call, Document, Event, Question, Terms, Used

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question as it is put to the engine. `corpus` is a name, or a text that is not indexed."""

    question: Question
    policy: str
    corpus: str | Document
    k: int | None = None
    terms: Terms = field(default_factory=Terms)

    @property
    def corpus_name(self) -> str | None:
        """Of a corpus; a text that is not indexed has none."""
        return self.corpus if isinstance(self.corpus, str) else None

    @property
    def shown_corpus(self) -> str | None:
        """As `corpus_name`, for logs and spans: what no corpus can be called is a text of whoever asks."""
        return None if self.corpus_name is None else _shown(self.corpus_name)

    @property
    def shown_policy(self) -> str:
        """The policy, as `shown_corpus`."""
        return _shown(self.policy)


UNKNOWN = "unknown"


def _shown(name: str) -> str:
    return name if is_name(name) else UNKNOWN


@dataclass(frozen=True, slots=True)
class Ended:
    """How a question ended after so many seconds: with an answer, or with an error (`asyncio.CancelledError` where
    its asker left or the service stopped); and the calls that were made."""

    answer: Answer | None
    error: BaseException | None
    calls: tuple[Call, ...]
    seconds: float


Watcher = Callable[[Event | Ended], None]
"""Watches one question."""


class Observer(Protocol):
    def begin(self, ask: Ask, caller: Caller) -> Watcher:
        """Somebody asks."""
        ...


@dataclass(slots=True)
class Remembering:
    """An observer for tests: keeps what it saw."""

    seen: list[tuple[Ask, Caller, list[Event | Ended]]] = field(default_factory=list)

    def begin(self, ask: Ask, caller: Caller) -> Watcher:
        told: list[Event | Ended] = []
        self.seen.append((ask, caller, told))
        return told.append


class Watched:
    """One question as its observers watch it, from entering to leaving. Set `answer`, or `error` where the error does
    not leave with the block; without either its asker has left."""

    def __init__(self, observers: Sequence[Observer], ask: Ask, caller: Caller) -> None:
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self._observers = observers
        self._ask = ask
        self._caller = caller
        self._calls: list[Call] = []
        self._watchers: list[Watcher] = []

    def __enter__(self) -> Watched:
        self._began = time.perf_counter()
        for observer in self._observers:
            try:
                self._watchers.append(observer.begin(self._ask, self._caller))
            except Exception:
                log.exception("an observer failed at a question's beginning")
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.answer is None:
            left = isinstance(error, GeneratorExit) or error is None
            self.error = self.error or (asyncio.CancelledError() if left else error)
        self.saw(Ended(self.answer, self.error, tuple(self._calls), time.perf_counter() - self._began))

    def saw(self, event: Event | Ended) -> None:
        if isinstance(event, Used):
            self._calls.append(event.call)
        for watcher in list(self._watchers):
            try:
                watcher(event)
            except Exception:
                log.exception("an observer failed, and watches this question no more")
                self._watchers.remove(watcher)
