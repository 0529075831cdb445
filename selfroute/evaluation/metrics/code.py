"""How alike two lines of code are, as LongBench scores lcc and repobench-p."""

from __future__ import annotations

from selfroute.evaluation.metrics.sequences import common_length


def code_similarity(prediction: str, answer: str) -> float:
    """The likeness of the prediction's first line of code and the answer, 0 to 1 in steps of 0.01.

    The first line of code is the first, after leading line breaks, without a backtick, # or //; none is "".
    """
    lines = prediction.lstrip("\n").split("\n")
    line = next((line for line in lines if not ("`" in line or "#" in line or "//" in line)), "")
    return percent(line, answer) / 100


def percent(one: str, other: str) -> int:
    """fuzzywuzzy's `fuzz.ratio` over python-Levenshtein: 100 (1 - d / n) to a whole percent, halves to even.

    d counts insertions and deletions, n the characters of both. Equal texts are 100, an empty one otherwise 0.
    """
    if one == other:
        return 100
    if not one or not other:
        return 0
    total = len(one) + len(other)
    distance = total - 2 * common_length(one, other)
    return round(100 * (1 - distance / total))
