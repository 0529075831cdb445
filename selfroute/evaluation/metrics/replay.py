"""Whether a real model's recorded answer is right: free text against one reference, in words.

Where the document holds the answer, a prediction is right if it recalls at least 0.6 of the reference's content
tokens; where it does not, if it refuses. Recall rewards long answers: report token F1 beside it.
"""

from __future__ import annotations

import re
from collections import Counter

RECALL = 0.6
REFUSAL_CHARACTERS = 400
"""A refusal stands at the beginning of an answer."""

_WORDS = """
a an the of in to and is are was were for on by with as that this it its at from be which or not than their has have
had
"""
FUNCTION_WORDS = frozenset(_WORDS.split())
_VERBS = "mention|provide|discuss|address|contain|include|specif|state|disclose|available|enough|answer|find|give|have"
_DONE = "provided|mentioned|specified|available|disclosed|addressed|discussed"
_REFUSAL = re.compile(
    rf"(?:does not|do not|doesn't|don't|did not|cannot|can't|not) (?:explicitly |specifically |directly )?(?:{_VERBS})"
    rf"|no (?:information|mention|specific|details|evidence)|unable to|not (?:{_DONE})|unanswerable|insufficient",
    re.IGNORECASE,
)


def is_right(prediction: str, reference: str, answerable: bool) -> bool:
    return recall(prediction, reference) >= RECALL if answerable else refuses(prediction)


def recall(prediction: str, reference: str) -> float:
    """The share (0 to 1) of the reference's content tokens that the prediction holds."""
    wanted = content_tokens(reference)
    return (wanted & content_tokens(prediction)).total() / max(1, wanted.total())


def refuses(prediction: str) -> bool:
    """Whether the answer says that it cannot be given; English only."""
    return bool(_REFUSAL.search(prediction[:REFUSAL_CHARACTERS]))


def content_tokens(text: str) -> Counter[str]:
    """Words and numbers without function words; thousands' commas do not count."""
    words = re.findall(r"[a-z0-9][a-z0-9.,]*", text.lower())
    return Counter(word.rstrip(".,").replace(",", "") for word in words if word not in FUNCTION_WORDS)
