"""Reads documents as they are read in use, by given weights: the real chunker, the real retriever's five chunks,
then the whole document.

What comes out is judged against accepted answers. Used on articles kept out of training, to calibrate, and on
other documents, to compare.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.evaluation.metrics.qa import best_f1, normalized
from selfroute.index import Index
from selfroute.ingest.chunker import Chunker
from selfroute.readers.evidence import Evidence
from selfroute.readers.extractive import ExtractiveReader
from selfroute.training.windows import Article, Asked
from selfroute.types import Document, Passage, Question, Reading, Route

K, CHUNK_TOKENS = 5, 240


@dataclass(frozen=True, slots=True)
class Case:
    """A question about a document; no `answers` if the document holds none. `places` are stretches of text around
    the answers: one of them is in every text that answers; without any, the document's word stands for its parts."""

    source: str
    document: Document
    question: str
    answers: tuple[str, ...]
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """One reading of one case. `present`: the text that was shown answers; `f1` and `exact` are those of the best
    span, declined or not, and 0 where nothing in the text answers."""

    source: str
    route: Route
    present: bool
    evidence: Evidence
    f1: float
    exact: bool
    windows: int
    seconds: float

    @property
    def right(self) -> bool:
        """Near enough to an accepted answer to be called right."""
        return self.f1 >= 0.5


def kept_out(articles: Sequence[Article], a_source: int, strangers: float, seed: int) -> list[Case]:
    """`a_source` random questions of each source; of those of SQuAD 1.1, which answers all of its questions, the
    share `strangers` is asked of another article."""
    rng = random.Random(seed)
    made = []
    for source in dict.fromkeys(article.source for article in articles):
        asked = [(a, q) for a in articles if a.source == source for q in a.asked]
        homes = list(dict.fromkeys(a for a, _ in asked))
        for article, question in rng.sample(asked, min(a_source, len(asked))):
            others = [a for a in homes if a is not article]
            if source == "squad_articles" and others and rng.random() < strangers:
                made.append(Case(source, _document(rng.choice(others)), question.question, ()))
            else:
                made.append(_case(article, question))
    return made


def read_all(
    cases: Sequence[Case], folder: Path, say: Callable[[str], None], routes: Sequence[Route] = tuple(Route)
) -> list[Read]:
    """Readings of every case by the weights in `folder`, a document at a time."""
    reader, embedder = ExtractiveReader(folder=folder), OnnxEmbedder(folder)
    chunker = Chunker(embedder.count_tokens, CHUNK_TOKENS)
    made: list[Read] = []
    for document in dict.fromkeys(case.document for case in cases):
        chunks = chunker.chunks(document)
        vectors = embedder.embed([chunk.text for chunk in chunks]).vectors
        index = Index.in_memory(document.id, embedder.name, [(document, chunks, vectors)], str(CHUNK_TOKENS))
        for case in (case for case in cases if case.document == document):
            hits = index.search(embedder.embed([case.question]).vectors[0], K)
            parts = tuple(Passage(h.chunk.document, h.chunk.start, h.chunk.text) for h in hits)
            whole = (Passage(document.id, 0, document.text),)
            for route, passages in ((Route.RAG, parts), (Route.LONG_CONTEXT, whole)):
                if route in routes:
                    made += _read(reader, case, Reading(Question(case.question), passages, route))
        index.close()
        say(f"{len(made)} of {len(cases) * len(routes)} readings")
    return made


def _read(reader: ExtractiveReader, case: Case, reading: Reading) -> Iterator[Read]:
    began = time.perf_counter()
    found = reader.find(reading)
    seconds = time.perf_counter() - began
    if found is None:
        return
    texts = [passage.text for passage in reading.passages]
    present = bool(case.answers) and (not case.places or any(p in text for p in case.places for text in texts))
    f1 = best_f1(found.text, case.answers)
    exact = any(normalized(found.text) == normalized(answer) for answer in case.answers)
    yield Read(case.source, reading.route, present, found.evidence, f1, exact, found.windows, seconds)


def _case(article: Article, asked: Asked) -> Case:
    answers = dict.fromkeys(article.paragraphs[s.paragraph][s.start : s.end] for s in asked.spans)
    # By the text around the answer, not by the answer alone: "two" stands in many chunks that answer nothing.
    places = tuple(_around(article.paragraphs[s.paragraph], s.start, s.end) for s in asked.spans)
    return Case(article.source, _document(article), asked.question, tuple(answers), places)


def _document(article: Article) -> Document:
    return Document(f"{article.source}/{article.title}", "\n\n".join(article.paragraphs), article.title)


def _around(paragraph: str, start: int, end: int) -> str:
    """The answer with up to 20 characters on each side, inside its paragraph."""
    return paragraph[max(0, start - 20) : end + 20].strip()
