"""Turns training articles into windows: a question beside text that answers it or does not.

Promise: every window with a span holds exactly that answer; no window without a span contains any of
the question's accepted answers as whole words. Knows nothing of models or files of weights.
"""

from __future__ import annotations

import json
import lzma
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

WINDOW_WORDS = 175
"""About 240 word pieces: the size of the chunks that the reader is shown in use (design decision 4)."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where an answer stands: paragraph number, and character offsets in that paragraph."""

    paragraph: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the places that answer it; `near` is the paragraph it was written about."""

    question: str
    spans: tuple[Span, ...]
    near: int | None


@dataclass(frozen=True, slots=True)
class Article:
    """One training document: paragraphs in order and the questions asked of it."""

    source: str
    title: str
    paragraphs: tuple[str, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """One training example; `start == end == -1` where the text does not answer the question."""

    question: str
    text: str
    start: int
    end: int

    @property
    def answerable(self) -> bool:
        return self.start >= 0


def load_articles(data: Path) -> list[Article]:
    """All articles of the training folder (`squad_articles`, `squad2_articles`, `timeqa`)."""
    articles = []
    for source in ("squad_articles", "squad2_articles"):
        for row in _rows(data / f"{source}.jsonl.xz"):
            articles.append(_squad(source, row))
    for number, row in enumerate(_rows(data / "timeqa.jsonl.xz")):
        articles.append(_timeqa(number, row))
    return articles


def split(articles: Sequence[Article], every: int = 20) -> tuple[list[Article], list[Article]]:
    """(training, kept out): every `every`-th article of each source is kept out of training."""
    training: list[Article] = []
    kept: list[Article] = []
    seen: dict[str, int] = {}
    for article in articles:
        seen[article.source] = number = seen.get(article.source, -1) + 1
        # Small sources keep out more, or nothing would be left to choose a threshold on.
        step = every if article.source == "squad_articles" else every // 3
        (kept if number % step == step - 1 else training).append(article)
    return training, kept


def windows(articles: Sequence[Article], rng: random.Random, negatives: dict[str, float]) -> Iterator[Window]:
    """Windows of all questions: the answer's paragraph, and the nearest wrong ones of the same article.

    `negatives` gives, for each source, how many wrong windows a question gets on average.
    """
    for article in articles:
        order_of = nearest(article)
        for row, asked in enumerate(article.asked):
            for span in asked.spans[:2]:
                yield grown(article, asked.question, span.paragraph, span, rng)
            if not asked.spans and asked.near is not None:
                yield grown(article, asked.question, asked.near, None, rng)
            wanted = int(negatives[article.source] + rng.random())
            wrong = [p for p in order_of[row] if p != asked.near and all(p != s.paragraph for s in asked.spans)]
            texts = [article.paragraphs[s.paragraph][s.start : s.end] for s in asked.spans]
            made = 0
            # Mostly the nearest; now and then a farther one, as whole-document reading shows many of those.
            order = wrong[:4] if rng.random() < 0.8 else wrong[4:]
            for paragraph in rng.sample(order, len(order)):
                if made == wanted:
                    break
                window = grown(article, asked.question, paragraph, None, rng)
                if not any(contains(window.text, text) for text in texts):
                    made += 1
                    yield window


def grown(
    article: Article,
    question: str,
    paragraph: int,
    span: Span | None,
    rng: random.Random,
    full: float = 0.6,
    bare: float = 0.0,
) -> Window:
    """The paragraph, usually grown by its neighbours to a chunk's size; cut around the answer if too long.

    `full` is the share of windows that are grown as far as a chunk, `bare` that of those not grown at all.
    """
    low, high = paragraph, paragraph + 1
    words = len(article.paragraphs[paragraph].split())
    kind = rng.random()
    budget = WINDOW_WORDS if kind < full else 0 if kind < full + bare else max(60, int(WINDOW_WORDS * rng.random()))
    while words < budget and (low > 0 or high < len(article.paragraphs)):
        left = low > 0 and (high == len(article.paragraphs) or rng.random() < 0.5)
        extra = len(article.paragraphs[low - 1 if left else high].split())
        if words + extra > WINDOW_WORDS * 1.2:
            break
        words += extra
        low, high = (low - 1, high) if left else (low, high + 1)
    text = "\n".join(article.paragraphs[low:high])
    start = end = -1
    if span is not None:
        before = sum(len(p) + 1 for p in article.paragraphs[low : span.paragraph])
        start, end = before + span.start, before + span.end
    return _cut(Window(question, text, start, end), rng)


def _cut(window: Window, rng: random.Random) -> Window:
    """At most `WINDOW_WORDS * 1.2` words, cut at white space, keeping the answer at a random place."""
    words = [(m.start(), m.end()) for m in re.finditer(r"\S+", window.text)]
    limit = int(WINDOW_WORDS * 1.2)
    if len(words) <= limit:
        return window
    first, last = 0, len(words) - limit
    if window.answerable:
        inside = [i for i, (s, e) in enumerate(words) if e > window.start and s < window.end]
        first, last = max(0, inside[-1] - limit + 1), min(last, inside[0])
        first = min(first, last)
    at = rng.randint(first, last)
    low, high = words[at][0], words[at + limit - 1][1]
    if not window.answerable:
        return Window(window.question, window.text[low:high], -1, -1)
    return Window(window.question, window.text[low:high], window.start - low, window.end - low)


def nearest(article: Article) -> list[list[int]]:
    """For each question the paragraphs by TF-IDF similarity, best first."""
    if not article.asked:
        return []
    vectors = TfidfVectorizer(sublinear_tf=True).fit([*article.paragraphs, "any words at all"])
    paragraphs = vectors.transform(article.paragraphs)
    questions = vectors.transform([a.question for a in article.asked])
    similar = (questions @ paragraphs.T).toarray()
    return [[int(p) for p in row] for row in np.argsort(-similar, axis=1, kind="stable")]


def contains(text: str, answer: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE) is not None


def _rows(path: Path) -> Iterator[dict[str, object]]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _squad(source: str, row: dict) -> Article:  # type: ignore[type-arg]
    asked = []
    for number, paragraph in enumerate(row["paragraphs"]):
        for qa in paragraph["qas"]:
            spans: tuple[Span, ...] = ()
            if not qa["is_impossible"]:
                first = qa["answers"][0]
                spans = (Span(number, first["answer_start"], first["answer_start"] + len(first["text"])),)
            asked.append(Asked(qa["question"].strip(), spans, number))
    return Article(source, row["title"], tuple(p["context"] for p in row["paragraphs"]), tuple(asked))


def _timeqa(number: int, row: dict) -> Article:  # type: ignore[type-arg]
    asked = []
    for question, found in row["questions"]:
        spans = tuple(Span(a["para"], a["from"], a["end"]) for a in found if a["answer"])
        asked.append(Asked(question.strip(), spans, None))
    return Article("timeqa", f"timeqa-{number}", tuple(row["paras"]), tuple(asked))
