"""The bundled reader: points at a span of the text it is shown, or declines. English, CPU, int8 ONNX.

A chunk is one window, a document is sliding windows with overlap. The score of a span is `start + end` of its
logits less those of its window's null position (Devlin et al. 2019). The best span over all windows stands; which
is best also depends on how much of the question its window mentions, since of a hundred windows some look like an
answer by chance. The reader declines when the score is below a threshold that was chosen on articles kept out of
training. What speaks for the span (`evidence`) becomes a probability of being right, fitted there too. Chunks and
documents have their own numbers. Knows nothing of retrieval or policies.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfroute import weights
from selfroute.errors import UnsupportedTask
from selfroute.readers.evidence import Calibration, Evidence, lead, mentioned
from selfroute.readers.spans import sentence_around, widened
from selfroute.readers.windows import BARRED, SPECIAL_PIECES, Windows
from selfroute.types import Call, Citation, Draft, Passage, Reading, Record, Route, Shape, Shown, Usage
from selfroute.waiting import in_thread, long_threads, never

QUESTION_PIECES = 64
SPAN_PIECES = 30
"""The longest answer considered."""

MENTION = 4.0
"""Logits that the spans of a window gain where it mentions all of the question; chosen on dev (2 to 6 are alike)."""


@dataclass(frozen=True, slots=True)
class _Span:
    """The best span of one window: `score` as above, `claim` what it is chosen by."""

    passage: Passage
    start: int
    end: int
    score: float
    claim: float

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Found:
    """The best answer of a reading of so many windows: characters `start:end` of `passage`, and what speaks for it."""

    passage: Passage
    start: int
    end: int
    evidence: Evidence
    windows: int

    @property
    def text(self) -> str:
        """On one line, whatever lines it stands on."""
        return " ".join(self.passage.text[self.start : self.end].split())


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
        self._calibrations = {
            Route.RAG: Calibration.of(self._model.about["confidence_chunks"]),
            Route.LONG_CONTEXT: Calibration.of(self._model.about["confidence_documents"]),
        }
        self._windows = Windows(self._model.encode)
        self._threads = long_threads()

    @property
    def max_output_tokens(self) -> int:
        """It points at what stands there."""
        return 0

    @property
    def counted_by(self) -> str:
        return "its own word pieces"

    def count_tokens(self, reading: Reading) -> int:
        """Word pieces of all windows: the question, a table's header and special pieces are repeated in each."""
        question = len(self._question(reading))
        sizes = [self._windows.pieces(passage, reading.question.text or "") for passage in reading.passages]
        return sum(pieces + windows * (question + SPECIAL_PIECES) for pieces, windows in sizes)

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        if reading.question.task.shape is not Shape.SPAN:
            raise UnsupportedTask(f"the bundled reader gives spans, not answers of shape {reading.question.task.shape}")
        if reading.question.text is None:
            raise UnsupportedTask("the bundled reader points at what a question asks for, and there is no question")
        _require_latin(reading.question.text)
        began = time.perf_counter()
        found = await in_thread(self._threads, lambda given_up: self.find(reading, given_up))
        usage = Usage(input_tokens=await asyncio.to_thread(self.count_tokens, reading))
        await record(Call(reading.stage, self.model, usage, time.perf_counter() - began))
        return self._draft(reading, found)

    def _draft(self, reading: Reading, found: Found | None) -> Draft:
        warnings: tuple[str, ...] = ()
        pieces = len(self._model.encode(reading.question.text or "").ids)
        if pieces > QUESTION_PIECES:
            warnings = (f"only the first {QUESTION_PIECES} of the question's {pieces} word pieces were used",)
        if found is None:
            return Draft(True, reading.route, warnings=warnings)
        score, confidence = found.evidence.score, self._calibrations[reading.route].probability(found.evidence)
        draft = Draft(True, reading.route, None, (), score, found.text, warnings, confidence)
        if score < self._thresholds[reading.route]:
            return draft
        return replace(draft, declined=False, answer=found.text, citations=(_citation(found),))

    def find(self, reading: Reading, given_up: Callable[[], bool] = never) -> Found | None:
        """The best span over all windows with its evidence, declined or not; `None` if there is no text.

        Raises `GivenUp` between two windows once `given_up` says so.
        """
        asked = reading.question.text or ""
        question = self._question(reading)
        windows = [(p, w) for p in reading.passages for w in self._windows.of(p, asked)]
        rows = []
        for _, window in windows:
            ids = [weights.CLS, *question, weights.SEP, *window.header, *window.ids, weights.SEP]
            rows.append(weights.Pieces(ids, [0] * (len(question) + 2) + [1] * (len(ids) - len(question) - 2)))
        spans = []
        texts = [f"{w.named}\n{p.text[w.offsets[0][0] : w.offsets[-1][1]]}" for p, w in windows]
        outputs = self._model.run(rows, given_up)
        shares = mentioned(asked, texts)
        for (passage, window), share, (start, end) in zip(windows, shares, outputs, strict=True):
            first = len(question) + 2 + len(window.header)
            last = first + len(window.ids)
            i, j, sum_ = best_span(start[first:last], end[first:last], window.parts)
            score = sum_ - float(start[0] + end[0])
            low, high = window.offsets[i][0], window.offsets[j][1]
            if sum_ > -np.inf:  # all of it repeats the question
                spans.append(_Span(passage, low, high, score, score + MENTION * share))
        if not spans:
            return None
        best = max(spans, key=lambda span: span.claim)
        rivals = [span.claim for span in spans if not _alike(span.text, best.text)]
        evidence = Evidence(best.score, lead(best.claim, rivals))
        start_, end_ = widened(best.passage.text, best.start, best.end)
        return Found(best.passage, start_, end_, evidence, len(windows))

    def _question(self, reading: Reading) -> list[int]:
        return self._model.encode(reading.question.text or "").ids[:QUESTION_PIECES]


def best_span(
    start: NDArray[np.float32], end: NDArray[np.float32], parts: Sequence[int] = ()
) -> tuple[int, int, float]:
    """The pair `i <= j < i + SPAN_PIECES` with the greatest `start[i] + end[j]`, and that sum; of those within one of
    `parts`, where these are given. The sum is minus infinity where all are barred."""
    n = len(start)
    allowed = np.tri(n, n, SPAN_PIECES - 1, dtype=bool) & ~np.tri(n, n, -1, dtype=bool)
    if parts:
        part = np.asarray(parts)
        allowed &= (part[:, None] == part[None, :]) & (part[:, None] != BARRED)
    sums = np.where(allowed, start[:, None] + end[None, :], -np.inf)
    i, j = divmod(int(np.argmax(sums)), n)
    return i, j, float(sums[i, j])


def _alike(one: str, other: str) -> bool:
    """Whether two answers are the same or one holds the other: no rivals, and often the same place seen twice."""
    one, other = one.lower(), other.lower()
    return one in other or other in one


def _citation(span: Found) -> Citation:
    """The sentence or row that holds the span, so that a person can check it."""
    start, end = sentence_around(span.passage.text, span.start, span.end)
    offset = span.passage.start
    text = span.passage.text[start:end]
    return Citation(span.passage.document, None, offset + start, offset + end, text, span.evidence.score)


def _require_latin(question: str) -> None:
    letters = [c for c in question if c.isalpha()]
    foreign = [c for c in letters if not unicodedata.name(c, "").startswith("LATIN")]
    if len(foreign) * 2 > len(letters):
        script = unicodedata.name(foreign[0], "another").split()[0].title().replace("Cjk", "Chinese")
        raise UnsupportedTask(
            f"the bundled reader reads English only, and this question is in {script} script: ask in English, "
            "or name another reader in the settings"
        )
