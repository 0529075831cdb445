"""Long documents with questions, of the articles that the bundled reader was not trained on, for `selfroute eval`:
`python -m selfroute.training.kept --data DIR --out kept.jsonl`.

A run of it by `always_rag` and `always_long` holds each question read both ways, which is what `selfroute calibrate`
fits a router on. Promise: no text of a training article, each question once, and a question that its document does not
answer stands beside text that does not hold its answer word for word. Of these articles 100 questions a source were
used to calibrate the reader.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfroute.evaluation.lines import write_lines
from selfroute.training.windows import Article, Asked, contains, load_articles, split

LEAST, MOST = 2_000, 4_000
"""Words of a document: longer articles are cut at paragraphs into equal parts, shorter ones are joined."""

QUESTIONS = 45
"""Of each document made of SQuAD 1.1, which has far more than the other sources."""

STRANGERS = 0.3
"""The share of those that are asked of another part: SQuAD 1.1 answers all questions of an article."""


@dataclass(frozen=True, slots=True)
class Part:
    """Paragraphs of an article, the first of them number `first`."""

    article: Article
    first: int
    paragraphs: tuple[str, ...]

    @property
    def words(self) -> int:
        return sum(len(paragraph.split()) for paragraph in self.paragraphs)

    def holds(self, paragraph: int) -> bool:
        return self.first <= paragraph < self.first + len(self.paragraphs)


def records(articles: Sequence[Article], seed: int = 0) -> Iterator[dict[str, object]]:
    """Records of LongBench's shape, a document after the other in random order, the same for the same seed."""
    rng = random.Random(seed)
    documents = [
        (f"{source}-{number}", parts)
        for source in dict.fromkeys(article.source for article in articles)
        for number, parts in enumerate(joined([part for a in articles if a.source == source for part in cut(a)]))
    ]
    rng.shuffle(documents)
    others = {source: [a for a in articles if a.source == source] for source in {a.source for a in articles}}
    for name, parts in documents:
        context = "\n\n".join(paragraph for part in parts for paragraph in part.paragraphs)
        source = parts[0].article.source
        asked = list(_asked(parts))
        if source == "squad_articles":
            strange = list(_strange(parts, context, others[source]))
            many = min(QUESTIONS, len(asked))
            strangers = rng.sample(strange, min(int(many * STRANGERS), len(strange)))
            asked = rng.sample(asked, many - len(strangers)) + strangers
        for number, (question, answers) in enumerate(asked):
            yield {
                "_id": f"{name}-{number}",
                "input": question,
                "context": context,
                "answers": list(answers) or ["unanswerable"],
                "length": len(context.split()),
                "dataset": f"kept_{source.removesuffix('_articles')}",
                "language": "en",
                "all_classes": None,
                "doc_id": name,
                "answerable": bool(answers),
            }


def cut(article: Article) -> list[Part]:
    """Parts of at most about `MOST` words and of like length."""
    whole = Part(article, 0, article.paragraphs)
    share = whole.words / max(1, -(-whole.words // MOST))
    parts: list[Part] = []
    first = words = 0
    for number, paragraph in enumerate(article.paragraphs):
        words += len(paragraph.split())
        if words >= share * (len(parts) + 1) or number == len(article.paragraphs) - 1:
            parts.append(Part(article, first, article.paragraphs[first : number + 1]))
            first = number + 1
    return parts


def joined(parts: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """Documents: as many parts, in order, as make `LEAST` words."""
    document: list[Part] = []
    for part in parts:
        document.append(part)
        if sum(one.words for one in document) >= LEAST:
            yield tuple(document)
            document = []
    if document:
        yield tuple(document)


def _asked(parts: Sequence[Part]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Questions written about these parts, with their answers there; none where the article holds none."""
    for part in parts:
        for asked in part.article.asked:
            answers = _answers(part.article, asked, part)
            if answers:
                yield asked.question, answers
            elif not asked.spans and (part.first == 0 if asked.near is None else part.holds(asked.near)):
                yield asked.question, ()


def _strange(parts: Sequence[Part], context: str, articles: Sequence[Article]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Questions that are answered elsewhere: in the rest of the same article, else in the next one."""
    own = [part.article for part in parts]
    rest = [article for article in own if len(article.paragraphs) > sum(len(p.paragraphs) for p in parts)]
    after = articles[(articles.index(own[-1]) + 1) % len(articles)]
    for article in rest or [after]:
        for asked in article.asked:
            held = any(part.article is article and part.holds(span.paragraph) for part in parts for span in asked.spans)
            answers = _answers(article, asked, Part(article, 0, article.paragraphs))
            if answers and not held and not any(contains(context, answer) for answer in answers):
                yield asked.question, ()


def _answers(article: Article, asked: Asked, part: Part) -> tuple[str, ...]:
    spans = [span for span in asked.spans if part.holds(span.paragraph)]
    return tuple(dict.fromkeys(article.paragraphs[s.paragraph][s.start : s.end] for s in spans))


def main() -> None:
    """`records` of the articles of a folder, into a file."""
    parser = argparse.ArgumentParser(
        prog="python -m selfroute.training.kept",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with squad_articles.jsonl.xz and its like")
    parser.add_argument("--out", type=Path, required=True, help="the dataset to write")
    given = parser.parse_args()
    made = list(records(split(load_articles(given.data))[1]))
    write_lines(given.out, made)
    documents = {str(record["doc_id"]): record["length"] for record in made}
    print(f"{len(made)} questions of {len(documents)} documents in {given.out}")


if __name__ == "__main__":
    main()
