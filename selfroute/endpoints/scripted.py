"""An endpoint for tests: follows a script and keeps what it was asked. Counts words as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from selfroute.endpoints import Completion, Follow, Request, Token
from selfroute.types import Call, Record, Usage


@dataclass(frozen=True, slots=True)
class Says:
    """A reply of the script."""

    text: str
    finish: str = "stop"
    refusal: str | None = None
    tokens: tuple[Token, ...] = ()


@dataclass(slots=True)
class ScriptedEndpoint:
    """Gives the replies of `script` in their order and keeps the requests in `requests`. Shows so many characters of a
    reply at once as `piece` says, else all."""

    script: Sequence[Says | str | Exception]
    model: str = "scripted"
    window: int = 1_000_000
    max_output_tokens: int = 1024
    schemas: bool = True
    logprobs: bool = False
    raw: bool = False
    counted_by: str = "words"
    approximate: bool = False
    thinks: bool = False
    piece: int = 1_000_000
    requests: list[Request] = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"endpoint 'scripted' (model {self.model!r})"

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def complete(self, request: Request, record: Record, follow: Follow | None = None) -> Completion:
        line = self.script[len(self.requests)]
        self.requests.append(request)
        read = self.count_tokens(request.prompt) + self.count_tokens(request.system or "")
        if isinstance(line, Exception):
            await record(Call(request.stage, self.model, Usage(read), seconds=0.0, error=str(line)))
            raise line
        said = Says(line) if isinstance(line, str) else line
        usage = Usage(read, output_tokens=self.count_tokens(said.text))
        if follow is not None:
            hear = follow()
            for at in range(0, len(said.text), self.piece):
                await hear(said.text[at : at + self.piece])
        await record(Call(request.stage, self.model, usage, seconds=0.0))
        return Completion(said.text, usage, said.finish, said.refusal, said.tokens, self.model)
