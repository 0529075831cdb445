"""What the service itself takes: its own time a question, calls/s in front of a server, and memory over many questions.

Everything is on loopback and runs in processes of its own: a server that answers at once as OpenAI's would, `selfroute
serve` in front of it, and, where its command is given, LiteLLM's proxy in front of the same server. All take turns in
one run, since machines differ and are never quiet.

    python eval/bench/service.py
    python -m venv build/litellm && build/litellm/bin/pip install 'litellm[proxy]'
    python eval/bench/service.py --litellm build/litellm/bin/litellm
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HANDBOOK = Path(__file__).parents[1] / "samples/harbour.md"
QUESTION = "Who approves night work?"
REPLY = json.dumps(
    {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": "stub",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": '{"answerable": true, "answer": "the harbour master", "quotes": '
                    '["Night work is approved by the harbour master"]}',
                },
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1200, "completion_tokens": 24, "total_tokens": 1224},
    }
).encode()
KEY = "sk-" + secrets.token_hex(32)
"""LiteLLM does not start without one."""
CONFIG = {
    "embedder": {"kind": "hashing"},
    "reader": {"kind": "chat", "chunks": "stub"},
    "chunking": {"tokens": 200},
    "server": {"in_flight": 256},
}


@dataclass(frozen=True)
class Target:
    """What is asked: `body` goes to `path` of the server on `port`."""

    name: str
    port: int
    path: str
    body: bytes
    key: str = "sk-none"


@dataclass(frozen=True)
class Load:
    """Questions/s, and seconds a question at p50 and p99."""

    rate: float
    p50: float
    p99: float


async def load(target: Target, questions: int, in_flight: int) -> Load:
    """Asks over as many connections as questions are in flight. Fails if one is not answered with 200."""
    left, seconds = iter(range(questions)), list[float]()
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {target.key}\r\nContent-Length: {len(target.body)}\r\n\r\n"
    ).encode()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        for _ in left:
            began = time.perf_counter()
            writer.write(head + target.body)
            status, body = await reply(reader)
            if status != 200:
                raise RuntimeError(f"{target.name} answered {status}: {body[:300]!r}")
            seconds.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(in_flight)))
    took = time.perf_counter() - began
    seconds.sort()
    return Load(questions / took, seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)])


async def reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if headers.get("transfer-encoding", "") != "chunked":
        return int(head[0].split()[1]), await reader.readexactly(int(headers["content-length"]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return int(head[0].split()[1]), body


async def stub(port: int) -> None:
    """Answers any request at once, as a chat completion."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(REPLY)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                await reader.readexactly(length)
                writer.write(answer + REPLY)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


def scripted(home: Path, port: int) -> None:
    """Serves what `selfroute serve` does, with a reader that knows the answer and takes no time."""
    from dataclasses import replace

    from selfroute import build, build_service, settings
    from selfroute.embedders.hashing import HashingEmbedder
    from selfroute.engine import Engine
    from selfroute.ledger.account import LedgerAccount
    from selfroute.readers.scripted import KnowingReader
    from selfroute.server.desk import Desk
    from selfroute.server.listening import loops, serve

    chosen = settings.load(home / "config.yaml")
    reader = KnowingReader({QUESTION: "the harbour master"})
    engine = Engine(
        home=chosen.home,
        embedder=HashingEmbedder(),
        chunk_tokens=chosen.chunking.tokens,
        chunk_reader=reader,
        document_reader=reader,
        account=LedgerAccount(build.ledger(chosen)),
        prices=build.prices(chosen),
        policies=build.policies(chosen),
    )
    app = build_service.app(chosen)
    limits = chosen.server
    desk = Desk(engine, limits.in_flight, limits.question_chars, limits.text_chars)
    app.state.parts = replace(app.state.parts, desk=desk)
    with asyncio.Runner(loop_factory=loops()) as runner:
        runner.run(serve(app, "127.0.0.1", port, drain=10))


@contextmanager
def running(command: Sequence[str], environment: dict[str, str] | None = None) -> Iterator[int]:
    """The process's id; it is ended as this is left."""
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


async def answers(port: int, seconds: float = 120) -> None:
    """Returns when something listens."""
    end = time.monotonic() + seconds
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


@asynccontextmanager
async def services(home: Path, litellm: str | None) -> AsyncIterator[tuple[int, int, int, int | None]]:
    """The process of `selfroute serve`, its port, that of the same with a scripted reader, and that of LiteLLM's
    proxy."""
    upstream, ours, known, theirs = free(), free(), free(), free()
    endpoint = {
        "base_url": f"http://127.0.0.1:{upstream}/v1",
        "model": "stub",
        "window": 32_000,
        "tokenizer": "o200k_base",
    }
    ours_file, theirs_file = home / "config.yaml", home / "litellm.yaml"
    ours_file.write_text(json.dumps({**CONFIG, "home": str(home / "indexes"), "endpoints": {"stub": endpoint}}))
    theirs_file.write_text(
        json.dumps(
            {
                "model_list": [
                    {
                        "model_name": "stub",
                        "litellm_params": {
                            "model": "openai/stub",
                            "api_base": f"http://127.0.0.1:{upstream}/v1",
                            "api_key": "none",
                        },
                    }
                ],
                "general_settings": {"master_key": KEY},
                "litellm_settings": {"telemetry": False},
            }
        )
    )
    command = shutil.which("selfroute", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") or "selfroute"
    words = [command, "index", str(HANDBOOK), "--corpus", "harbour", "--config", str(ours_file)]
    await asyncio.to_thread(subprocess.run, words, check=True)
    with (
        running([sys.executable, __file__, "--stub", str(upstream)]),
        running([command, "serve", "--port", str(ours), "--config", str(ours_file)]) as process,
        running([sys.executable, __file__, "--scripted", str(known), "--home", str(home)]),
    ):
        await answers(upstream)
        await answers(ours)
        await answers(known)
        if litellm is None:
            yield process, ours, known, None
            return
        proxy = [litellm, "--config", str(theirs_file), "--port", str(theirs), "--host", "127.0.0.1"]
        with running(proxy, {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}):
            await answers(theirs)
            yield process, ours, known, theirs


def free() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def resident(process: int) -> float:
    """Megabytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def measure(litellm: str | None, questions: int, many: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with services(Path(folder), litellm) as (process, ours, known, theirs):
            asked: dict[str, Any] = {"question": QUESTION, "corpus": "harbour", "policy": "always_rag"}
            chat = {"messages": [{"role": "user", "content": QUESTION}]}
            own = Target("POST /v1/ask", ours, "/v1/ask", json.dumps(asked).encode())
            targets = [
                Target("with a scripted reader", known, "/v1/ask", json.dumps(asked).encode()),
                own,
                Target(
                    "selfroute",
                    ours,
                    "/v1/chat/completions",
                    json.dumps({**chat, "model": "always_rag@harbour"}).encode(),
                ),
            ]
            if theirs is not None:
                targets.append(
                    Target(
                        "LiteLLM", theirs, "/v1/chat/completions", json.dumps({**chat, "model": "stub"}).encode(), KEY
                    )
                )
            for target in targets:
                await load(target, 50, 4)
            print(f"{'':24} in flight   calls/s   p50 ms   p99 ms")
            for in_flight in (1, 16, 64):
                rates = {}
                for target in targets:
                    found = await load(target, questions if in_flight > 1 else questions // 4, in_flight)
                    rates[target.name] = found.rate
                    print(
                        f"{target.name:24} {in_flight:9} {found.rate:9.0f} {found.p50 * 1e3:8.1f} "
                        f"{found.p99 * 1e3:8.1f}"
                    )
                if theirs is not None:
                    print(f"{'selfroute / LiteLLM':24} {in_flight:9} {rates['selfroute'] / rates['LiteLLM']:8.2f}x")
            print("questions   resident MB")
            for done in range(0, many + 1, max(many // 10, 1)):
                if done:
                    await load(own, max(many // 10, 1), 16)
                print(f"{done:9} {resident(process):13.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--litellm", help="the command of LiteLLM's proxy")
    parser.add_argument("--questions", type=int, default=2000, help="of one measurement")
    parser.add_argument("--many", type=int, default=20_000, help="questions that memory is watched over")
    parser.add_argument("--stub", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--scripted", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.scripted:
        scripted(given.home, given.scripted)
        return
    asyncio.run(stub(given.stub) if given.stub else measure(given.litellm, given.questions, given.many))


if __name__ == "__main__":
    main()
