"""The bundled models: all there, alike in their tokenizer, and giving each row its own outputs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from selfroute import weights
from selfroute.waiting import GivenUp
from selfroute.weights import CLS, SEP, Pieces

pytestmark = pytest.mark.end_to_end

NAMES = ("embedder", "reader")
TEXT = "Överenskommelse: the harbour master's 2nd deputy, 😀 Anna Lind. " * 20


@pytest.mark.parametrize("name", NAMES)
def test_a_model_travels_with_what_must_be_known_of_it(name: str) -> None:
    assert (weights.FOLDER / f"{name}.onnx").stat().st_size > 1_000_000
    assert weights.load(name).about["name"].startswith("selfroute/")


def test_how_they_were_made_is_told_beside_them() -> None:
    assert (weights.FOLDER / "CARD.md").read_text(encoding="utf-8").startswith("#")


def test_the_reader_has_a_threshold_for_each_route() -> None:
    about = weights.load("reader").about
    assert isinstance(about["threshold_chunks"], int | float)
    assert isinstance(about["threshold_documents"], int | float)


def test_a_model_is_loaded_once() -> None:
    assert weights.load("embedder") is weights.load("embedder")


def test_the_special_pieces_are_those_of_the_tokenizer() -> None:
    tokenizer = weights.tokenizer()
    assert (tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")) == (CLS, SEP)


def test_text_is_encoded_whole_and_without_special_pieces() -> None:
    encoding = weights.load("reader").encode("harbour " * 3000)
    assert len(encoding.ids) == 3000
    assert not {CLS, SEP} & set(encoding.ids)


def test_each_piece_knows_the_characters_that_it_stands_for() -> None:
    encoding = weights.load("reader").encode(TEXT)
    ends = [0]
    for piece, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
        assert ends[-1] <= start < end
        assert TEXT[ends[-1] : start].strip() == ""
        if piece.isascii() and not piece.startswith("["):
            assert len(TEXT[start:end]) == len(piece.removeprefix("##"))
        ends.append(end)
    assert TEXT[ends[-1] :].strip() == ""


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_are_no_outputs(name: str) -> None:
    assert weights.load(name).run([]) == []


def test_the_reader_gives_a_start_and_an_end_logit_for_each_piece() -> None:
    rows = [row(text) for text in ("Hm.", TEXT, "The quay is long.")]
    outputs = weights.load("reader").run(rows)
    assert [(start.shape, end.shape) for start, end in outputs] == [((len(r.ids),), (len(r.ids),)) for r in rows]


@pytest.mark.parametrize("name", NAMES)
def test_a_rows_outputs_depend_on_neither_its_place_nor_its_neighbours(name: str) -> None:
    model = weights.load(name)
    rows = [row(text) for text in ("The quay is long.", TEXT, "Hm.", TEXT[: len(TEXT) // 2], "Who built it?")]
    alone = [model.run([one])[0] for one in rows]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 2, 0, 2, 1]):
        for place, outputs in zip(order, model.run([rows[i] for i in order]), strict=True):
            assert all(np.array_equal(mine, other) for mine, other in zip(alone[place], outputs, strict=True))


def test_the_segment_of_a_piece_matters() -> None:
    ids = row("The quay is long.").ids
    [(one, _), (other, _)] = weights.load("reader").run(
        [Pieces(ids, [0] * len(ids)), Pieces(ids, [0] * 3 + [1] * (len(ids) - 3))]
    )
    assert not np.array_equal(one, other)


def test_running_a_model_leaves_no_telemetry_at_home(tmp_path: Path) -> None:
    program = "from selfroute.embedders.onnx import OnnxEmbedder; OnnxEmbedder().embed(['who?'])"
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    subprocess.run([sys.executable, "-c", program], check=True, env=kept | {"HOME": str(tmp_path)})
    assert list(tmp_path.rglob("*")) == []


def row(text: str) -> Pieces:
    ids = [CLS, *weights.tokenizer().encode(text, add_special_tokens=False).ids, SEP]
    return Pieces(ids, [0] * len(ids))


def test_rows_that_nobody_waits_for_any_more_are_not_run() -> None:
    rows = [Pieces([CLS, 2000 + number, SEP], [0, 0, 0]) for number in range(50)]
    said = iter([False] * 3 + [True] * 50)
    with pytest.raises(GivenUp):
        weights.load("reader").run(rows, lambda: next(said))
    with pytest.raises(GivenUp):
        weights.load("reader").run(rows[:1], lambda: True)
