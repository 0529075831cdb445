"""A chat model as a reader: a prompt over an endpoint, its reply read as an answer with quotes or as a decline.

A quote becomes a citation where it is found in the text that was shown; one that is not is dropped and told. Knows
nothing of retrieval, policies or wires.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from selfroute.endpoints import Completion, Endpoint, Hear, Request, Token, room
from selfroute.errors import UnusableReply
from selfroute.growing import GrowingReply
from selfroute.prompts import SCHEMA, ordered, overhead, prompt, structured_for
from selfroute.quotes import located
from selfroute.replies import Reply, Unreadable, read_reply, thoughts_end
from selfroute.types import Draft, Passage, Reading, Record, Shape, Shown, Task

FORM_TOKENS = 400
"""Room for quotes and braces, beyond what a task allows its answer."""

FRAME_TOKENS = 11
"""What the two messages of a chat take beside their words, in OpenAI's format."""

_ANSWERABLE = re.compile(r'"answerable"\s*:\s*')


@dataclass(frozen=True, slots=True)
class ChatReader:
    """`limit` is a bound of the user's on `window`; `by_position` shows chunks in the order of their document."""

    endpoint: Endpoint
    limit: int | None = None
    by_position: bool = False

    @property
    def model(self) -> str:
        return self.endpoint.model

    @property
    def window(self) -> int:
        """What the endpoint's window leaves beside a reply; blocking, as counting is."""
        most = room(self.endpoint)
        return most if self.limit is None else min(most, self.limit)

    @property
    def max_output_tokens(self) -> int:
        return self.endpoint.max_output_tokens

    @property
    def counted_by(self) -> str:
        return self.endpoint.counted_by

    def count_tokens(self, reading: Reading) -> int:
        """Estimated: the words of the prompt, and each passage with its frame."""
        asked = prompt(reading, (), structured=self._structured(reading))
        count = self.endpoint.count_tokens
        words = FRAME_TOKENS + count(asked.text) + (count(asked.system) if asked.system else 0)
        return words + sum(count(overhead(p, reading.route)) + count(p.text) for p in reading.passages)

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        """Raises `UnsupportedTask` and what the endpoint raises, `UnusableReply` among it. Without passages it
        declines and asks nobody. To a task without a question nothing is shown of a reply before its end."""
        structured = self._structured(reading)
        passages = ordered(reading.passages, reading.route, self.by_position)
        asked = prompt(reading, passages, structured=structured)
        if not passages:
            return Draft(True, reading.route)
        task, warnings = reading.question.task, []
        chat = task.chat_template or not self.endpoint.raw
        if chat and not task.chat_template:
            warnings.append(
                f"this task goes without a chat template, and {self.endpoint.where} is not said to complete raw "
                "prompts (raw: true): it was put as a chat"
            )
        limit = task.max_output_tokens
        request = Request(
            stage=reading.stage,
            prompt=asked.text,
            system=asked.system if chat else None,
            chat=chat,
            max_output_tokens=limit + FORM_TOKENS if limit and structured else limit,
            temperature=task.temperature,
            # In a chat a model may think first, and would be stopped within its thoughts: such replies are cut here,
            # but for those that are shown as they come.
            stop=() if structured or (chat and shown is None) else task.stop,
            schema=SCHEMA if structured else None,
            logprobs=structured and self.endpoint.logprobs,
            deadline=reading.deadline,
        )
        asks = reading.question.text is not None
        begun = partial(GrowingReply, structured=structured, thinks=self.endpoint.thinks)
        growing = begun()

        def follow() -> Hear:
            nonlocal growing
            growing = begun()

            async def hear(piece: str) -> bool:
                if shown is not None and (sure := growing.add(piece)):
                    await shown(sure)
                return bool(growing.shown)

            return hear

        completion = await self.endpoint.complete(request, record, follow if shown is not None and asks else None)
        reply = self._read(completion, structured, reading)
        self._check(reply, growing.shown)
        if cut_off := completion.finish == "length":
            warnings.append(f"the reply of {self.endpoint.where} was cut off at its limit")
        sure = odds(completion.tokens) if structured else None
        draft = _draft(reading, passages, reply, sure, warnings, structured)
        return replace(draft, cut_off=cut_off)

    def _structured(self, reading: Reading) -> bool:
        return self.endpoint.schemas and structured_for(reading)

    def _read(self, completion: Completion, structured: bool, reading: Reading) -> Reply:
        if completion.refusal or completion.finish == "content_filter":
            reason = " ".join((completion.refusal or "its content filter stepped in").split())[:200]
            raise UnusableReply(self.endpoint.where, f"the model refused: {reason}", "ask otherwise, or another model")
        if not completion.text.strip() and completion.finish == "length":
            raise UnusableReply(
                self.endpoint.where,
                f"all {completion.usage.output_tokens} output tokens went before a reply began",
                "raise its max_output_tokens, or reasoning_tokens if it thinks",
            )
        problem = "is empty"
        try:
            if reading.question.text is not None:
                shown = [reading.question.text, *(part for p in reading.passages for part in (p.document, p.shown))]
                text = completion.text if structured else _stopped(completion.text, reading.question.task.stop)
                return read_reply(text, structured=structured, shown=shown)
            if told := _told(completion.text, reading.question.task):
                return Reply(False, told)
        except Unreadable as error:
            problem = str(error)
        raise UnusableReply(self.endpoint.where, f"the reply {problem}")

    def _check(self, reply: Reply, shown: str) -> None:
        """A model that thinks without a mark where that begins, and is not said to think, shows its thoughts."""
        if shown and (reply.declined or not (reply.answer or "").startswith(shown)):
            raise UnusableReply(
                self.endpoint.where,
                "what was shown of the reply were thoughts, and no answer",
                "set its reasoning_tokens to what it may think, and ask again",
            )


def _told(text: str, task: Task) -> str:
    """Return what a reply to a task without a question says: without the thoughts before it, up to where the task
    stops, and of code with the indentation that it begins with. Raises `Unreadable` for thoughts that do not end."""
    text = _stopped(text, task.stop)
    text = text[thoughts_end(text) :]
    if task.shape is Shape.CODE:
        lines = text.rstrip().split("\n")
        return "\n".join(lines[next((at for at, line in enumerate(lines) if line.strip()), 0) :])
    return text.strip()


def _stopped(text: str, stops: Sequence[str]) -> str:
    """A reply up to the first of the strings that end it, but for thoughts, and white space, before it."""
    if not stops:
        return text
    begun = thoughts_end(text)
    begun += len(text[begun:]) - len(text[begun:].lstrip())
    return text[: min((at for stop in stops if (at := text.find(stop, begun)) >= 0), default=len(text))]


def odds(tokens: Sequence[Token]) -> tuple[float, float] | None:
    """The probability (0 to 1) that a structured reply gave to `answerable`, true against false, and its log odds.

    A side that is not among the alternatives has at most what they leave; `None` without logprobs. Of a field that
    comes more than once the last counts, and none within thoughts.
    """
    text = "".join(token.text for token in tokens)
    try:
        found = list(_ANSWERABLE.finditer(text, thoughts_end(text)))
    except Unreadable:
        return None
    if not found:
        return None
    at = 0
    for token in tokens:
        at += len(token.text)
        if at > found[-1].end():
            break
    else:
        return None
    mass = {True: 0.0, False: 0.0}
    for alternative, logprob in token.alternatives:
        said = alternative.lower().lstrip(' \t\r\n":')
        if said and ("true".startswith(said) or said.startswith("true")):
            mass[True] += math.exp(logprob)
        elif said and ("false".startswith(said) or said.startswith("false")):
            mass[False] += math.exp(logprob)
    if not sum(mass.values()):
        return None
    left = max(1.0 - sum(math.exp(logprob) for _, logprob in token.alternatives), 1e-9)
    true, false = (mass[side] or left for side in (True, False))
    return true / (true + false), math.log(true) - math.log(false)


def _draft(
    reading: Reading,
    passages: Sequence[Passage],
    reply: Reply,
    sure: tuple[float, float] | None,
    warnings: Sequence[str],
    structured: bool,
) -> Draft:
    if sure is not None and (sure[0] > 0.5 if reply.declined else sure[0] < 0.5):
        sure = None  # read from other words than those that decided
    confidence, score = sure or (None, None)
    if reply.declined:
        return Draft(
            True, reading.route, score=score, guess=reply.answer, warnings=tuple(warnings), confidence=confidence
        )
    citations, lost = located(reply.quotes, passages)
    if not structured and reading.question.task.shape.in_words:
        # In plain text nothing but the answer can be a quote, and where it stands in the text it is one.
        citations, _ = located((reply.answer or "",), passages)
    total = len(reply.quotes)
    told = [f"{lost} of the answer's {total} quotes stand nowhere in the text, or everywhere: left out"] if lost else []
    return Draft(
        False,
        reading.route,
        reply.answer,
        citations,
        score,
        reply.answer,
        (*warnings, *told),
        confidence,
        lost,
    )
