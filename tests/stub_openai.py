"""A server that speaks OpenAI's wire, on loopback, with counters of its own: what the ledger must agree with.

Each reply follows a `Plan`, which `answer` makes of the request. The server counts the tokens that it would charge as
OpenAI does for chat messages, with nothing of ours.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import tiktoken

from selfroute.tokens import tokenizer

UsageStyle = Literal["reported", "none", "with_choices", "cumulative", "null_details", "zeros"]
Break = Literal["before", "within", "after_finish", "stall_at_end"]


@dataclass(frozen=True)
class Plan:
    """What is sent back. `status` other than 200 sends an error; `body` replaces all that would be sent."""

    content: str | None = "unanswerable"
    usage: UsageStyle = "reported"
    status: int = 200
    error: Mapping[str, Any] = field(default_factory=lambda: {"message": "as planned", "code": None})
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    stalls: bool = False  # until the client goes away
    breaks: Break | None = None  # the connection is cut
    finish: str | None = "stop"
    refusal: str | None = None
    cached: int = 0
    written: int = 0
    thought: int = 0
    model: str | None = None
    odds: tuple[tuple[str, Mapping[str, float]], ...] = ()  # tokens with their alternatives


@dataclass(frozen=True)
class Asked:
    """A request as it came, `at` a moment of the monotonic clock. `number` counts from 1."""

    number: int
    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    at: float

    @property
    def prompt(self) -> str:
        """All words of the request."""
        if "prompt" in self.body:
            return str(self.body["prompt"])
        return "\n".join(message["content"] for message in self.body["messages"])


class StubOpenAI:
    """`charged` sums what was charged for, `charged_by` the same by model; `asked` are the completions that were
    requested; `stalled` those that are made to wait, and `on_stall` hears of each from the server's own thread; `gone`
    counts clients that went away before they had their reply."""

    def __init__(self, answer: Callable[[Asked], Plan] = lambda asked: Plan()) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.charged_by: dict[str, Counter[str]] = {}
        self.stalled: list[Asked] = []
        self.on_stall: Callable[[Asked], None] = lambda asked: None
        self.gone = 0
        self.most_in_flight = 0
        self.models: list[dict[str, Any]] | None = [{"id": "stub", "object": "model", "created": 0, "owned_by": "x"}]
        self.models_status = 200
        self.metrics: str | None = None  # what stands at /metrics, if anything
        self.keys: set[str] | None = None  # None: any
        self.counts = False  # at /tokenize, as vLLM does
        self.hold = 0  # nothing is answered until so many requests are in flight at once
        self._in_flight = 0
        tokenizer("gpt-4o").count("")  # so that the tables are found offline
        self._count = tiktoken.get_encoding("o200k_base").encode_ordinary
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    @property
    def charged(self) -> Counter[str]:
        return sum(self.charged_by.values(), Counter())

    @property
    def connections(self) -> int:
        """Those that are open."""
        return len(self._tasks)

    def count(self, text: str) -> int:
        return len(self._count(text))

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end, self._full = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        sent = await reader.readexactly(int(headers.get("content-length", 0)))
        if self.keys is not None and headers.get("authorization", "").removeprefix("Bearer ") not in self.keys:
            refused = {"error": {"message": f"Incorrect API key provided: {headers.get('authorization')}", "code": "x"}}
            return await self._send(writer, 401, json.dumps(refused).encode())
        if path == "/metrics" and self.metrics is not None:
            return await self._send(writer, 200, self.metrics.encode(), "text/plain; version=0.0.4; charset=utf-8")
        if method == "GET":
            if self.models is None or path == "/metrics":
                return await self._send(writer, 404, b'{"error": {"message": "no such route"}}')
            if self.models_status != 200:
                return await self._send(writer, self.models_status, b'{"error": {"message": "not this"}}')
            return await self._send(writer, 200, json.dumps({"object": "list", "data": self.models}).encode())
        if path == "/tokenize":
            if not self.counts:
                return await self._send(writer, 404, b'{"detail": "Not Found"}')
            return await self._send(writer, 200, json.dumps({"count": self.count(json.loads(sent)["prompt"])}).encode())
        asked = Asked(len(self.asked) + 1, path, json.loads(sent), headers, time.monotonic())
        self.asked.append(asked)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        if self.most_in_flight >= self.hold:
            self._full.set()
        try:
            await self._full.wait()
            return await self._reply(asked, self.answer(asked), reader, writer)
        except ConnectionError:
            self.gone += 1  # before the end of what it was sent
            raise
        finally:
            self._in_flight -= 1

    async def _reply(
        self, asked: Asked, plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if plan.status != 200:
            body = json.dumps({"error": plan.error}).encode() if plan.body is None else plan.body
            return await self._send(writer, plan.status, body, plan.content_type, plan.headers)
        usage = self._usage(asked, plan)
        if plan.stalls or plan.breaks == "before":
            self._charge(asked, usage, written=0)
            if plan.breaks:
                writer.transport.abort()
                return False
            return await self._stall(asked, reader)
        if plan.body is not None:
            self._charge(asked, usage, written=0)
            return await self._send(writer, 200, plan.body, plan.content_type, plan.headers)
        if asked.body.get("stream"):
            return await self._stream(asked, plan, usage, reader, writer)
        self._charge(asked, usage)
        return await self._send(writer, 200, json.dumps(self._whole(asked, plan, usage)).encode())

    async def _stall(self, asked: Asked, reader: asyncio.StreamReader) -> bool:
        self.stalled.append(asked)
        self.on_stall(asked)
        await reader.read()  # the client's end
        self.gone += 1
        return False

    async def _stream(
        self,
        asked: Asked,
        plan: Plan,
        usage: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        wanted = bool((asked.body.get("stream_options") or {}).get("include_usage")) and plan.usage != "none"
        parts = [self._decoded(token) for token in self._count(plan.content or "")]
        if plan.breaks == "within":
            parts = parts[: len(parts) // 2]
        told = self._told(plan, usage)
        for number, part in enumerate(parts, 1):
            event = self._part(asked, plan, part)
            if plan.odds and number == 1:
                event["choices"][0]["logprobs"] = self._odds(plan)
            if plan.usage == "cumulative":
                event["usage"] = {**told, "completion_tokens": number, "total_tokens": told["prompt_tokens"] + number}
            self._event(writer, event)
        if plan.breaks == "within":
            self._charge(asked, usage, written=len(parts))
            await writer.drain()
            return False
        if plan.breaks == "stall_at_end":
            self._charge(asked, usage, written=len(parts))
            await writer.drain()
            return await self._stall(asked, reader)
        last = self._part(asked, plan, None)
        if wanted and plan.usage == "with_choices":
            last["usage"] = told
        self._event(writer, last)
        self._charge(asked, usage)
        if plan.breaks == "after_finish":
            await writer.drain()
            return False
        if wanted and plan.usage != "with_choices":
            self._event(writer, {**self._part(asked, plan, ""), "choices": [], "usage": told})
        self._chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _decoded(self, token: int) -> str:
        return tiktoken.get_encoding("o200k_base").decode([token])

    def _usage(self, asked: Asked, plan: Plan) -> dict[str, Any]:
        if "prompt" in asked.body:
            read = self.count(asked.body["prompt"])
        else:
            read = 3 + sum(3 + self.count(m["role"]) + self.count(m["content"]) for m in asked.body["messages"])
        written = self.count(plan.content or "") + plan.thought
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
            "prompt_tokens_details": {"cached_tokens": plan.cached, "cache_write_tokens": plan.written},
            "completion_tokens_details": {"reasoning_tokens": plan.thought},
        }

    def _told(self, plan: Plan, usage: dict[str, Any]) -> dict[str, Any]:
        if plan.usage == "null_details":
            return {**usage, "prompt_tokens_details": None, "completion_tokens_details": None}
        if plan.usage == "zeros":
            return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return usage

    def _charge(self, asked: Asked, usage: Mapping[str, Any], written: int | None = None) -> None:
        """`written` of a reply that the client did not have whole: then nobody told it of the details either."""
        charged = self.charged_by.setdefault(asked.body["model"], Counter())
        charged["input_tokens"] += usage["prompt_tokens"]
        charged["output_tokens"] += usage["completion_tokens"] if written is None else written
        if written is None:
            charged["cached_input_tokens"] += usage["prompt_tokens_details"]["cached_tokens"]
            charged["cache_write_tokens"] += usage["prompt_tokens_details"]["cache_write_tokens"]
            charged["reasoning_tokens"] += usage["completion_tokens_details"]["reasoning_tokens"]

    def _whole(self, asked: Asked, plan: Plan, usage: dict[str, Any]) -> dict[str, Any]:
        chat = "messages" in asked.body
        message = {"role": "assistant", "content": plan.content, "refusal": plan.refusal}
        choice: dict[str, Any] = {"index": 0, "finish_reason": plan.finish}
        choice |= {"message": message, "logprobs": self._odds(plan)} if chat else {"text": plan.content}
        reply = {
            "id": f"reply-{asked.number}",
            "object": "chat.completion" if chat else "text_completion",
            "created": 0,
            "model": plan.model or asked.body["model"],
            "choices": [choice],
        }
        return reply if plan.usage == "none" else reply | {"usage": self._told(plan, usage)}

    def _part(self, asked: Asked, plan: Plan, text: str | None) -> dict[str, Any]:
        chat = "messages" in asked.body
        choice: dict[str, Any] = {"index": 0, "finish_reason": plan.finish if text is None else None}
        choice |= {"delta": {} if text is None else {"content": text}} if chat else {"text": text or ""}
        return {
            "id": f"reply-{asked.number}",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": 0,
            "model": plan.model or asked.body["model"],
            "choices": [choice],
        }

    def _odds(self, plan: Plan) -> dict[str, Any] | None:
        if not plan.odds:
            return None
        content = []
        for token, alternatives in plan.odds:
            top = [{"token": t, "logprob": p, "bytes": None} for t, p in alternatives.items()]
            content.append(
                {"token": token, "logprob": alternatives.get(token, 0.0), "bytes": None, "top_logprobs": top}
            )
        return {"content": content, "refusal": None}

    async def _send(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> bool:
        lines = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
        head = f"HTTP/1.1 {status} As-Planned\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
        writer.write(head.encode("latin-1") + body)
        await writer.drain()
        return True

    def _event(self, writer: asyncio.StreamWriter, event: Mapping[str, Any]) -> None:
        self._chunk(writer, b"data: " + json.dumps(event).encode() + b"\n\n")

    def _chunk(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
