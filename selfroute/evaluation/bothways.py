"""A finished run once more, each question from chunks and from its documents: what a router is fitted on.

All readings come from the run's own record, so that nothing is paid for again: only the bundled reader, which judges
on this machine, reads. A question of which one way was never read is left out and counted. The run's folder is not
written to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from selfroute.engine import IndexEngine
from selfroute.errors import BadInput, InvalidSettings, NoQuery, UnreadableFile, UnsupportedTask
from selfroute.evaluation.datasets import Sample, open_samples
from selfroute.evaluation.documents import DocumentCache
from selfroute.evaluation.evaluator import Evaluator
from selfroute.evaluation.metrics import Mode
from selfroute.evaluation.plan import Plan
from selfroute.evaluation.readings import Memory, read_readings
from selfroute.evaluation.record import read_record
from selfroute.evaluation.replay import read_answers
from selfroute.evaluation.runner import Tally
from selfroute.evaluation.scorer import DatasetScorer, ReplayScorer, Scorer
from selfroute.index import Index
from selfroute.policies import Policy, Steps, always_long, always_rag, evidence_gated, standing
from selfroute.readers import Before, Reader
from selfroute.readers.recorded import RecordedReader
from selfroute.routing.features import Features, features
from selfroute.types import Answer, Document, Draft, Move, Question, Readers, Reading, Record, Shown

RIGHT = 50.0
"""The score from which an answer counts as right."""


@dataclass(frozen=True, slots=True)
class BothWays:
    """One question of one run. `chunks`, `documents` and `stands` are scores, 0 to 100: of each reading, and of what
    stands once both were read. Tokens are reader input; `words` is the document's length. `gated` is the score of
    `evidence_gated`, and `supported` whether that stops at the chunks. `readers` made both readings."""

    group: str
    dataset: str
    doc_id: str
    id: str
    answerable: bool
    words: int
    features: Features
    chunks: float
    documents: float
    stands: float
    gated: float
    chunk_tokens: int
    document_tokens: int
    supported: bool
    question: str
    reference: str
    chunk_answer: str | None
    document_answer: str | None
    standing_answer: str | None
    readers: Readers = Readers.CHAT

    @property
    def gains(self) -> bool:
        return self.stands >= RIGHT > self.chunks

    @property
    def harms(self) -> bool:
        return self.chunks >= RIGHT > self.stands


class Unread(BadInput):
    """A reading that the run does not hold."""


class _Absent(Before):
    """In place of a reader: what is not in the record is not read."""

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        raise Unread(f"the run holds no reading of {reading.question.text!r} by {self.model}")


class _Observer:
    """The policy that reads both ways, and what it saw of the last question."""

    def __init__(self) -> None:
        self.features: Features | None = None
        self.readers = Readers.CHAT

    async def __call__(self, question: Question, steps: Steps) -> Draft:
        hits = await steps.retrieve(question)
        reading = await steps.estimate(question, hits, Move.READ_DOCUMENTS)
        chunks = await steps.read_chunks(question, hits)
        judged = await steps.judged(question, hits, chunks)
        self.features = features(question, hits, reading, chunks, judged.draft)
        self.readers = judged.readers
        return standing(chunks, await steps.read_documents(question, hits), question)


@dataclass(frozen=True, slots=True)
class Gathered:
    """`left_out` questions were not read both ways, or cannot be. Chunks were the `k` best by `embedder`."""

    rows: tuple[BothWays, ...]
    left_out: int
    embedder: str
    k: int


def gather(
    evaluator: Evaluator,
    folder: Path,
    *,
    data: Path | None = None,
    longbench: Path | None = None,
    k: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Gathered:
    """Both ways of every question of the run in `folder`; blocking. Of a run at several k this is of `k`, else of the
    settings' own.

    Raises `UnreadableFile` if it is no run, `InvalidSettings` if its readings are of other settings than `evaluator`'s,
    `BadInput` for a k that it was not run at, and what opening its datasets raises.
    """
    record = read_record(folder)
    if record is None:
        raise UnreadableFile(folder, "there is no run.json: name the folder of a run of `selfroute eval`")
    differing = others(record["made_with"], evaluator.identity)
    if differing:
        raise InvalidSettings(
            f"{folder} was read with other {', '.join(differing)}: give the settings of that run with --config, "
            "or read it anew with these"
        )
    k = _chosen(k, evaluator.k, record["k"], folder)
    with _hinted(record, folder):
        recorded = read_answers(Path(record["replay"]), evaluator.embedder.count_tokens) if record["replay"] else []
    scorer: Scorer = ReplayScorer() if recorded else DatasetScorer(cast(Mode, record["made_with"]["mode"]))
    with (
        TemporaryDirectory() as spool,
        closing(Plan(Path(spool))) as plan,
        closing(
            DocumentCache(evaluator.cache, evaluator.embedder, evaluator.chunk_tokens, evaluator.chunk_words)
        ) as documents,
    ):
        with _hinted(record, folder):
            _fill(plan, record, [reader.model for reader in recorded], data, longbench)
        observer, readings = _Observer(), Memory(read_readings(folder))
        memory = Memory()  # of the judge, which is asked the same for each recorded model
        ways: dict[str, Policy] = {
            "always_rag": always_rag,
            "always_long": always_long,
            "evidence_gated": evidence_gated,
            "both_ways": observer,
        }
        judge = evaluator.judge and cache(lambda make=evaluator.judge: RecordedReader(make(), memory))

        def engine(chunks: Reader, whole: Reader) -> IndexEngine:
            return evaluator.engine(chunks, whole, judge, ways)

        chunks = RecordedReader(_Absent(evaluator.reader), readings)
        other = evaluator.document_reader
        plain = engine(chunks, RecordedReader(_Absent(other), readings) if other else chunks)
        engines = {reader.model: engine(reader, reader) for reader in recorded}
        rows, left_out = asyncio.run(
            _gathered(plan, documents, lambda s: engines.get(s.dataset, plain), observer, scorer, k, progress)
        )
    return Gathered(rows, left_out, evaluator.embedder.name, k)


def others(made_with: Mapping[str, Any], identity: Mapping[str, object]) -> list[str]:
    """The settings on which readings depend that differ, as `chunking.tokens`."""
    now = json.loads(json.dumps(identity))
    pairs = [(made_with.get(name), now.get(name), name) for name in ("weights", "prompts")]
    for part in ("embedder", "chunking", "reader", "endpoints"):
        was, is_ = ((held.get("settings") or {}).get(part) or {} for held in (made_with, now))
        pairs += [(was.get(name), is_.get(name), f"{part}.{name}") for name in sorted({*was, *is_})]
    return [name for was, is_, name in pairs if was != is_]


def _chosen(wanted: int | None, usual: int, ks: Sequence[int], folder: Path) -> int:
    had = ", ".join(map(str, ks))
    if wanted is not None and wanted not in ks:
        raise BadInput(f"{folder} was not read at k = {wanted}: it has {had}")
    if wanted is None and usual not in ks and len(ks) > 1:
        raise BadInput(f"{folder} was read at k = {had}, and the settings say {usual}: choose one with --k")
    return wanted or (usual if usual in ks else ks[0])


@contextmanager
def _hinted(record: Mapping[str, Any], folder: Path) -> Iterator[None]:
    """A record names files as `eval` was told them: where one is missed, says from where that is."""
    try:
        yield
    except UnreadableFile as error:
        missed, named = Path(error.path), {Path(name) for name in (*record["sources"], record["replay"]) if name}
        if missed not in named or missed.is_absolute() or missed.exists():
            raise
        raise UnreadableFile(
            error.path,
            f"{error.reason}, and {folder} was read from it: run this from the folder that `selfroute eval` was run in",
        ) from error


def _fill(plan: Plan, record: dict[str, Any], models: Sequence[str], data: Path | None, longbench: Path | None) -> None:
    def by_model(sample: Sample) -> Iterable[Sample]:
        return [replace(sample, dataset=model, id=f"{sample.dataset}/{sample.id}") for model in models] or [sample]

    for source in record["sources"]:
        samples = open_samples(source, longbench=longbench, folder=data)
        plan.add(samples, record["limit"], source.lower().endswith(".zip"), by_model)


async def _gathered(
    plan: Plan,
    documents: DocumentCache,
    engine_of: Callable[[Sample], IndexEngine],
    observer: _Observer,
    scorer: Scorer,
    k: int,
    progress: Callable[[int, int], None],
) -> tuple[tuple[BothWays, ...], int]:
    rows: list[BothWays] = []
    left_out = 0
    for group in plan.groups():
        with closing(documents.index(Document(group.doc_id, plan.context(group), group.doc_id))) as index:
            for sample in group.samples:
                try:
                    rows.append(await _row(sample, index, engine_of(sample), observer, scorer, k))
                except (UnsupportedTask, NoQuery, Unread):
                    left_out += 1
                progress(len(rows) + left_out, len(plan))
    return tuple(rows), left_out


async def _row(
    sample: Sample, index: Index, engine: IndexEngine, observer: _Observer, scorer: Scorer, k: int
) -> BothWays:
    async def asked(policy: str) -> tuple[Answer, float]:
        answer = await engine.ask_index(sample.question, policy, index, Tally(), k)
        return answer, scorer.score(sample, scorer.prediction(answer))

    rag, rag_score = await asked("always_rag")
    long, long_score = await asked("always_long")
    both, stands = await asked("both_ways")
    gated, gated_score = await asked("evidence_gated")
    assert observer.features is not None
    return BothWays(
        group=sample.dataset,
        dataset=sample.id.rpartition("/")[0] or sample.dataset,
        doc_id=sample.doc_id,
        id=sample.id,
        answerable=sample.answerable,
        words=sample.length,
        features=observer.features,
        chunks=rag_score,
        documents=long_score,
        stands=stands,
        gated=gated_score,
        chunk_tokens=rag.totals.reader_input_tokens,
        document_tokens=long.totals.reader_input_tokens,
        supported="read_documents" not in gated.path,
        question=sample.question.text or "",
        reference=sample.answers[0] if sample.answers else "",
        chunk_answer=scorer.prediction(rag),
        document_answer=scorer.prediction(long),
        standing_answer=scorer.prediction(both),
        readers=observer.readers,
    )
