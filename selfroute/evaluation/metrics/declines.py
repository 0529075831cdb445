"""How well a reader declines: counts over judged questions. Knows nothing of how an answer was judged right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """One question: whether its document holds an answer, whether the reader declined, and, if it answered, whether
    that was right. `right` counts only where an answerable question was answered."""

    answerable: bool
    declined: bool
    right: bool = False


@dataclass(frozen=True, slots=True)
class Declines:
    """Counts of questions. `answered` are all that were not declined, the missed declines among them."""

    answered: int = 0
    right_answers: int = 0
    right_declines: int = 0
    wrong_declines: int = 0
    missed_declines: int = 0

    @property
    def questions(self) -> int:
        return self.answered + self.right_declines + self.wrong_declines

    @property
    def accuracy(self) -> float | None:
        """The share of questions with a right answer or a right decline, 0 to 1; None without questions."""
        return _share(self.right_answers + self.right_declines, self.questions)

    @property
    def precision(self) -> float | None:
        """The share of the declines that were right, 0 to 1; None if nothing was declined."""
        return _share(self.right_declines, self.right_declines + self.wrong_declines)

    @property
    def recall(self) -> float | None:
        """The share of the unanswerable questions that were declined, 0 to 1; None if there were none."""
        return _share(self.right_declines, self.right_declines + self.missed_declines)


def count_declines(judged: Iterable[Judged]) -> Declines:
    """A decline is right where the document holds no answer and wrong where it does; an answer to a question without
    one is a missed decline."""
    kinds = Counter((one.answerable, one.declined, one.right) for one in judged)

    def total(*, answerable: bool, declined: bool) -> int:
        return kinds[answerable, declined, True] + kinds[answerable, declined, False]

    missed = total(answerable=False, declined=False)
    return Declines(
        answered=total(answerable=True, declined=False) + missed,
        right_answers=kinds[True, False, True],
        right_declines=total(answerable=False, declined=True),
        wrong_declines=total(answerable=True, declined=True),
        missed_declines=missed,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
