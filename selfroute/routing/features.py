"""What can be known about a question for little or nothing before its documents are read: numbers, or `None` where
nobody tells.

Pure: computed from the question's words, the hits, an estimate and drafts. The question's kind is told by English
wording and is 0 in other languages. Knows nothing of models or weights.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from selfroute.routing.wording import worded, words
from selfroute.types import Draft, Estimate, Hits, Question, Readers

SHARPNESS = 20.0
"""What cosines are multiplied by before their entropy is taken."""

_COMPARES = re.compile(r"\b(compar\w*|differ\w*|versus|vs|than|between|both|relative|chang\w*|(in|de)creas\w*)\b", re.I)
_COUNTS = re.compile(r"\b(how many|number of|total|sum|average|percent\w*|ratio|all|most|list|count)\b", re.I)
_REASONS = re.compile(r"\b(why|how (does|do|did)|explain|reason\w*|impact|affect\w*|impl\w+|relationship)\b", re.I)
_WHOLE = re.compile(r"\b(summar\w*|main|overall|throughout|conclu\w*|purpose|(paper|document|report|text))\b", re.I)


@dataclass(frozen=True, slots=True)
class Features:
    """Of the question and its hits; from `declined` on of the chunk answer, and from `judge_score` on of what the
    bundled reader makes of the same chunks.

    `top`, `mean`, `gap` (best less last) and `entropy` (0 to 1, of how evenly they are spread) are of the hits'
    cosines, `cut` the share of the hits above their largest gap (adaptive-k, 2506.08479). `mentioned` and `worded` are
    shares of the question's and of the answer's own words in the hits. `share` is the part of the documents' tokens
    that was retrieved, `length` the natural logarithm of all of them. `confidence` and `judge_confidence` are log odds.
    `agreement` is the share of the bundled reader's span that the answer words; `None` where the bundled reader is the
    one that answered.
    """

    top: float | None
    mean: float | None
    gap: float | None
    entropy: float | None
    cut: float | None
    mentioned: float | None
    share: float | None
    length: float
    question_words: float
    compares: float
    counts: float
    reasons: float
    whole: float
    declined: float | None = None
    answer_words: float | None = None
    worded: float | None = None
    located: float | None = None
    confidence: float | None = None
    judge_score: float | None = None
    judge_confidence: float | None = None
    agreement: float | None = None

    def named(self) -> Mapping[str, float | None]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Judged:
    """`draft` is the bundled reader's of the hits: the chunk draft itself where it made that, `None` where it cannot
    read. `retrieval` is (embedder, k)."""

    draft: Draft | None
    readers: Readers
    retrieval: tuple[str, int]


def features(
    question: Question, hits: Hits, documents: Estimate, chunks: Draft | None = None, judged: Draft | None = None
) -> Features:
    """`documents` is what reading them would take. `judged` is the bundled reader's draft of the hits: `chunks` itself
    where it is the reader."""
    text = question.text or ""
    shown = [hit.chunk.text for hit in hits]
    scores = [hit.score for hit in hits]
    known = Features(
        top=scores[0] if hits else None,
        mean=math.fsum(scores) / len(scores) if hits else None,
        gap=scores[0] - scores[-1] if hits else None,
        entropy=_entropy(scores) if hits else None,
        cut=_cut(scores) if hits else None,
        mentioned=_share(words(text), set().union(*map(words, shown))) if hits and not _foreign(text) else None,
        share=min(1.0, sum(hit.chunk.tokens for hit in hits) / documents.tokens) if documents.tokens else None,
        length=math.log(max(documents.tokens, 1)),
        question_words=float(len(text.split())),
        compares=_says(_COMPARES, text),
        counts=_says(_COUNTS, text),
        reasons=_says(_REASONS, text),
        whole=_says(_WHOLE, text),
    )
    if chunks is not None:
        known = replace(known, **_of_draft(chunks, text, shown, own=judged is not chunks))
    if judged is not None:
        known = replace(known, **_of_judge(judged, chunks))
    return known


def _of_draft(draft: Draft, question: str, shown: list[str], own: bool) -> dict[str, Any]:
    stretch = worded(draft.answer or "", question, shown)
    told = None if _foreign(draft.answer or "") else 0.0
    return {
        "declined": float(draft.declined),
        "answer_words": math.log1p(len((draft.answer or "").split())),
        "worded": stretch.share if stretch else told,
        "located": float(bool(draft.citations)),
        "confidence": _odds(draft.confidence) if own else None,
    }


def _of_judge(judged: Draft, chunks: Draft | None) -> dict[str, Any]:
    told = {"judge_score": judged.score, "judge_confidence": _odds(judged.confidence)}
    if chunks is None or judged is chunks:
        return told
    return told | {"agreement": _share(words(judged.guess or ""), words(chunks.answer or ""))}


def _entropy(scores: list[float]) -> float:
    """Of the softmax of the scores, as a share of what equal scores have."""
    if len(scores) < 2:
        return 0.0
    weights = [math.exp(SHARPNESS * (score - scores[0])) for score in scores]
    total = math.fsum(weights)
    return -math.fsum(w / total * math.log(w / total) for w in weights if w) / math.log(len(scores))


def _cut(scores: list[float]) -> float:
    """The share of the hits that stand above the largest gap."""
    if len(scores) < 2:
        return 1.0
    gaps = [one - other for one, other in pairwise(scores)]
    return (gaps.index(max(gaps)) + 1) / len(scores)


def _share(wanted: set[str], held: set[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def _foreign(text: str) -> bool:
    """Whether it is written in letters of which no words are known: what then is not found tells nothing."""
    return not words(text) and any(c.isalpha() and c > "\u024f" for c in text)


def _says(pattern: re.Pattern[str], text: str) -> float:
    return float(bool(pattern.search(text)))


def _odds(probability: float | None) -> float | None:
    """Log odds, within what a probability can say."""
    if probability is None:
        return None
    kept = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))
