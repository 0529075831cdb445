"""selfroute as a query engine of LlamaIndex: by itself, or as a tool among others behind a router.

    engine = SelfRouteQueryEngine(engine=build_engine(load_settings()), corpus="harbour")
    response = engine.query("Who approves night work?")
    print(response, response.metadata["outcome"], response.metadata["totals"])

What was cited comes as `source_nodes`, the account as `metadata`. Knows nothing of vector stores: see
`selfroute.integrations.vector_store`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from llama_index.core.base.response.schema import Response
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from selfroute.engine import Engine
from selfroute.types import Answer, Citation, Question
from selfroute.wire import to_json

__all__ = ["SelfRouteQueryEngine"]

EMPTY = "Empty Response"
"""What LlamaIndex's own engines say when they have nothing to say."""

ELSEWHERE = {"question", "answer", "citations", "explain"}
"""What of an answer is not in `metadata`: the response and its nodes say it, or nobody needs it."""


class SelfRouteQueryEngine(CustomQueryEngine):  # type: ignore[misc]  # theirs is not typed here
    """Asks `engine` about `corpus`: its name, a `Document` or another's `Corpus`. `scope` are ids of documents; empty
    means all. Raises what `Engine.ask` raises.

    Each call of the synchronous `query` has an event loop of its own: what is slow to open, such as an engine in this
    process, is better asked by `aquery` from one loop.
    """

    engine: Engine
    corpus: Any
    policy: str = "self_route"
    k: int | None = None
    scope: tuple[str, ...] = ()

    def custom_query(self, query_str: str) -> Response:
        return _now(self.acustom_query(query_str))

    async def acustom_query(self, query_str: str) -> Response:
        question = Question(query_str, self.scope)
        return response(await self.engine.ask(question, self.policy, corpus=self.corpus, k=self.k))


def response(answer: Answer) -> Response:
    """The answer as LlamaIndex has it: `EMPTY` unless it answers, and why not in `metadata["outcome"]`."""
    account = {name: value for name, value in _fields(answer).items() if name not in ELSEWHERE}
    return Response(answer.answer or EMPTY, [_node(citation) for citation in answer.citations], account)


def _fields(answer: Answer) -> dict[str, Any]:
    values = to_json(answer)
    assert isinstance(values, dict)
    return values


def _node(citation: Citation) -> NodeWithScore:
    node = TextNode(
        text=citation.text,
        start_char_idx=citation.start,
        end_char_idx=citation.end,
        metadata={"document": citation.document, "page": citation.page},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=citation.document)},
    )
    return NodeWithScore(node=node, score=citation.score)


def _now(asked: Coroutine[Any, Any, Response]) -> Response:
    """Where an event loop runs already, as in a notebook, in a thread beside it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(asked)
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(copy_context().run, asyncio.run, asked).result()
