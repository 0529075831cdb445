"""Chooses the questions of the second stage, each with the windows that it is compared over.

A group is one question: a window that answers it (where one does) and wrong windows of the same article.
Besides, questions that no longer fit their paragraph (`swaps`), and the real unanswerable ones, several times
over. Knows nothing of models.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfroute.training.swaps import swapped
from selfroute.training.windows import Article, Asked, Window, contains, grown, nearest


@dataclass(frozen=True, slots=True)
class Mix:
    """What the second stage is made of. Wrong windows are drawn from `candidates`, half of them the nearest by
    TF-IDF and half from anywhere in the article."""

    questions: int = 4_000
    """Questions of SQuAD 1.1; each brings a swapped twin where one can be made."""
    squad2_passes: int = 3
    candidates: int = 4
    wrong: int = 1
    wrong_timeqa: int = 2
    wrong_share: float = 0.25
    """Share of the questions of SQuAD (both) that get wrong windows."""
    twins_squad2: float = 0.25
    """Share of the answerable questions of SQuAD 2.0 that bring a swapped twin."""
    full: float = 0.5
    """Share of windows that are grown to a chunk's size; the rest are bare paragraphs, which are faster."""


def choose(articles: Sequence[Article], mix: Mix, seed: int) -> list[tuple[Window, ...]]:
    """Groups in random order, the same for the same seed."""
    rng, draw = random.Random(seed), random.Random(seed + 3)
    large = [(a, q) for a in articles if a.source == "squad_articles" for q in a.asked]
    asked = rng.sample(large, min(mix.questions, len(large)))
    asked += [(a, q) for a in articles if a.source == "squad2_articles" for q in a.asked] * mix.squad2_passes
    asked += [(a, q) for a in articles if a.source == "timeqa" for q in a.asked]
    homes = list(dict.fromkeys(a for a, _ in asked))
    orders = {(a.title, q): order for a in homes for q, order in zip(a.asked, nearest(a), strict=True)}
    single: list[tuple[Window, ...]] = []
    several: list[tuple[Window, ...]] = []
    for article, question in asked:
        right = tuple(_right(article, question, mix, rng))
        timed = article.source == "timeqa"
        wanted = mix.wrong_timeqa if timed else mix.wrong * (rng.random() < mix.wrong_share)
        if wanted:
            pool = list(_wrong(article, question, orders[article.title, question], mix, rng))
            pool.sort(key=lambda _: draw.random(), reverse=True)
            several.append(right + tuple(pool[:wanted]))
        elif right:
            single.append(right)
        if article.source == "squad_articles" or (question.spans and rng.random() < mix.twins_squad2):
            twin = swapped(article, question, rng)
            if twin is not None:
                single.append((Window(twin, right[0].text, -1, -1),))
    made = [group for group in single + several if group]
    rng.shuffle(made)
    return made


def _right(article: Article, asked: Asked, mix: Mix, rng: random.Random) -> Iterator[Window]:
    """The windows that the question was written about: with its answer, or without if it has none."""
    for span in asked.spans[:2]:
        yield _window(article, asked, span.paragraph, mix, rng, answered=True)
    if not asked.spans and asked.near is not None:
        yield _window(article, asked, asked.near, mix, rng, answered=False)


def _window(article: Article, asked: Asked, paragraph: int, mix: Mix, rng: random.Random, *, answered: bool) -> Window:
    span = next((s for s in asked.spans if s.paragraph == paragraph), None) if answered else None
    # TimeQA's paragraphs are lines of a list as often as not: too little to read by itself.
    bare = 0.0 if article.source == "timeqa" else 1 - mix.full
    return grown(article, asked.question, paragraph, span, rng, full=1 - bare, bare=bare)


def _wrong(article: Article, asked: Asked, order: Sequence[int], mix: Mix, rng: random.Random) -> Iterator[Window]:
    """Candidates without the answer: half near, half anywhere."""
    own = {asked.near, *(s.paragraph for s in asked.spans)}
    others = [p for p in order if p not in own]
    near = others[: (mix.candidates + 1) // 2]
    far = others[len(near) :]
    texts = [article.paragraphs[s.paragraph][s.start : s.end] for s in asked.spans]
    for paragraph in near + rng.sample(far, min(mix.candidates - len(near), len(far))):
        window = grown(article, asked.question, paragraph, None, rng, full=0.7, bare=0.0)
        if not any(contains(window.text, text) for text in texts):
            yield window
