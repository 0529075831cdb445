"""An answer on a terminal as it is made: what is done meanwhile, its text, then the account that any answer ends with.

Knows nothing of how a question is answered. What it writes is harmless, as in `terminal`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from rich.console import Console

from selfroute import terminal
from selfroute.types import Delta, Done, Event, Step

DOING: Mapping[str, str] = {
    "rewrite": "rewriting the question",
    "retrieve": "looking for chunks",
    "read_chunks": "reading the chunks",
    "read_documents": "reading the document",
}
"""By step; another is shown by its name."""


async def follow(events: AsyncGenerator[Event], question: str | None, console: Console) -> None:
    """Writes until the end. Raises what the stream raises, with the cursor at the beginning of a line."""
    console.print(terminal.question(question), highlight=False)
    begun, before = False, ""
    doing = console.status("opening")
    doing.start()
    try:
        async with aclosing(events):
            async for event in events:
                match event:
                    case Step(name, declined=None):
                        doing.update(before + DOING.get(name, name))
                    case Step(_, declined=True):
                        before = "the reader declined: "
                    case Delta(text):
                        if not begun:
                            doing.stop()
                            console.out(terminal.label("answer"), style="dim", highlight=False, end="")
                            begun = True
                        console.out(terminal.harmless(text), style="bold", highlight=False, end="")
                    case Done(answer):
                        doing.stop()
                        if begun:
                            console.out()
                        parts = terminal.account(answer) if begun else terminal.outcome(answer)
                        begun = False
                        console.print(parts, highlight=False)
    finally:
        doing.stop()
        if begun:
            console.out()
