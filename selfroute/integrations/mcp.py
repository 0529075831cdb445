"""selfroute as tools of the Model Context Protocol: `search`, `ask` and `status`, over streamable HTTP.

Stateless: each request stands alone (revision 2026-07-28; clients of earlier ones are answered too), and whoever leaves
ends what they asked. Who may do what is the service's affair: it is given as a `Service`. Knows nothing of HTTP but a
bearer token.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib.metadata import version
from typing import Any, ClassVar, Protocol

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from selfroute.errors import EmptyCorpus, SelfrouteError
from selfroute.index.upkeep import Listed
from selfroute.keys import without_keys
from selfroute.types import Answer, Found, Question, Terms
from selfroute.wire import said, to_json

__all__ = ["McpServer", "Service"]

log = logging.getLogger(__name__)

BODY_BYTES = 2**40
"""No limit: the service that this is a part of has one for all bodies."""


class Asker(Protocol):
    """`key` is the id of the key that asks; `None` where none is needed."""

    @property
    def key(self) -> str | None: ...


class Service(Protocol):
    """What the tools are tools of. Methods raise `SelfrouteError`."""

    @property
    def policies(self) -> tuple[str, ...]: ...

    async def admit(self, bearer: str | None) -> Asker: ...

    async def search(
        self, caller: Any, query: str, corpus: str, k: int | None, documents: Sequence[str]
    ) -> Sequence[Found]: ...

    async def ask(
        self, caller: Any, question: Question, policy: str, corpus: str, k: int | None, terms: Terms
    ) -> Answer: ...

    async def listed(self, caller: Any) -> Sequence[Listed]: ...


class Call(BaseModel):
    """A tool call's arguments. `name` is the tool's; the docstring is what a model reads of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]


class Search(Call):
    """Finds the passages of a corpus that are most like a query, with their score, document, page and characters. Reads
    and costs nothing: use it to look around, and `ask` for an answer."""

    name = "search"

    query: str = Field(min_length=1)
    corpus: str = Field(description="Its name; `status` lists them.")
    k: int | None = Field(default=None, ge=1, le=1000, description="How many passages; else as the service is set.")
    documents: list[str] = Field(default=[], max_length=1000, description="Only in these, by their ids.")


class Ask(Call):
    """Answers a question from a corpus, with citations: reads a few passages and, if they do not answer, the whole
    document. Says so if the documents do not answer."""

    name = "ask"

    question: str = Field(min_length=1, description="One that stands alone.")
    corpus: str = Field(description="Its name; `status` lists them.")
    policy: str = Field(default="self_route", description="How much is read; `status` lists them.")
    k: int | None = Field(default=None, ge=1, le=1000, description="How many passages are read first.")
    documents: list[str] = Field(default=[], max_length=1000, description="Ask only these, by their ids.")
    max_cost: Decimal | None = Field(default=None, ge=0, le=1_000_000, description="US dollars that it may cost.")
    max_input_tokens: int | None = Field(default=None, ge=1, description="Tokens that may be read.")


class Status(Call):
    """Lists the corpora that can be asked, with how many documents they hold and whether they are ready, and the
    policies."""

    name = "status"


CALLS: tuple[type[Call], ...] = (Search, Ask, Status)


class McpServer:
    """An ASGI application for one path, to be called while it is `running`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server: Server[Any] = Server(
            "selfroute",
            version=version("selfroute"),
            instructions="Answers questions about long documents. Call `status` for the corpora that there are.",
            on_list_tools=_list,
            on_call_tool=self._call,
        )
        manager = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=BODY_BYTES)
        async with manager.run():
            self._manager = manager
            yield
        self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises what `Service.admit` raises before anything is answered."""
        assert self._manager is not None, "it is called before it runs"
        request = Request(scope, receive)
        request.state.caller = await self._service.admit(_bearer(request))
        await self._manager.handle_request(scope, receive, send)

    async def _call(self, context: ServerRequestContext[Any], sent: CallToolRequestParams) -> CallToolResult:
        kind = next((kind for kind in CALLS if kind.name == sent.name), None)
        if kind is None:
            raise MCPError(INVALID_PARAMS, f"no tool {sent.name!r}; have: {', '.join(one.name for one in CALLS)}")
        assert context.request is not None  # there is one over HTTP
        caller = context.request.state.caller
        try:
            return await self._done(kind.model_validate(sent.arguments or {}), caller)
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            return _failed("; ".join(wrong))
        except SelfrouteError as error:
            if error.outward != str(error) and not isinstance(error, EmptyCorpus):
                log.error("the tool %s failed: %s", sent.name, without_keys(str(error)))
            return _failed(error.outward)
        except Exception as error:
            log.error("the tool %s failed", sent.name, exc_info=error)
            return _failed("the service failed: its log says why")

    async def _done(self, call: Call, caller: Any) -> CallToolResult:
        match call:
            case Search():
                found = await self._service.search(caller, call.query, call.corpus, call.k, call.documents)
                shown = "\n\n".join(f"{_place(one)}, score {one.score:.3f}\n{one.text}" for one in found)
                return _result(shown or "nothing was found", {"chunks": to_json(found)})
            case Ask():
                question = Question(call.question, tuple(call.documents))
                terms = Terms(max_cost=call.max_cost, max_input_tokens=call.max_input_tokens)
                answer = await self._service.ask(caller, question, call.policy, call.corpus, call.k, terms)
                sources = [f"{_place(one)}\n{one.text}" for one in answer.citations]
                fields = to_json(answer)
                assert isinstance(fields, dict)
                return _result("\n\n".join([said(answer), *sources]), {**fields, "explain": {}})
            case _:
                corpora = [_state(one) for one in await self._service.listed(caller)]
                lines = [f"{c['name']}: {c['documents']} documents, {c['problem'] or 'ready'}" for c in corpora]
                fields = {"corpora": corpora, "policies": list(self._service.policies)}
                return _result("\n".join(lines) or "there is no corpus that you may ask", fields)


async def _list(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=[_tool(kind) for kind in CALLS])


def _tool(kind: type[Call]) -> Tool:
    schema = kind.model_json_schema()
    return Tool(
        name=kind.name,
        description=" ".join(schema.pop("description").split()),
        input_schema=schema,
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )


def _state(listed: Listed) -> dict[str, Any]:
    problem = listed.problem or (None if listed.documents else "it holds no documents")
    fields = to_json(listed)
    assert isinstance(fields, dict)
    return {**fields, "ready": problem is None, "problem": problem}


def _place(one: Any) -> str:
    page = "" if one.page is None else f", page {one.page}"
    return f"{one.document}{page}, characters {one.start} to {one.end}"


def _result(text: str, fields: dict[str, Any]) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=fields)


def _failed(reason: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=without_keys(reason))], is_error=True)


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
