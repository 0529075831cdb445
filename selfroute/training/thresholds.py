"""Chooses when the reader declines, on articles that were kept out of training.

Reads each article as it is read in use: the real chunker, the real embedder, five chunks, then the whole
document. Two thresholds come out, one for chunks and one for whole documents.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sklearn.metrics import roc_auc_score

from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.evaluation.metrics.qa import best_f1
from selfroute.index import Index
from selfroute.ingest.chunker import Chunker
from selfroute.readers.extractive import ExtractiveReader
from selfroute.training.windows import Article, Asked
from selfroute.types import Call, Document, Draft, Passage, Question, Reading, Route

K, CHUNK_TOKENS = 5, 240


@dataclass(frozen=True, slots=True)
class Read:
    """One reading of a kept-out article. `present`: the text that was shown holds an accepted answer;
    `f1` is that of the reader's best span, 0 to 1."""

    source: str
    route: Route
    present: bool
    score: float
    f1: float


async def readings(
    articles: Sequence[Article], a_source: int, seed: int, folder: Path, say: Callable[[str], None]
) -> list[Read]:
    """Both readings of `a_source` random questions of each source, by the weights in `folder`."""
    reader, embedder = ExtractiveReader(folder=folder), OnnxEmbedder(folder)
    chunker = Chunker(embedder.count_tokens, CHUNK_TOKENS)
    rng = random.Random(seed)
    made: list[Read] = []
    for source in dict.fromkeys(article.source for article in articles):
        asked = [(a, q) for a in articles if a.source == source for q in a.asked]
        chosen = rng.sample(asked, min(a_source, len(asked)))
        for article in dict.fromkeys(article for article, _ in chosen):
            document = Document(article.title, "\n\n".join(article.paragraphs), article.title)
            chunks = chunker.chunks(document)
            vectors = embedder.embed([chunk.text for chunk in chunks]).vectors
            index = Index.in_memory(article.title, embedder.name, [(document, chunks, vectors)], str(CHUNK_TOKENS))
            for question in [q for a, q in chosen if a is article]:
                hits = index.search(embedder.embed([question.question]).vectors[0], K)
                parts = tuple(Passage(h.chunk.document, h.chunk.start, h.chunk.text) for h in hits)
                whole = (Passage(document.id, 0, document.text),)
                for route, passages in ((Route.RAG, parts), (Route.LONG_CONTEXT, whole)):
                    draft = await reader.read(Reading(Question(question.question), passages, route), _unrecorded)
                    made.append(_judged(source, article, question, route, passages, draft))
            index.close()
        say(f"read {len(chosen)} questions of {source}")
    return made


def choose(read: Sequence[Read]) -> float:
    """The threshold with the best balance: the mean of (F1 where the answer is there, a decline counting 0)
    and (the share declined where it is not). Sources count alike, however many questions each has."""
    candidates = sorted({r.score for r in read})
    return max(candidates, key=lambda threshold: balance(read, threshold))


def balance(read: Sequence[Read], threshold: float) -> float:
    """What `choose` maximises, 0 to 1."""
    parts = []
    for present in (True, False):
        sources = []
        for source in sorted({r.source for r in read if r.present is present}):
            group = [r for r in read if r.present is present and r.source == source]
            gained = [(r.f1 if r.score >= threshold else 0.0) if present else float(r.score < threshold) for r in group]
            sources.append(sum(gained) / len(group))
        if sources:
            parts.append(sum(sources) / len(sources))
    return sum(parts) / len(parts)


def report(read: Sequence[Read], threshold: float) -> list[str]:
    """A line for each source: forced-answer F1, AUROC, and what the threshold makes of both kinds."""
    lines = []
    for source in dict.fromkeys(r.source for r in read):
        rows = [r for r in read if r.source == source]
        there, absent = [r for r in rows if r.present], [r for r in rows if not r.present]
        auroc = (
            f"{roc_auc_score([r.present for r in rows], [r.score for r in rows]):.3f}" if there and absent else "n/a"
        )
        lines.append(
            f"{source}: {len(there)} present, {len(absent)} absent; forced F1 {_mean([r.f1 for r in there])}, "
            f"AUROC {auroc}, answered where present {_mean([float(r.score >= threshold) for r in there])}, "
            f"declined where absent {_mean([float(r.score < threshold) for r in absent])}"
        )
    return lines


def _judged(
    source: str, article: Article, asked: Asked, route: Route, passages: Sequence[Passage], draft: Draft
) -> Read:
    accepted = {article.paragraphs[s.paragraph][s.start : s.end] for s in asked.spans}
    # By sentence around the answer, not by the answer alone: "two" stands in many chunks that answer nothing.
    evidence = [_around(article.paragraphs[s.paragraph], s.start, s.end) for s in asked.spans]
    present = any(e in passage.text for e in evidence for passage in passages)
    return Read(source, route, present, draft.score or 0.0, best_f1(draft.guess or "", accepted))


def _around(paragraph: str, start: int, end: int) -> str:
    """The answer with up to 20 characters on each side, inside its paragraph."""
    return paragraph[max(0, start - 20) : end + 20].strip()


async def _unrecorded(call: Call) -> None:
    """These readings belong to no question of a user."""


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}" if values else "n/a"


def run(articles: Sequence[Article], folder: Path, a_source: int, seed: int, say: Callable[[str], None]) -> list[float]:
    """[threshold for chunks, threshold for whole documents], with a report of both to `say`."""
    read = asyncio.run(readings(articles, a_source, seed, folder, say))
    thresholds = []
    for route in Route:
        of_route = [r for r in read if r.route is route]
        thresholds.append(choose(of_route))
        say(f"{route.value}: threshold {thresholds[-1]:.2f}, balance {balance(of_route, thresholds[-1]):.3f}")
        for line in report(of_route, thresholds[-1]):
            say(f"  {line}")
    return thresholds
