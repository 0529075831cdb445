"""Chooses the windows of one training run: all of the small sources, a sample of the large one."""

from __future__ import annotations

import random
from collections.abc import Sequence

from selfroute.training.windows import Article, Window, windows

NEGATIVES = {"squad_articles": 0.8, "squad2_articles": 0.5, "timeqa": 5.0}
"""Wrong windows a question, on average. TimeQA has few questions and long pages, so it gets more."""


def choose(articles: Sequence[Article], count: int, seed: int) -> list[Window]:
    """At most `count` windows, in random order, the same for the same seed."""
    rng = random.Random(seed)
    small = [a for a in articles if a.source != "squad_articles"]
    large = [a for a in articles if a.source == "squad_articles"]
    chosen = list(windows(small, rng, NEGATIVES))
    rest = list(windows(large, rng, NEGATIVES))
    chosen += rng.sample(rest, max(0, min(len(rest), count - len(chosen))))
    rng.shuffle(chosen)
    return chosen[:count]
