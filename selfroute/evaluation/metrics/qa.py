"""Token F1 of short answers, as LongBench's `qa_f1` defines it (after Rajpurkar et al. 2016)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence

UNANSWERABLE = "unanswerable"
"""The reference of a question whose document holds no answer (Qasper's convention in LongBench), and what a
decline is scored as."""

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(text: str) -> list[str]:
    """Tokens: lower case, without ASCII punctuation, without a, an, the."""
    plain = text.lower().translate(_PUNCTUATION)
    return re.sub(r"\b(a|an|the)\b", " ", plain).split()


def multiset_f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    """Harmonic mean of precision and recall over the multiset of tokens, 0 to 1; 0 if they share none."""
    shared = sum((Counter(said) & Counter(wanted)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def token_f1(prediction: str, reference: str) -> float:
    """F1 over the multiset of normalised tokens, 0 to 1."""
    return multiset_f1(normalized(prediction), normalized(reference))


def best_f1(prediction: str | None, references: Iterable[str]) -> float:
    """The best token F1 over the references, 0 to 1; no prediction (a decline) is scored as "unanswerable"."""
    said = UNANSWERABLE if prediction is None else prediction
    return max((token_f1(said, reference) for reference in references), default=0.0)
