"""What keeping questions on one document together gains, with vLLM in this process: seconds, and tokens from its cache.

Questions about several documents, of which the cache holds fewer than there are, come document by document or mixed
(one of each document, then the next of each); with the requests kept together by `endpoints/together.py`, or sent as
they come; and without a prefix cache. All are sent at once, and as many as `--at-once` are read at a time.

    python eval/bench/grouping.py Qwen/Qwen2.5-7B-Instruct                     # on a GPU
    python tests/with_vllm/tiny.py build/tiny                                  # without one: its numbers are the CPU's,
    python eval/bench/grouping.py build/tiny --block 128 --eager               # of a model that can read nothing
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from selfroute.endpoints.vllm import Options, VLLMEndpoint
from selfroute.readers.chat import ChatReader
from selfroute.types import Call, Passage, Question, Reading, Route, Usage

HANDBOOK = Path(__file__).parents[1] / "samples/harbour.md"


@dataclass(frozen=True)
class Plan:
    """`room`: how many of the documents the cache holds."""

    documents: int
    questions: int
    at_once: int
    room: float


def readings(plan: Plan, text: str, nonce: str, mixed: bool) -> list[Reading]:
    """Documents of equal length that begin differently, and differ from those of another `nonce`."""
    documents = [Passage(f"{n}.md", 0, f"Edition {nonce}-{n}.\n\n{text}") for n in range(plan.documents)]
    questions = [Question(f"What does section {n} say of night work?") for n in range(1, plan.questions + 1)]
    pairs = (
        [(document, question) for question in questions for document in documents]
        if mixed
        else [(document, question) for document in documents for question in questions]
    )
    return [Reading(question, (document,), Route.LONG_CONTEXT) for document, question in pairs]


async def read(reader: ChatReader, asked: Sequence[Reading]) -> tuple[float, Usage]:
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    began = time.perf_counter()
    await asyncio.gather(*(reader.read(reading, record) for reading in asked))
    return time.perf_counter() - began, sum((call.usage for call in calls), Usage())


async def measure(options: Options, plan: Plan, text: str, name: str, orders: Sequence[bool]) -> None:
    reader = ChatReader(VLLMEndpoint(options))
    await read(reader, readings(Plan(1, 1, 1, 1), text[:200], f"{name}-warm", mixed=False))
    for mixed in orders:
        seconds, usage = await read(reader, readings(plan, text, f"{name}-{mixed}", mixed))
        order = "mixed" if mixed else "by document"
        share = usage.cached_input_tokens / usage.input_tokens
        print(f"| {order} | {name} | {seconds:.1f} | {usage.input_tokens:,} | {share:.0%} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder, or a name that vLLM fetches")
    parser.add_argument("--documents", type=int, default=8)
    parser.add_argument("--questions", type=int, default=5, help="on each document")
    parser.add_argument("--at-once", type=int, default=2, help="requests that the engine reads at a time")
    parser.add_argument("--room", type=float, default=3.0, help="documents that the cache holds")
    parser.add_argument("--block", type=int, default=16, help="tokens of a block of the cache; on a CPU 128")
    parser.add_argument("--eager", action="store_true", help="compile nothing")
    given = parser.parse_args()
    plan = Plan(given.documents, given.questions, given.at_once, given.room)
    text = HANDBOOK.read_text(encoding="utf-8")
    longest = VLLMEndpoint(Options("bench", given.model, 1 << 20)).count_tokens(text) + 600
    engine = {
        "block_size": given.block,
        "num_gpu_blocks_override": ceil(plan.room * longest / given.block),
        "max_num_seqs": plan.at_once,
        "enforce_eager": given.eager,
    }
    options = Options("bench", given.model, longest + 200, 200, timeout=3600, engine=engine)
    print(f"{plan}, about {longest:,} tokens a document\n")
    print("| order | | seconds | input tokens | from the cache |\n|---|---|---|---|---|")
    apart = {**engine, "scheduling_policy": "fcfs"}
    asyncio.run(measure(options, plan, text, "kept together", (False, True)))
    asyncio.run(measure(_with(options, apart), plan, text, "as they come", (False, True)))
    asyncio.run(measure(_with(options, {**apart, "enable_prefix_caching": False}), plan, text, "no cache", (True,)))


def _with(options: Options, engine: dict[str, object]) -> Options:
    return Options(
        options.name, options.model, options.window, options.max_output_tokens, timeout=options.timeout, engine=engine,
        beginning=sys.maxsize,
    )  # fmt: skip


if __name__ == "__main__":
    main()
