"""Vector stores of the real LlamaIndex as corpora: retrieved from as they are, read as the documents they were."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from llama import Hashed
from llama_index.core import Document as TheirDocument
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.bridge.pydantic import Field
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, TextNode
from llama_index.core.vector_stores.simple import SimpleVectorStore
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQuery, VectorStoreQueryResult
from test_integrations_llama_index import engine_with

from selfroute.errors import BadInput, EmptyCorpus, UnknownDocument, UnusableIndex
from selfroute.integrations.llama_index import SelfRouteQueryEngine
from selfroute.integrations.vector_store import VectorStoreCorpus
from selfroute.readers.scripted import ScriptedReader, answers, declines
from selfroute.types import Outcome, Question, Stage

BOATS = " ".join(f"Boat number {n} is moored along the quay all year." for n in range(40))
PORT = f"The harbour master of Norrvik is Olof Berg.\n\n{BOATS}"
HILLS = " ".join(f"House number {n} lies between two green hills." for n in range(40))
TOWN = f"The lighthouse is painted by Siri Dahl every spring.\n\n{HILLS}"
DOCUMENTS = [TheirDocument(text=PORT, doc_id="port"), TheirDocument(text=TOWN, doc_id="town")]
SPLITTER = SentenceSplitter(chunk_size=60, chunk_overlap=0)


class TextStore(BasePydanticVectorStore):
    """A store that keeps texts itself, as those on servers do: LlamaIndex keeps nothing beside it."""

    stores_text: bool = True
    kept: dict[str, Any] = Field(default_factory=dict)

    @property
    def client(self) -> None:
        return None

    def add(self, nodes: list[BaseNode], **kwargs: Any) -> list[str]:
        self.kept.update({node.node_id: node for node in nodes})
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        self.kept = {id_: node for id_, node in self.kept.items() if node.ref_doc_id != ref_doc_id}

    def get_nodes(self, node_ids: Any = None, filters: Any = None) -> list[BaseNode]:
        return list(self.kept.values())

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        def near(node: BaseNode) -> float:
            return sum(a * b for a, b in zip(query.query_embedding or [], node.embedding or [], strict=True))

        best = sorted(self.kept.values(), key=near, reverse=True)[: query.similarity_top_k]
        return VectorStoreQueryResult(best, [near(node) for node in best], [node.node_id for node in best])


def index_in(store: Any) -> VectorStoreIndex:
    context = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex.from_documents(
        DOCUMENTS, storage_context=context, transformations=[SPLITTER], embed_model=Hashed()
    )


@pytest.fixture(params=[SimpleVectorStore, TextStore])
def index(request: pytest.FixtureRequest) -> VectorStoreIndex:
    return index_in(request.param())


def test_chunks_are_retrieved_by_the_store_and_the_document_read_whole(index: VectorStoreIndex, home: Path) -> None:
    reader = ScriptedReader([declines(), answers("Olof Berg")])
    corpus = VectorStoreCorpus(index, "theirs")
    answer = asyncio.run(
        engine_with(home, reader).ask(Question("Who is the harbour master of Norrvik?"), corpus=corpus, k=2)
    )
    assert (answer.outcome, answer.corpus, answer.answer) == (Outcome.ANSWERED, "theirs", "Olof Berg")
    chunks, document = reader.readings
    assert len(chunks.passages) == 2
    assert "Olof Berg" in chunks.passages[0].text
    assert document.passages[0].document == "port"
    [citation] = answer.citations
    assert PORT[citation.start : citation.end] == "Olof Berg"
    embedded = answer.calls[0]
    assert (embedded.stage, embedded.model) == (Stage.EMBED, "llama-index:hashed")
    assert embedded.usage.input_tokens > 0


def test_a_document_is_what_it_was_but_for_white_space(index: VectorStoreIndex) -> None:
    corpus = VectorStoreCorpus(index)
    for original in DOCUMENTS:
        text = corpus.document(original.doc_id).text
        assert text.split() == original.text.split()
        for chunk in corpus.chunks(original.doc_id):
            assert text[chunk.start : chunk.end] == chunk.text == original.text[chunk.start : chunk.end]
        assert corpus.tokens(original.doc_id) == sum(chunk.tokens for chunk in corpus.chunks(original.doc_id)) > 0


def test_a_scope_finds_what_is_in_it_however_many_others_are_nearer(index: VectorStoreIndex) -> None:
    corpus = VectorStoreCorpus(index)
    [vector] = corpus.embedder.embed(["Who is the harbour master of Norrvik?"]).vectors
    hits = corpus.search(vector, 3, ["town"])
    assert [hit.chunk.document for hit in hits] == ["town"] * 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(corpus.search(vector, 10_000, ["town"])) == len(corpus.chunks("town"))


def test_the_documents_that_are_given_are_what_is_read(index: VectorStoreIndex) -> None:
    corpus = VectorStoreCorpus(index, documents=DOCUMENTS)
    assert corpus.document("port").text == PORT


def test_coverage_and_the_part_that_fits_are_as_with_an_index(index: VectorStoreIndex, home: Path) -> None:
    reader = ScriptedReader([declines()], window=200)
    answer = asyncio.run(
        engine_with(home, reader).ask("Who is the harbour master?", "always_long", corpus=VectorStoreCorpus(index))
    )
    assert answer.outcome is Outcome.INSUFFICIENT
    assert 0 < answer.coverage < 0.5
    assert "exceeds the reader's window" in answer.warnings[0]


def test_a_forecast_reads_nothing(index: VectorStoreIndex, home: Path) -> None:
    engine = engine_with(home, ScriptedReader([]))
    forecast = asyncio.run(engine.forecast("Who is the harbour master?", corpus=VectorStoreCorpus(index)))
    assert 0 < forecast.least_tokens < forecast.most_tokens


def test_it_can_be_asked_through_llama_index_again(index: VectorStoreIndex, home: Path) -> None:
    engine = engine_with(home, ScriptedReader([answers("Olof Berg")]))
    response = SelfRouteQueryEngine(engine=engine, corpus=VectorStoreCorpus(index)).query("Who is master?")
    assert str(response) == "Olof Berg"


def test_a_document_that_is_not_there_is_an_error_that_names_those_that_are(
    index: VectorStoreIndex, home: Path
) -> None:
    engine = engine_with(home, ScriptedReader([]))
    with pytest.raises(UnknownDocument, match="no document 'prot' in corpus 'llama-index'; did you mean 'port'"):
        asyncio.run(engine.ask(Question("Who?", ("prot",)), corpus=VectorStoreCorpus(index)))


def test_a_store_that_has_grown_since_is_an_error_and_no_wrong_answer(index: VectorStoreIndex) -> None:
    corpus = VectorStoreCorpus(index)
    index.insert(TheirDocument(text="The harbour master of Visby is Eva Lind.", doc_id="visby"))
    [vector] = corpus.embedder.embed(["Who is the harbour master of Visby?"]).vectors
    with pytest.raises(UnusableIndex, match="make it anew"):
        corpus.search(vector, 3)
    assert "visby" in VectorStoreCorpus(index).scope(())


def test_an_empty_store_and_one_that_lists_no_nodes_are_errors_that_say_what_to_do() -> None:
    class Silent(TextStore):
        def get_nodes(self, node_ids: Any = None, filters: Any = None) -> list[BaseNode]:
            raise NotImplementedError

    with pytest.raises(EmptyCorpus):
        VectorStoreCorpus(VectorStoreIndex([], embed_model=Hashed()))
    index = index_in(Silent())
    with pytest.raises(BadInput, match="Silent does not list its nodes: give them"):
        VectorStoreCorpus(index)
    nodes = SPLITTER.get_nodes_from_documents(DOCUMENTS)
    assert VectorStoreCorpus(index, nodes=nodes).scope(()) == ("port", "town")


def test_nodes_that_do_not_say_where_they_stood_are_found_in_the_documents_that_are_given() -> None:
    nodes = SPLITTER.get_nodes_from_documents(DOCUMENTS)
    for node in nodes:
        assert isinstance(node, TextNode)
        node.start_char_idx = None
    index = VectorStoreIndex(nodes, embed_model=Hashed())
    with pytest.raises(BadInput, match="does not say, or says what another does: give the documents"):
        VectorStoreCorpus(index)
    first = VectorStoreCorpus(index, documents=DOCUMENTS).chunks("port")[0]
    assert PORT[first.start : first.end] == first.text
    wrong = [TheirDocument(text="Something else.", doc_id=one.doc_id) for one in DOCUMENTS]
    with pytest.raises(BadInput, match="is not in it: give the documents"):
        VectorStoreCorpus(index, documents=wrong)


def test_a_text_that_repeats_itself_is_read_whole_from_the_documents_that_are_given() -> None:
    again = TheirDocument(text="Boats are moored along the quay. " * 60, doc_id="again")
    nodes = SPLITTER.get_nodes_from_documents([again])
    corpus = VectorStoreCorpus(VectorStoreIndex(nodes, embed_model=Hashed()), documents=[again])
    starts = [chunk.start for chunk in corpus.chunks("again")]
    assert len(starts) == len(set(starts)) == len(nodes)
    assert corpus.document("again").text == again.text


def test_nodes_that_say_they_stood_in_one_place_are_not_read_as_one() -> None:
    nodes = SPLITTER.get_nodes_from_documents([TheirDocument(text="Boats lie here. " * 60, doc_id="again")])
    for node in nodes:
        assert isinstance(node, TextNode)
        node.start_char_idx = 0  # as earlier releases had it
    with pytest.raises(BadInput, match="does not say, or says what another does: give the documents"):
        VectorStoreCorpus(VectorStoreIndex(nodes, embed_model=Hashed()))


def test_overlapping_nodes_make_one_text() -> None:
    splitter = SentenceSplitter(chunk_size=60, chunk_overlap=20)
    index = VectorStoreIndex.from_documents([DOCUMENTS[0]], transformations=[splitter], embed_model=Hashed())
    assert VectorStoreCorpus(index).document("port").text.split() == PORT.split()


def test_a_faiss_store_of_theirs_is_a_corpus_too(home: Path) -> None:
    vector_stores = pytest.importorskip(
        "llama_index.vector_stores.faiss", reason="llama-index-vector-stores-faiss is not installed"
    )
    import faiss

    corpus = VectorStoreCorpus(index_in(vector_stores.FaissVectorStore(faiss_index=faiss.IndexFlatIP(96))))
    answer = asyncio.run(
        engine_with(home, ScriptedReader([answers("Olof Berg")])).ask("Who is the harbour master?", corpus=corpus)
    )
    assert answer.answer == "Olof Berg"
