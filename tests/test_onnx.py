"""The bundled embedder: unit vectors that depend on nothing but the text, and a count of what was really embedded."""

from __future__ import annotations

import numpy as np
import pytest

from selfroute import weights
from selfroute.embedders import Embedder
from selfroute.embedders.onnx import OnnxEmbedder

pytestmark = pytest.mark.end_to_end

TEXTS = [
    "The harbour master approves night work on the quay.",
    "Who gives permission to work at night in the port?",
    "Pancakes are made of flour, milk and eggs.",
    "Hm.",
    "",
    "The wind often turns in the afternoon. " * 20,
]


@pytest.fixture(scope="module")
def embedder() -> OnnxEmbedder:
    return OnnxEmbedder()


def test_it_is_an_embedder_that_is_named_in_its_indexes(embedder: OnnxEmbedder) -> None:
    seam: Embedder = embedder
    assert (seam.name, seam.dimension) == ("selfroute/all-MiniLM-L6-v2-int8", 384)


def test_it_reads_no_more_than_its_256_positions_less_the_special_ones(embedder: OnnxEmbedder) -> None:
    assert embedder.max_tokens == 254


def test_every_text_becomes_a_unit_vector(embedder: OnnxEmbedder) -> None:
    vectors = embedder.embed(TEXTS).vectors
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_vector_does_not_depend_on_its_neighbours(embedder: OnnxEmbedder) -> None:
    together = embedder.embed([*TEXTS, *reversed(TEXTS)]).vectors
    alone = np.stack([embedder.embed([text]).vectors[0] for text in TEXTS])
    assert np.array_equal(together[: len(TEXTS)], alone)
    assert np.array_equal(together[len(TEXTS) :], alone[::-1])


def test_what_means_the_same_is_closer_than_what_does_not(embedder: OnnxEmbedder) -> None:
    rule, question, pancakes = embedder.embed(TEXTS[:3]).vectors
    assert rule @ question > 0.5
    assert rule @ pancakes < 0.3


def test_the_tokens_are_the_word_pieces_with_the_special_ones(embedder: OnnxEmbedder) -> None:
    tokenizer = weights.tokenizer()
    assert embedder.embed(TEXTS[:3]).tokens == sum(len(tokenizer.encode(text).ids) for text in TEXTS[:3])


def test_counting_leaves_the_special_pieces_out_and_cuts_nothing(embedder: OnnxEmbedder) -> None:
    assert embedder.count_tokens("harbour") == 1
    assert embedder.count_tokens("harbour " * 1000) == 1000
    assert embedder.count_tokens("") == 0


def test_a_text_that_is_just_short_enough_is_embedded_to_its_end(embedder: OnnxEmbedder) -> None:
    fits = "harbour " * (embedder.max_tokens - 1)
    assert embedder.embed([fits + "pancake"]).tokens == embedder.max_tokens + 2
    assert not np.array_equal(embedder.embed([fits + "pancake"]).vectors, embedder.embed([fits + "lighthouse"]).vectors)


def test_what_is_past_the_limit_is_neither_embedded_nor_counted(embedder: OnnxEmbedder) -> None:
    limit = "harbour " * embedder.max_tokens
    whole, longer = embedder.embed([limit]), embedder.embed([limit + "pancakes are made of flour"])
    assert np.array_equal(whole.vectors, longer.vectors)
    assert longer.tokens == whole.tokens == embedder.max_tokens + 2


def test_no_texts_are_no_vectors(embedder: OnnxEmbedder) -> None:
    embedded = embedder.embed([])
    assert (embedded.vectors.shape, embedded.tokens) == ((0, 384), 0)


def test_similarities_are_the_same_on_a_processor_that_adds_int8_up_in_16_bits() -> None:
    """Where the sums overflow, as without VNNI, the first was 0.187 and the second 0.359."""
    asked = ["What does the tug Ulv cost an hour?", "What did mobile crane M2 cost to buy?"]
    power = (
        "Shore power is available at berths 5, 7 and 9: 6.6 kilovolts at Project Quay, 11 kilovolts at Ferry Berth "
        "East and 400 volts at Fishing Quay. Since 1 January 2022 a ship that lies longer than four hours at one of "
        "these berths must connect if it has the equipment."
    )
    tug, crane, about = OnnxEmbedder().embed([*asked, power]).vectors
    assert [float(tug @ about), float(crane @ about)] == pytest.approx([0.2238, 0.3245], abs=0.01)
