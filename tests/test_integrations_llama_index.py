"""selfroute as a query engine of the real LlamaIndex: answers, nodes and account, alone and behind a router."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
from llama_index.core.llms import MockLLM
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.schema import QueryBundle
from llama_index.core.tools import QueryEngineTool, ToolMetadata

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.engine import Engine
from selfroute.errors import EmptyQuestion, UnknownCorpus
from selfroute.indexer import Indexer
from selfroute.integrations.llama_index import SelfRouteQueryEngine
from selfroute.ledger import Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.policies import POLICIES
from selfroute.prices import Price, Prices
from selfroute.readers.scripted import ScriptedReader, answers, declines
from selfroute.types import Document

README = Path(__file__).parent.parent / "README.md"
TEXT = "The harbour master is Olof Berg. The ferry carries 240 passengers."
DOCUMENT = Document("port.md", TEXT, "port.md")


def engine_with(home: Path, reader: ScriptedReader) -> Engine:
    return Engine(
        home=home,
        embedder=HashingEmbedder(),
        chunk_tokens=100,
        chunk_reader=reader,
        document_reader=reader,
        account=LedgerAccount(Ledger(home / "ledger.sqlite")),
        prices=Prices({"scripted": Price(1, 2), "hashing-64": Price(0, 0)}),
        policies={name: make() for name, make in POLICIES.items()},
    )


def test_an_answer_comes_with_its_citations_as_nodes_and_its_account_as_metadata(home: Path) -> None:
    engine = engine_with(home, ScriptedReader([declines(), answers("Olof Berg")]))
    response = SelfRouteQueryEngine(engine=engine, corpus=DOCUMENT).query("Who is the harbour master?")
    assert str(response) == "Olof Berg"
    [node] = response.source_nodes
    assert (node.text, node.node.start_char_idx, node.node.end_char_idx) == ("Olof Berg", 22, 31)
    assert node.metadata == {"document": "port.md", "page": None}
    assert node.node.ref_doc_id == "port.md"
    account = json.loads(json.dumps(response.metadata))
    assert (account["outcome"], account["route"], account["policy"]) == ("answered", "long_context", "self_route")
    assert account["path"] == ["retrieve", "read_chunks", "read_documents"]
    assert [call["stage"] for call in account["calls"]][-2:] == ["read_chunks", "read_documents"]
    assert account["totals"]["cost"] is not None
    assert account["saved_tokens"] < 0


def test_a_decline_is_an_empty_response_and_says_why(home: Path) -> None:
    engine = engine_with(home, ScriptedReader([declines(), declines()]))
    response = SelfRouteQueryEngine(engine=engine, corpus=DOCUMENT).query("How tall is Mount Everest?")
    assert (str(response), response.source_nodes) == ("Empty Response", [])
    assert response.metadata["outcome"] == "not_in_document"


def test_it_asks_by_the_policy_scope_and_k_that_it_has(home: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(TEXT)
    Indexer(home, HashingEmbedder(), 100).index([tmp_path / "a.txt", tmp_path / "b.txt"], "port")
    reader = ScriptedReader([answers("240")])
    asked = SelfRouteQueryEngine(
        engine=engine_with(home, reader), corpus="port", policy="always_rag", k=1, scope=("b.txt",)
    )
    response = asked.query("How many passengers?")
    assert (response.metadata["policy"], response.metadata["corpus"]) == ("always_rag", "port")
    assert {passage.document for passage in reader.readings[0].passages} == {"b.txt"}
    assert len(reader.readings[0].passages) == 1


def test_it_can_be_asked_asynchronously_and_many_at_once(home: Path) -> None:
    asked = SelfRouteQueryEngine(
        engine=engine_with(home, ScriptedReader([answers("Olof Berg")] * 5)), corpus=DOCUMENT, policy="always_rag"
    )

    async def many() -> list[Any]:
        return await asyncio.gather(*(asked.aquery("Who is the harbour master?") for _ in range(5)))

    assert [str(response) for response in asyncio.run(many())] == ["Olof Berg"] * 5


def test_it_can_be_asked_synchronously_where_an_event_loop_runs_as_in_a_notebook(home: Path) -> None:
    asked = SelfRouteQueryEngine(engine=engine_with(home, ScriptedReader([answers("Olof Berg")])), corpus=DOCUMENT)

    async def cell() -> str:
        return str(asked.query("Who is the harbour master?"))

    assert asyncio.run(cell()) == "Olof Berg"


def test_errors_are_ours_as_they_stand(home: Path) -> None:
    engine = engine_with(home, ScriptedReader([]))
    with pytest.raises(UnknownCorpus, match="no corpus 'nowhere'"):
        SelfRouteQueryEngine(engine=engine, corpus="nowhere").query("Who?")
    with pytest.raises(EmptyQuestion):
        SelfRouteQueryEngine(engine=engine, corpus=DOCUMENT).query(" ")


class Other(CustomQueryEngine):
    """What else a router could choose."""

    def custom_query(self, query_str: str) -> str:
        return "from elsewhere"


class ByWord(BaseSelector):
    """Chooses the tool whose description mentions the last word of the question."""

    def _select(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        word = query.query_str.rstrip("?").split()[-1]
        number = next(n for n, choice in enumerate(choices) if word in choice.description)
        return SelectorResult(selections=[SingleSelection(index=number, reason=word)])

    async def _aselect(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        return self._select(choices, query)

    def _get_prompts(self) -> PromptDictType:
        return {}

    def _update_prompts(self, prompts: PromptDictType) -> None: ...


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_router_query_engine_chooses_it_and_keeps_its_nodes_and_account(home: Path, asynchronous: bool) -> None:
    engine = engine_with(home, ScriptedReader([answers("Olof Berg")]))
    tools = [
        QueryEngineTool.from_defaults(Other(), description="the weather"),
        QueryEngineTool.from_defaults(
            SelfRouteQueryEngine(engine=engine, corpus=DOCUMENT), description="the handbook of the port"
        ),
    ]
    router = RouterQueryEngine(selector=ByWord(), query_engine_tools=tools, llm=MockLLM())

    def ask(question: str) -> Any:
        return asyncio.run(router.aquery(question)) if asynchronous else router.query(question)

    assert str(ask("How is the weather?")) == "from elsewhere"
    response = ask("Who is master of the port?")
    assert str(response) == "Olof Berg"
    assert [node.text for node in response.source_nodes] == ["Olof Berg"]
    assert response.metadata["route"] == "rag"


@pytest.mark.end_to_end
@pytest.mark.skipif(not README.exists(), reason="there is no README here")
def test_the_readmes_snippets_run_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder with the sample; the second names an embedding model of the user's."""
    from llama import Hashed

    section = README.read_text(encoding="utf-8").split("## LlamaIndex")[1].split("\n## ")[0]
    first, second = re.findall(r"```python\n(.*?)```", section, re.S)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eval").symlink_to(README.parent / "eval")
    exec(first, {})
    assert "the harbour master" in capsys.readouterr().out
    exec(second, {"my_embedding_model": Hashed()})
    assert "the harbour master rag" in capsys.readouterr().out
