"""Chooses the questions of the third stage, each beside text as it is read in use: chunks of the real chunker, the
wrong ones mostly those that the real retriever finds, and stretches of the document that begin anywhere.

A group is one question with a window that answers it (where one does) and wrong windows of the same article. Besides,
questions that no longer fit their chunk (`swaps`). Knows nothing of fitting.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.ingest.chunker import Chunker
from selfroute.training.readings import CHUNK_TOKENS
from selfroute.training.swaps import swapped
from selfroute.training.windows import WINDOW_WORDS, Article, Asked, Window, contains
from selfroute.types import Chunk, Document


@dataclass(frozen=True, slots=True)
class Mix:
    """What the third stage is made of. Numbers of wrong windows are means."""

    questions: int = 8_000
    """Questions of SQuAD 1.1, spread over its articles."""
    twins: int = 2_500
    """How many of them bring a swapped twin, where one can be made."""
    squad2_passes: int = 2
    timeqa_passes: int = 2
    wrong: float = 1.4
    wrong_squad2: float = 0.6
    wrong_timeqa: float = 2.0
    found: int = 8
    """A wrong window is one of the best so many chunks, or, one time in four, from anywhere."""
    shifted: float = 0.3
    """Share of windows that begin anywhere, as those of a whole document do."""


def choose(
    articles: Sequence[Article], mix: Mix, seed: int, folder: Path, say: Callable[[str], None]
) -> list[tuple[Window, ...]]:
    """Groups in random order, the same for the same seed; `folder` has the embedder."""
    rng = random.Random(seed)
    large = [(a, q) for a in articles if a.source == "squad_articles" for q in a.asked]
    asked = rng.sample(large, min(mix.questions, len(large)))
    twins = {question for _, question in asked[: mix.twins]}
    asked += [(a, q) for a in articles if a.source == "squad2_articles" for q in a.asked] * mix.squad2_passes
    asked += [(a, q) for a in articles if a.source == "timeqa" for q in a.asked] * mix.timeqa_passes
    of_article: dict[str, list[Asked]] = {}
    for article, question in asked:
        of_article.setdefault(article.title, []).append(question)
    embedder = OnnxEmbedder(folder)
    chunker = Chunker(embedder.count_tokens, CHUNK_TOKENS)
    made: list[tuple[Window, ...]] = []
    wanted = [article for article in articles if article.title in of_article]
    for number, article in enumerate(wanted, start=1):
        of = _Ranked(article, of_article[article.title], chunker, embedder)
        for row, question in enumerate(of_article[article.title]):
            made.append(_group(of, row, question, mix, rng))
            twin = swapped(article, question, rng) if question in twins else None
            if twin is not None and made[-1] and made[-1][0].answerable:
                made.append((Window(twin, made[-1][0].text, -1, -1),))
        if number % 50 == 0:
            say(f"third: text chosen in {number} of {len(wanted)} articles")
    made = [group for group in made if group]
    rng.shuffle(made)
    return made


class _Ranked:
    """An article's text and chunks, and which chunks each of the `asked` questions finds, best first."""

    def __init__(self, article: Article, asked: Sequence[Asked], chunker: Chunker, embedder: OnnxEmbedder) -> None:
        self.article = article
        self.text = "\n\n".join(article.paragraphs)
        self.chunks: list[Chunk] = chunker.chunks(Document(article.title, self.text, article.title))
        vectors: NDArray[np.float32] = embedder.embed([chunk.text for chunk in self.chunks]).vectors
        questions: NDArray[np.float32] = embedder.embed([question.question for question in asked]).vectors
        self.ranks = np.argsort(-(questions @ vectors.T), axis=1, kind="stable")
        ends = np.cumsum([len(p) + 2 for p in article.paragraphs])
        self.starts = [0, *(int(end) for end in ends[:-1])]


def _group(of: _Ranked, row: int, question: Asked, mix: Mix, rng: random.Random) -> tuple[Window, ...]:
    spans = [(of.starts[s.paragraph] + s.start, of.starts[s.paragraph] + s.end) for s in question.spans]
    ranked = [of.chunks[int(at)] for at in of.ranks[row]]
    right: Window | None = None
    if spans:
        right = _right(of, question.question, rng.choice(spans), mix, rng)
    elif question.near is not None:
        low, high = of.starts[question.near], of.starts[question.near] + len(of.article.paragraphs[question.near])
        own = [c for c in ranked if min(c.end, high) - max(c.start, low) > (high - low) / 2]
        if own:
            right = Window(question.question, own[0].text, -1, -1)
    answers = {of.text[low:high] for low, high in spans}
    mean = {"squad_articles": mix.wrong, "squad2_articles": mix.wrong_squad2}.get(of.article.source, mix.wrong_timeqa)
    count = int(mean + rng.random())
    wrong: list[Window] = []
    near, far = ranked[: mix.found], ranked[mix.found :]
    while len(wrong) < count and (near or far):
        pool = far if far and (not near or rng.random() < 0.25) else near
        chunk = pool.pop(rng.randrange(len(pool)))
        text = _shifted(of.text, chunk.start, rng) if rng.random() < mix.shifted else chunk.text
        if not any(contains(text, answer) for answer in answers) and (right is None or text != right.text):
            wrong.append(Window(question.question, text, -1, -1))
    return (*((right,) if right else ()), *wrong)


def _right(of: _Ranked, question: str, span: tuple[int, int], mix: Mix, rng: random.Random) -> Window | None:
    """The chunk that holds the whole span, or a stretch that begins anywhere before it."""
    low, high = span
    if rng.random() >= mix.shifted:
        for chunk in of.chunks:
            if chunk.start <= low and high <= chunk.end:
                return Window(question, chunk.text, low - chunk.start, high - chunk.start)
    begin = max(0, low - rng.randrange(900))
    while begin < low and not of.text[begin - 1 : begin].isspace():
        begin += 1
    text = _stretch(of.text, begin)
    if high > begin + len(text):
        return None
    return Window(question, text, low - begin, high - begin)


def _shifted(text: str, near: int, rng: random.Random) -> str:
    """A stretch that begins at a word within half a chunk of `near`."""
    begin = max(0, near + rng.randrange(-500, 500))
    word = re.compile(r"\S+").search(text, begin)
    return _stretch(text, word.start() if word else near)


def _stretch(text: str, begin: int) -> str:
    """About as many words as a chunk has, from `begin` on."""
    end = begin
    for number, word in enumerate(re.compile(r"\S+").finditer(text, begin), start=1):
        end = word.end()
        if number == WINDOW_WORDS:
            break
    return text[begin:end]
