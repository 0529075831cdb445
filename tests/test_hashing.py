"""The embedder for tests: the same everywhere, and alike only where words are shared."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.embedders import Embedder
from selfroute.embedders.hashing import HashingEmbedder

texts = st.lists(st.text(max_size=40), min_size=1, max_size=8)


def test_it_is_an_embedder() -> None:
    embedder: Embedder = HashingEmbedder(dimension=32)
    assert (embedder.name, embedder.dimension) == ("hashing-32", 32)


@given(texts)
def test_every_text_becomes_a_unit_vector(given_: list[str]) -> None:
    vectors = HashingEmbedder().embed(given_).vectors
    assert vectors.shape == (len(given_), 64)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


@given(texts)
def test_a_vector_does_not_depend_on_its_neighbours(given_: list[str]) -> None:
    embedder = HashingEmbedder()
    together = embedder.embed(given_).vectors
    assert all(
        np.array_equal(embedder.embed([text]).vectors[0], row) for text, row in zip(given_, together, strict=True)
    )


def test_shared_words_are_what_makes_texts_alike() -> None:
    [question, owner, other] = HashingEmbedder().embed(["Harbour master?", "the harbour MASTER", "tall pines"]).vectors
    assert question @ owner > 0.5 > question @ other


@pytest.mark.end_to_end
def test_another_process_makes_the_same_vectors() -> None:
    program = "from selfroute.embedders.hashing import HashingEmbedder as E; print(E().embed(['a b']).vectors.tolist())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(HashingEmbedder().embed(["a b"]).vectors.tolist())


def test_a_token_is_a_word_or_a_mark() -> None:
    embedder = HashingEmbedder()
    assert embedder.count_tokens("Who, me?") == 4
    assert embedder.embed(["Who, me?", "", "yes"]).tokens == 5


def test_no_texts_are_no_vectors() -> None:
    embedded = HashingEmbedder().embed([])
    assert (embedded.vectors.shape, embedded.tokens) == ((0, 64), 0)
