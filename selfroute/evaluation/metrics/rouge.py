"""ROUGE-L as two packages define it: `rouge` (LongBench) and `rouge-score` (InfiniteBench). Pure functions of text.

Both take a longest common subsequence for each pair of sentences; `rouge` then counts different words, `rouge-score`
counts words. Neither is recursive here.
"""

from __future__ import annotations

import re
from collections import Counter

from selfroute.evaluation.metrics.mode import Mode
from selfroute.evaluation.metrics.sequences import common_pairs

SMALL = 1e-8
"""What the `rouge` package adds to a denominator: a text scores 0.999999995 against itself, not 1."""


def rouge_l(prediction: str, reference: str, mode: Mode = "strict") -> float:
    """ROUGE-L F, 0 to 1, of the `rouge` package 1.0.1: sentences end at full stops, words at white space.

    All words that lie on the common subsequence of any two sentences form one set; precision and recall are its share
    of the different words of each side. A side without a sentence (empty, or only full stops) scores 0: there the
    package raises, which LongBench scores 0.
    """
    said, wanted = _sentences(prediction, mode), _sentences(reference, mode)
    if not said or not wanted:
        return 0.0
    found: set[str] = set()
    for one in wanted:
        for other in said:
            if set(one) & set(other) - found:
                found.update(one[i] for i, _ in common_pairs(one, other))
    precision, recall = len(found) / len(set().union(*said)), len(found) / len(set().union(*wanted))
    return 2.0 * ((precision * recall) / (precision + recall + SMALL))


def rouge_lsum(prediction: str, reference: str) -> float:
    """rougeLsum F, 0 to 1, of the `rouge-score` package without stemming: sentences end at line breaks, words are
    runs of a-z and 0-9 in lower case, and no word is hit more often than it stands in the prediction."""
    said, wanted = _lines(prediction), _lines(reference)
    spare = Counter(word for line in said for word in line)
    total, hits = spare.total(), 0
    for one in wanted:
        for position in {j for other in said for _, j in common_pairs(other, one)}:
            if spare[one[position]]:
                spare[one[position]] -= 1
                hits += 1
    if not hits:
        return 0.0
    precision, recall = hits / total, hits / sum(len(line) for line in wanted)
    return 2 * precision * recall / (precision + recall)


def _sentences(text: str, mode: Mode) -> list[list[str]]:
    parts = [part.split() for part in text.split(".") if part]
    return [words for words in parts if words] if mode == "fixed" else [words or [""] for words in parts]


def _lines(text: str) -> list[list[str]]:
    return [re.findall("[a-z0-9]+", line.lower()) for line in text.split("\n")]
