"""What LlamaIndex needs in tests: an embedding model without a download."""

from __future__ import annotations

from llama_index.core.base.embeddings.base import BaseEmbedding

from selfroute.embedders.hashing import HashingEmbedder


class Hashed(BaseEmbedding):
    """Embeds by the words of a text, for LlamaIndex; of another dimension than ours in other tests."""

    model_name: str = "hashed"

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(value) for value in HashingEmbedder(96).embed([text]).vectors[0]]
