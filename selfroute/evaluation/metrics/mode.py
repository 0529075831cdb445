"""Strict or fixed: whether an official scorer's faults are kept, and every place where the two differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Mode = Literal["strict", "fixed"]
"""`strict` gives the official scorer's result, its faults included, except where it would have met a limit of the
interpreter (depth of recursion, digits of an integer): there it gives what the scorer's own arithmetic gives without
the limit. `fixed` corrects what `CORRECTIONS` lists and nothing else."""

CORRECTIONS: Mapping[str, str] = {
    "classification": (
        "every class that is a proper part of the right one is dropped; the original removes from the list while it "
        "goes through it and so skips the class after each one it drops"
    ),
    "rouge": (
        "a blank piece between or after full stops is no sentence; the original counts it as one empty word, which "
        "costs precision and matches another such piece"
    ),
    "rouge_zh": "as rouge",
    "first_number": (
        "a whole label equals the first number by value, so 3.0 is 3; the original stops with an error where that "
        "number has a point, which strict scores 0"
    ),
}
"""Metric -> what `fixed` does otherwise. Every other metric gives the same in both modes."""
