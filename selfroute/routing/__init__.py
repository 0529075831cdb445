"""What speaks for an answer, and which of two is the better supported one. Pure: values in, values out."""

from __future__ import annotations

from selfroute.types import Draft, Shape


def supported(draft: Draft, shape: Shape) -> bool:
    """Whether a draft answers and text that was shown proves it, where text can."""
    return not draft.declined and (bool(draft.citations) or not shape.in_words)


def better_supported(drafts: tuple[Draft, ...]) -> Draft:
    """The draft for which most speaks: that it answers, that text proves it, its reader's confidence, how like the
    text its quotes are. The first of equals."""
    return max(drafts, key=_support)


def _support(draft: Draft) -> tuple[bool, bool, float, float]:
    likeness = [citation.score for citation in draft.citations if citation.score is not None]
    return (
        not draft.declined,
        bool(draft.citations),
        draft.confidence or 0.0,
        max(likeness, default=0.0),
    )
