"""The bundled ONNX models and the one way to run them: text pieces in, arrays out, padded by length.

Each model is `NAME.onnx` with `NAME.json` (what it is called, its limits and thresholds); both share one
tokenizer. Knows nothing of questions, chunks or scores. `CARD.md` says how they were made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

FOLDER = Path(__file__).parent
BATCH_PIECES = 4096
"""Word pieces, padding included, that one run may hold: bounds memory and keeps two cores busy."""

CLS, SEP = 101, 102


@dataclass(frozen=True, slots=True)
class Pieces:
    """One input row: word piece ids and segment ids (0 or 1), of equal length."""

    ids: Sequence[int]
    types: Sequence[int]


class Model:
    """A bundled model with its tokenizer."""

    def __init__(self, folder: Path, name: str) -> None:
        self.about: Mapping[str, Any] = json.loads((folder / f"{name}.json").read_text())
        self._tokenizer = tokenizer(folder)
        options = ort.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(folder / f"{name}.onnx"), options, ["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def encode(self, text: str) -> Encoding:
        """Word pieces with character offsets, without special tokens, never truncated."""
        return self._tokenizer.encode(text, add_special_tokens=False)

    def run(self, rows: Sequence[Pieces]) -> list[tuple[NDArray[np.float32], ...]]:
        """Each row's outputs in the order of `rows`; rows of like length share a run."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids))
        results: list[tuple[NDArray[np.float32], ...]] = [()] * len(rows)
        at = 0
        while at < len(order):
            size = 1
            while at + size < len(order) and len(rows[order[at + size]].ids) * (size + 1) <= BATCH_PIECES:
                size += 1
            batch = order[at : at + size]
            outputs = self._session.run(self._outputs, _padded([rows[i] for i in batch]))
            for place, row in enumerate(batch):
                results[row] = tuple(np.asarray(output[place], dtype=np.float32) for output in outputs)
            at += size
        return results


def _padded(rows: Sequence[Pieces]) -> dict[str, NDArray[np.int64]]:
    shape = (len(rows), max(len(row.ids) for row in rows))
    ids, types, mask = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for number, row in enumerate(rows):
        length = len(row.ids)
        ids[number, :length] = row.ids
        types[number, :length] = row.types
        mask[number, :length] = 1
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


@cache
def load(name: str, folder: Path = FOLDER) -> Model:
    """The bundled model `embedder` or `reader`, loaded once in a process."""
    return Model(folder, name)


@cache
def tokenizer(folder: Path = FOLDER) -> Tokenizer:
    loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded
