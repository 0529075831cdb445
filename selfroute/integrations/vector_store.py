"""Any vector store of LlamaIndex's as a corpus: it retrieves, by its own vectors and embedder, and selfroute reads.

    corpus = VectorStoreCorpus(VectorStoreIndex.from_vector_store(store, embed_model=embedder))
    answer = await build_engine(load_settings()).ask("Who approves night work?", corpus=corpus)

A document is what its nodes say they are a part of. Its text is theirs, each where it stood in the document; what no
node holds (a splitter drops white space) becomes line breaks, so that offsets are those of the original. LlamaIndex
looks for a node's text to tell where it stood: of a text that repeats itself word for word, give the documents too.
What overlaps counts as often as it is in a chunk. Tokens are counted by o200k_base, since embedding models of
LlamaIndex tell none.

Holds the nodes as of when it was made. Knows nothing of pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import BaseNode, MetadataMode, QueryBundle
from llama_index.core.schema import Document as TheirDocument

from selfroute.embedders import Embedded
from selfroute.errors import BadInput, EmptyCorpus, UnknownDocument, UnusableIndex
from selfroute.index.corpus import FURTHER, distinct
from selfroute.tokens import DEFAULT, tokenizer
from selfroute.types import Chunk, Document, Hit, Hits, Vectors

__all__ = ["VectorStoreCorpus"]


@dataclass(frozen=True, slots=True)
class _Embedding:
    """Questions as their model embeds questions. Not made unit vectors: a store may go by distance."""

    model: BaseEmbedding

    @property
    def name(self) -> str:
        return f"llama-index:{self.model.model_name}"

    def embed(self, texts: Sequence[str]) -> Embedded:
        vectors = [self.model.get_query_embedding(text) for text in texts]
        return Embedded(np.asarray(vectors, dtype=np.float32), sum(_count(text) for text in texts))


class VectorStoreCorpus:
    """`index` is over any vector store. `documents` are the originals of its nodes, `nodes` all that it holds: both
    only where the store cannot tell. `embed_model` embeds questions, else the one that the index has.

    Raises `BadInput` where nodes cannot be had or placed, and `EmptyCorpus`.
    """

    def __init__(
        self,
        index: VectorStoreIndex,
        name: str = "llama-index",
        *,
        documents: Iterable[TheirDocument] | None = None,
        nodes: Iterable[BaseNode] | None = None,
        embed_model: BaseEmbedding | None = None,
    ) -> None:
        self.name = name
        self.embedder = _Embedding(embed_model or index._embed_model)
        self._index = index
        self._originals = None if documents is None else {one.doc_id: one.get_content() for one in documents}
        self._chunks: dict[str, list[Chunk]] = {}
        self._taken: set[tuple[str, int, str]] = set()
        self._by_node: dict[str, Chunk] = {}
        for node in _all_nodes(index) if nodes is None else nodes:
            chunk = self._placed(node)
            self._by_node[node.node_id] = chunk
            self._chunks.setdefault(chunk.document, []).append(chunk)
        for chunks in self._chunks.values():
            chunks.sort(key=lambda chunk: chunk.start)
        if not self._chunks:
            raise EmptyCorpus(name)

    def scope(self, ids: Sequence[str]) -> tuple[str, ...]:
        unknown = [id_ for id_ in ids if id_ not in self._chunks]
        if unknown:
            raise UnknownDocument(unknown, self.name, self._chunks)
        return tuple(dict.fromkeys(ids)) or tuple(self._chunks)

    def tokens(self, document: str) -> int:
        return sum(chunk.tokens for chunk in self._chunks[document])

    def search(self, vector: Vectors, k: int, scope: Sequence[str] = ()) -> Hits:
        """In the store's order, with the store's own scores. Stores filter in many ways, and some not at all: more is
        asked for until enough of it is in scope."""
        allowed = set(scope) or self._chunks.keys()
        wanted = k
        while True:
            found = self._found(vector, wanted)
            hits = distinct([hit for hit in found if hit.chunk.document in allowed])
            if len(hits) >= k or len(found) < wanted or wanted >= len(self._by_node):
                return hits[:k]
            wanted = min(wanted * FURTHER, len(self._by_node))

    def chunks(self, document: str) -> list[Chunk]:
        return self._chunks[document]

    def document(self, id: str) -> Document:  # noqa: A002 (the field's own name)
        self.scope([id])
        text = (self._originals or {}).get(id)
        return Document(id, _joined(self._chunks[id]) if text is None else text, self.name)

    def warnings(self, document: str) -> tuple[str, ...]:
        """None: what another loader could not read it does not tell."""
        return ()

    def readable(self, document: str) -> float:
        return 1.0

    def page(self, document: str, at: int) -> int | None:
        return None

    def _found(self, vector: Vectors, wanted: int) -> list[Hit]:
        retriever = self._index.as_retriever(similarity_top_k=wanted)
        found = retriever.retrieve(QueryBundle("", embedding=[float(value) for value in vector]))
        unknown = [one.node_id for one in found if one.node_id not in self._by_node]
        if unknown:
            raise UnusableIndex(f"corpus {self.name!r} has new nodes since it was opened: make it anew")
        return [Hit(self._by_node[one.node_id], float(one.score or 0.0)) for one in found]

    def _placed(self, node: Any) -> Chunk:
        id_, text = node.ref_doc_id or node.node_id, node.get_content(MetadataMode.NONE)
        original = None if self._originals is None else self._originals.get(id_, "")
        start = getattr(node, "start_char_idx", None)
        if start is None and original is None and node.ref_doc_id is None:
            start = 0  # a node of no document is one
        if original is not None and (start is None or not original.startswith(text, start)):
            start = original.find(text)
        while original is not None and start is not None and (id_, start, text) in self._taken:
            start = original.find(text, start + 1)
        if start is None or start < 0 or (id_, start, text) in self._taken:
            said = "is not in it" if original is not None else "does not say, or says what another does"
            raise BadInput(f"where in document {id_!r} did node {node.node_id!r} stand? It {said}: give the documents")
        self._taken.add((id_, start, text))
        return Chunk(id_, start, start + len(text), text, _count(text))


def _all_nodes(index: VectorStoreIndex) -> list[BaseNode]:
    """From where the index keeps its nodes: beside the store, or in it."""
    beside = [node for node in index.docstore.docs.values() if not isinstance(node, TheirDocument)]
    if beside or not index.vector_store.stores_text:
        return beside
    try:
        return list(index.vector_store.get_nodes())
    except (NotImplementedError, AttributeError, TypeError) as error:
        kind = type(index.vector_store).__name__
        raise BadInput(f"{kind} does not list its nodes: give them, as it was filled with them") from error


def _joined(chunks: Sequence[Chunk]) -> str:
    """The text that chunks are of, each in its place."""
    parts: list[str] = []
    at = 0
    for chunk in chunks:
        parts += ["\n" * (chunk.start - at), chunk.text[max(at - chunk.start, 0) :]]
        at = max(at, chunk.end)
    return "".join(parts)


_TOKENS = tokenizer("", DEFAULT)


def _count(text: str) -> int:
    return _TOKENS.count(text)
