"""The bundled reader: points at a span of the text it is shown, or declines. English, CPU, int8 ONNX.

A chunk is one window, a document is sliding windows with overlap. In each window the score of a span is
`start + end` of its logits less those of the null position (Devlin et al. 2019); the best span over all
windows stands, and the reader declines when its score is below a threshold that was chosen on articles
kept out of training. Knows nothing of retrieval or policies.
"""

from __future__ import annotations

import asyncio
import re
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfroute import weights
from selfroute.errors import UnsupportedTask
from selfroute.types import Call, Citation, Draft, Passage, Reading, Record, Route, Shape, Usage

SPECIAL_PIECES = 3
"""[CLS] question [SEP] text [SEP]"""

WINDOW_PIECES = 240
"""Text in one window: a whole chunk, and the length that the reader was trained on."""

OVERLAP_PIECES = 60
"""By how much neighbouring windows of a document overlap, so that a sentence at an edge is seen whole."""

QUESTION_PIECES = 64
SPAN_PIECES = 30
"""The longest answer considered."""

QUOTE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch of a passage: word piece ids with character offsets in the passage."""

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Span:
    passage: Passage
    start: int
    end: int
    score: float


class ExtractiveReader:
    """`window` is a limit of patience: this reader can slide over any length, at a cost in time."""

    def __init__(self, window: int = 100_000, folder: Path = weights.FOLDER) -> None:
        self._model = weights.load("reader", folder)
        self.model: str = self._model.about["name"]
        self.window = window
        self._thresholds = {
            Route.RAG: float(self._model.about["threshold_chunks"]),
            Route.LONG_CONTEXT: float(self._model.about["threshold_documents"]),
        }
        self._split = lru_cache(maxsize=64)(self._windows)

    def count_tokens(self, reading: Reading) -> int:
        """Word pieces of all windows: the question and special pieces are repeated in each."""
        question = len(self._question(reading))
        sizes = [len(w.ids) for passage in reading.passages for w in self._split(passage.text)]
        return sum(sizes) + len(sizes) * (question + SPECIAL_PIECES)

    async def read(self, reading: Reading, record: Record) -> Draft:
        if reading.question.task.shape is not Shape.SPAN:
            raise UnsupportedTask(f"the bundled reader gives spans, not answers of shape {reading.question.task.shape}")
        if reading.question.text is None:
            raise UnsupportedTask("the bundled reader points at what a question asks for, and there is no question")
        _require_latin(reading.question.text)
        began = time.perf_counter()
        best = await asyncio.to_thread(self._best, reading)
        usage = Usage(input_tokens=await asyncio.to_thread(self.count_tokens, reading))
        await record(Call(reading.stage, self.model, usage, time.perf_counter() - began))
        return self._draft(reading, best)

    def _draft(self, reading: Reading, best: _Span | None) -> Draft:
        warnings: tuple[str, ...] = ()
        pieces = len(self._model.encode(reading.question.text or "").ids)
        if pieces > QUESTION_PIECES:
            warnings = (f"only the first {QUESTION_PIECES} of the question's {pieces} word pieces were used",)
        if best is None:
            return Draft(True, reading.route, warnings=warnings)
        text = best.passage.text[best.start : best.end]
        if best.score < self._thresholds[reading.route]:
            return Draft(True, reading.route, score=best.score, guess=text, warnings=warnings)
        return Draft(False, reading.route, text, (_citation(best),), best.score, text, warnings)

    def _best(self, reading: Reading) -> _Span | None:
        question = self._question(reading)
        windows = [(p, w) for p in reading.passages for w in self._split(p.text)]
        rows = []
        for _, window in windows:
            ids = [weights.CLS, *question, weights.SEP, *window.ids, weights.SEP]
            first = len(question) + 2
            rows.append(weights.Pieces(ids, [0] * first + [1] * (len(ids) - first)))
        best: _Span | None = None
        for (passage, window), (start, end) in zip(windows, self._model.run(rows), strict=True):
            first = len(question) + 2
            last = first + len(window.ids)
            i, j, score = best_span(start[first:last], end[first:last])
            score -= float(start[0] + end[0])
            if best is None or score > best.score:
                best = _Span(passage, window.offsets[i][0], window.offsets[j][1], score)
        return best

    def _question(self, reading: Reading) -> list[int]:
        return self._model.encode(reading.question.text or "").ids[:QUESTION_PIECES]

    def _windows(self, text: str) -> tuple[_Window, ...]:
        encoding = self._model.encode(text)
        ids, offsets = encoding.ids, encoding.offsets
        return tuple(
            _Window(tuple(ids[a:b]), tuple(offsets[a:b]))
            for a, b in slides(len(ids), WINDOW_PIECES, WINDOW_PIECES - OVERLAP_PIECES)
        )


def slides(length: int, size: int, stride: int) -> Iterator[tuple[int, int]]:
    """Half-open stretches of at most `size` that cover `length`; none for an empty text."""
    start = 0
    while start < length:
        yield start, min(start + size, length)
        if start + size >= length:
            return
        start += stride


def best_span(start: NDArray[np.float32], end: NDArray[np.float32]) -> tuple[int, int, float]:
    """The pair `i <= j < i + SPAN_PIECES` with the greatest `start[i] + end[j]`, and that sum."""
    n = len(start)
    allowed = np.tri(n, n, SPAN_PIECES - 1, dtype=bool) & ~np.tri(n, n, -1, dtype=bool)
    sums = np.where(allowed, start[:, None] + end[None, :], -np.inf)
    i, j = divmod(int(np.argmax(sums)), n)
    return i, j, float(sums[i, j])


def _citation(span: _Span) -> Citation:
    """The sentence (or line) that holds the span, so that a person can check it; at most a few lines."""
    text = span.passage.text
    low = max(span.start - QUOTE_CHARACTERS, 0)
    high = min(span.end + QUOTE_CHARACTERS, len(text))
    before = list(re.finditer(r"[.!?][\"')\]]?\s+|\n+", text[low : span.start]))
    start = low + before[-1].end() if before else low
    after = re.search(r"[.!?][\"')\]]?(?=\s)|(?=\n)", text[span.end : high])
    end = span.end + after.end() if after else high
    offset = span.passage.start
    return Citation(span.passage.document, None, offset + start, offset + end, text[start:end], span.score)


def _require_latin(question: str) -> None:
    letters = [c for c in question if c.isalpha()]
    foreign = [c for c in letters if not unicodedata.name(c, "").startswith("LATIN")]
    if len(foreign) * 2 > len(letters):
        script = unicodedata.name(foreign[0], "another").split()[0].title().replace("Cjk", "Chinese")
        raise UnsupportedTask(
            f"the bundled reader reads English only, and this question is in {script} script: ask in English, "
            "or name another reader in the settings"
        )
