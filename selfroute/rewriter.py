"""The last question of a conversation, made to stand alone by one call to a model.

What comes back is put in the question's place, so it must look like one: whatever goes wrong, the question is used as
it was asked, and a warning says so. Knows nothing of indexes, readers or policies.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from selfroute.endpoints import Completion, Endpoint, Request, room
from selfroute.errors import EndpointError
from selfroute.prompts import Prompt, rewriting
from selfroute.replies import Unreadable, thoughts_end
from selfroute.types import Allowance, Record, Stage, Turn, Usage

REPLY_TOKENS = 256
"""The most that a rewritten question may take."""

MOST_ADDED = 600
"""Characters by which a rewritten question may be longer than what was asked: beyond, it is no question any more."""

_LABEL = re.compile(r"(?:the\s+)?(?:last\s+|rewritten\s+|standalone\s+)?question\s*:\s*", re.I)
_QUOTES = ('""', "''", "``", "“”", "«»", "„“")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """`text` stands in the place of what was asked; `None`: that is used as it is, and `warning` says why."""

    text: str | None
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Shows the model as many of the last turns as its window takes."""

    endpoint: Endpoint

    async def rewrite(
        self,
        question: str,
        history: Sequence[Turn],
        record: Record,
        deadline: float | None = None,
        allowance: Allowance | None = None,
    ) -> Rewritten:
        """Raises nothing that the endpoint's failure is the cause of; a failed call stands in the account as well.
        Raises what is an `OverLimit` for a call that `allowance` has no room for."""
        turns = await asyncio.to_thread(self._fitting, question, history)
        if not turns:
            return _as_it_is("not even the last turn fits into the window that rewrites it")
        asked = rewriting(turns, question)
        request = Request(Stage.REWRITE, asked.text, asked.system, max_output_tokens=REPLY_TOKENS, deadline=deadline)
        if allowance is not None:
            most = Usage(await asyncio.to_thread(self._tokens, asked), output_tokens=self.endpoint.max_output_tokens)
            await allowance.reserve(Stage.REWRITE, self.endpoint.model, most)
        try:
            completion = await self.endpoint.complete(request, record)
        except EndpointError as error:
            return _as_it_is(str(error))
        text, problem = _question(completion, question)
        if text is None:
            return _as_it_is(f"what {self.endpoint.where} made of it {problem}")
        left = len(history) - len(turns)
        return Rewritten(text, f"the first {left} of {len(history)} earlier turns were left out" if left else None)

    def _fitting(self, question: str, history: Sequence[Turn]) -> Sequence[Turn]:
        def tokens(number: int) -> int:
            return self._tokens(rewriting(history[len(history) - number :], question))

        fitting = bisect_right(range(1, len(history) + 1), room(self.endpoint), key=tokens)
        return history[len(history) - fitting :]

    def _tokens(self, asked: Prompt) -> int:
        return self.endpoint.count_tokens(asked.text) + self.endpoint.count_tokens(asked.system or "")


def _as_it_is(reason: str) -> Rewritten:
    return Rewritten(None, f"the question was used as it is, without the earlier turns: {reason}")


def _question(completion: Completion, asked: str) -> tuple[str | None, str]:
    """The question that a reply holds, or what is wrong with it: a clause whose subject is the reply."""
    if completion.refusal or completion.finish == "content_filter":
        return None, "is a refusal"
    if completion.finish == "length":
        return None, "is too long"
    try:
        said = completion.text[thoughts_end(completion.text) :]
    except Unreadable as error:
        return None, str(error)
    text = " ".join(said.split())
    if label := _LABEL.match(text):
        text = text[label.end() :]
    if len(text) > 1 and text[0] + text[-1] in _QUOTES:
        text = text[1:-1].strip()
    if not any(c.isalnum() for c in text):
        return None, "is empty"
    if len(text) > len(asked) + MOST_ADDED:
        return None, "is too long"
    return text, ""
