"""The bundled ONNX models and the one way to run them: word pieces in, arrays out, the same whatever runs beside.

Each model is `NAME.onnx` with `NAME.json` (what it is called, its limits and thresholds); both share one
tokenizer. Knows nothing of questions, chunks or scores. `CARD.md` says how they were made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

# From 1.29 on, onnxruntime tells its maker about models and runs, unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

from selfroute.waiting import GivenUp, never

FOLDER = Path(__file__).parent
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
        options.intra_op_num_threads = 1  # the cores are kept busy by rows, see `run`
        options.log_severity_level = 3
        # A processor without VNNI adds products of int8 up in 16 bits, where they overflow: similarities were off by up
        # to 0.05 and F1 by up to 3 points there. This takes a third more time on those, and changes nothing on others.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self._session = ort.InferenceSession(str(folder / f"{name}.onnx"), options, ["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def encode(self, text: str) -> Encoding:
        """Word pieces with character offsets, without special tokens, never truncated."""
        return self._tokenizer.encode(text, add_special_tokens=False)

    def run(
        self, rows: Sequence[Pieces], given_up: Callable[[], bool] = never
    ) -> list[tuple[NDArray[np.float32], ...]]:
        """Each row's outputs in the order of `rows`; raises `GivenUp` before the next row once `given_up` says so.

        A row is a run of its own, one thread a core. In a batch the int8 scales are those of the whole batch, so
        that a row's outputs would depend on its neighbours (scores by up to 1); and a batch is not faster here.
        """

        def one(row: Pieces) -> tuple[NDArray[np.float32], ...]:
            if given_up():
                raise GivenUp
            return self._one(row)

        if len(rows) < 2:
            return [one(row) for row in rows]
        with ThreadPoolExecutor(min(_cores(), len(rows))) as pool:
            return list(pool.map(one, rows))

    def _one(self, row: Pieces) -> tuple[NDArray[np.float32], ...]:
        inputs = {"input_ids": row.ids, "token_type_ids": row.types, "attention_mask": [1] * len(row.ids)}
        outputs = self._session.run(self._outputs, {k: np.asarray([v], dtype=np.int64) for k, v in inputs.items()})
        return tuple(np.asarray(output[0], dtype=np.float32) for output in outputs)


def _cores() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def load(name: str, folder: Path = FOLDER) -> Model:
    """The bundled model `embedder` or `reader`, loaded once in a process."""
    return Model(folder, name)


def hashes(folder: Path = FOLDER) -> dict[str, str]:
    """Hex SHA-256 of each file that decides what the models do."""
    files = sorted([*folder.glob("*.onnx"), *folder.glob("*.json")])
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


@cache
def tokenizer(folder: Path = FOLDER) -> Tokenizer:
    loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded
