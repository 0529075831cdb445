"""Real models' recorded answers as readers: one for each model in a file.

Each line: `model, dataset, doc_id, input, rag, long` (and the reference, which the dataset itself brings).
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.evaluation.metrics.replay import refuses
from selfroute.readers.recorded import AnswersReader, Said
from selfroute.routing.wording import worded
from selfroute.types import Citation, Reading

WORDED = 0.7
"""The share of an answer's words, by their rarity, that one stretch must hold; chosen on these answers (0.6 to 0.8 are
alike)."""


def read_answers(path: Path, count: Callable[[str], int]) -> list[AnswersReader]:
    """A reader for each model, in the order of the file. Raises `UnreadableFile`."""
    said: dict[str, dict[tuple[str, str], Said]] = {}
    try:
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    model, document, question, rag, long = _texts(json.loads(line))
                    said.setdefault(model, {})[document, question] = Said(rag, long)
                except (ValueError, KeyError, TypeError) as error:
                    raise UnreadableFile(path, f"line {number} is not a recorded answer ({error!r})") from error
    except OSError as error:
        raise UnreadableFile(path, (error.strerror or str(error)).lower()) from error
    except (lzma.LZMAError, UnicodeDecodeError, EOFError) as error:
        raise UnreadableFile(path, f"cannot be decoded ({error}): fetch it again") from error
    if not said:
        raise UnreadableFile(path, "holds no recorded answers")
    # Every model and policy counts the same few documents.
    counted = lru_cache(maxsize=1024)(count)
    return [AnswersReader(model, answers, refuses, counted, cited) for model, answers in said.items()]


def cited(answer: str, reading: Reading) -> tuple[Citation, ...]:
    """The stretch of what is shown that holds `WORDED` of the answer's own words: it stands in for the quotes, which
    were not recorded."""
    found = worded(answer, reading.question.text or "", [passage.text for passage in reading.passages])
    if found is None or found.share < WORDED:
        return ()
    passage = reading.passages[found.text]
    start, end = passage.start + found.start, passage.start + found.end
    return (Citation(passage.document, None, start, end, passage.text[found.start : found.end], found.share),)


def _texts(row: Any) -> list[str]:
    """Raises `KeyError` or `TypeError`."""
    texts = [row[name] for name in ("model", "doc_id", "input", "rag", "long")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("all of it must be text")
    return texts
