"""The letter that a prediction chooses among four, as LongBench v2 finds it."""

from __future__ import annotations

import re


def chosen(prediction: str) -> str | None:
    """The letter after "The correct answer is", in parentheses if there is one such, asterisks ignored."""
    plain = prediction.replace("*", "")
    found = re.search(r"The correct answer is \(([A-D])\)", plain) or re.search(r"The correct answer is ([A-D])", plain)
    return found.group(1) if found else None


def multiple_choice(prediction: str, answer: str) -> float:
    """1 if the chosen letter is `answer`, else 0; a prediction that chooses nothing is wrong, not left out."""
    return float(chosen(prediction) == answer)
