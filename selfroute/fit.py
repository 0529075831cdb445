"""Which text one reading is shown: whole documents where they fit the reader's window, else what a strategy makes of
them. Never cuts without a word: what is left out is told.

Counts by the reader's own count. Knows nothing of policies, calls or money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from selfroute.index.corpus import Texts
from selfroute.ingest.cuts import SPACE
from selfroute.readers import Reader
from selfroute.types import Chunk, Hits, Passage, Question, Reading, Route

LONGEST_WORD = 100
"""Characters within which a word's end is looked for."""

Ranked = Callable[[Sequence[str]], Iterable[Chunk]]
"""The chunks of some documents, those first that most likely answer."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What is to be read, one reading after the other. `documents` are read whole; `warning` says what is not."""

    readings: tuple[Reading, ...]
    documents: tuple[str, ...] = ()
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Fitter:
    """Fits text for one question into `window` input tokens of `reader`."""

    index: Texts
    reader: Reader
    question: Question
    window: int
    _texts: dict[str, str] = field(default_factory=dict)

    def chunks(self, hits: Hits) -> Fit:
        """As many hits as fit, best first."""
        passages = [Passage(hit.chunk.document, hit.chunk.start, hit.chunk.text, hit.chunk.header) for hit in hits]
        number = self.most(len(passages), lambda n: Reading(self.question, tuple(passages[:n]), Route.RAG))
        warning = (
            f"{number} of {len(hits)} chunks fit the reader's window of {self.window} tokens: the rest was not read"
        )
        return Fit(
            (Reading(self.question, tuple(passages[:number]), Route.RAG),),
            warning=warning if number < len(hits) else None,
        )

    def documents(self, wanted: Sequence[str], ranked: Ranked, strategy: str) -> Fit:
        """`wanted`, best first: whole if they all fit, else by `strategy`, one of `STRATEGIES`."""
        whole = self.whole(wanted)
        number = self.most(len(whole), lambda n: self.reading(whole[:n]))
        if number == len(whole):
            return Fit((self.reading(whole),), tuple(wanted))
        made = STRATEGIES[strategy](self, wanted, number, ranked)
        few = f"document {wanted[0]!r} exceeds" if len(wanted) == 1 else f"{len(wanted)} documents exceed"
        return replace(made, warning=f"{few} the reader's window of {self.window} tokens: {made.warning}")

    def whole(self, documents: Sequence[str]) -> tuple[Passage, ...]:
        return tuple(Passage(id_, 0, self._text(id_)) for id_ in documents)

    def reading(self, passages: Sequence[Passage]) -> Reading:
        return Reading(self.question, tuple(passages), Route.LONG_CONTEXT)

    def most(self, most: int, reading: Callable[[int], Reading], window: int | None = None) -> int:
        """The greatest number up to `most` of which the reading fits into the window, 0 if none does."""
        return _most(most, lambda n: self.reader.count_tokens(reading(n)), self.window if window is None else window)

    def of_chunks(self, chunks: Sequence[Chunk], order: Sequence[str]) -> tuple[Passage, ...]:
        """Chunks as they stand in their documents, neighbours as one passage."""
        places = {id_: place for place, id_ in enumerate(order)}
        texts = {id_: self._text(id_) for id_ in dict.fromkeys(chunk.document for chunk in chunks)}
        spans: list[tuple[str, int, int, str]] = []
        for chunk in sorted(chunks, key=lambda chunk: (places[chunk.document], chunk.start)):
            last = spans[-1] if spans else None
            if last and last[0] == chunk.document and not texts[last[0]][last[2] : chunk.start].strip():
                spans[-1] = (last[0], last[1], max(last[2], chunk.end), last[3])
            else:
                spans.append((chunk.document, chunk.start, chunk.end, chunk.header))
        return tuple(Passage(id_, start, texts[id_][start:end], header) for id_, start, end, header in spans)

    def parts(self, chunks: Sequence[Chunk], order: Sequence[str]) -> tuple[tuple[Reading, ...], int]:
        """Chunks in as many readings as it takes, and how many of the chunks those hold: the next fits into none."""
        readings: list[Reading] = []
        at = 0
        while at < len(chunks):
            rest = chunks[at:]

            def shown(n: int, rest: Sequence[Chunk] = rest) -> Reading:
                return self.reading(self.of_chunks(rest[:n], order))

            fitting = self.most(len(rest), shown)
            if not fitting:
                break
            readings.append(shown(fitting))
            at += fitting
        return tuple(readings), at

    def parts_of(self, reading: Reading) -> tuple[Reading, ...]:
        """A reading made of chunks, in as many smaller ones as it takes; none where a chunk does not fit by itself."""
        owners = tuple(dict.fromkeys(passage.document for passage in reading.passages))
        chunks = [chunk for id_ in owners for chunk in within(self.index.chunks(id_), reading.passages)]
        readings, at = self.parts(chunks, owners)
        return readings if at == len(chunks) else ()

    def _text(self, document: str) -> str:
        """Kept, since fitting looks at it many times."""
        if document not in self._texts:
            self._texts[document] = self.index.document(document).text
        return self._texts[document]


def _fill(fitter: Fitter, wanted: Sequence[str], number: int, ranked: Ranked) -> Fit:
    """Whole documents while they fit, and the best chunks of the others, in the order of their documents."""
    whole, others = fitter.whole(wanted[:number]), wanted[number:]
    chunks = list(ranked(others))

    def shown(n: int) -> Reading:
        return fitter.reading((*whole, *fitter.of_chunks(chunks[:n], others)))

    fitting = fitter.most(len(chunks), shown)
    told = f"{fitting} of {len(chunks)} chunks were read, those most like the question"
    if len(wanted) > 1:
        told = f"{number} were read whole, and {fitting} of the {len(chunks)} chunks of the others"
    return Fit((shown(fitting),) if number or fitting else (), tuple(wanted[:number]), told)


def _middle(fitter: Fitter, wanted: Sequence[str], number: int, ranked: Ranked) -> Fit:
    """The middle is cut out, as LongBench does (Bai et al. 2024): half of the window from the start of the documents,
    half up to their end."""
    whole = fitter.whole(wanted)
    length = sum(len(passage.text) for passage in whole)

    def kept(head: int, tail: int) -> Reading:
        return fitter.reading((*_between(whole, 0, head), *_between(whole, length - tail, length)))

    frame = fitter.reader.count_tokens(kept(0, 0))
    half = frame + (fitter.window - frame) // 2
    head = fitter.most(length, lambda n: kept(n, 0), half)
    tail = fitter.most(length - head, lambda n: kept(head, n))
    made = kept(head, tail)
    cut = length - sum(len(passage.text) for passage in made.passages)
    told = f"{cut} of {length} characters were cut out of the middle"
    return Fit((made,) if head + tail else (), (), told)


def _windows(fitter: Fitter, wanted: Sequence[str], number: int, ranked: Ranked) -> Fit:
    """All of it, in as many readings as it takes."""
    chunks = [chunk for id_ in wanted for chunk in fitter.index.chunks(id_)]
    readings, at = fitter.parts(chunks, wanted)
    if at < len(chunks):
        return Fit(readings, (), f"after {at} of {len(chunks)} chunks the next does not fit")
    return Fit(readings, tuple(wanted), f"read in {len(readings)} parts")


def _refuse(fitter: Fitter, wanted: Sequence[str], number: int, ranked: Ranked) -> Fit:
    """Nothing is read."""
    return Fit((), (), "nothing was read; ask about fewer documents, or set reader.overflow to fill, middle or windows")


STRATEGIES: Mapping[str, Callable[[Fitter, Sequence[str], int, Ranked], Fit]] = MappingProxyType(
    {"fill": _fill, "middle": _middle, "windows": _windows, "refuse": _refuse}
)
"""What is read of documents that do not fit; each is told how many of them do."""


def within(chunks: Iterable[Chunk], passages: Sequence[Passage]) -> list[Chunk]:
    """Those chunks that a passage of their document holds from end to end."""
    spans = [(p.document, p.start, p.start + len(p.text)) for p in passages]
    return [c for c in chunks if any(c.document == id_ and s <= c.start and c.end <= e for id_, s, e in spans)]


def _between(passages: Sequence[Passage], low: int, high: int) -> tuple[Passage, ...]:
    """Characters `low:high` of the passages, taken as one text, but for words and numbers that these would cut."""
    kept, at = [], 0
    for passage in passages:
        start, end = whole_words(passage.text, max(low - at, 0), min(high - at, len(passage.text)))
        if start < end:
            kept.append(Passage(passage.document, passage.start + start, passage.text[start:end]))
        at += len(passage.text)
    return tuple(kept)


def whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """`start:end` without the parts of words or numbers at its ends; as it is where there is no white space near."""
    if 0 < start < end and _within_a_word(text, start):
        space = SPACE.search(text, start, start + LONGEST_WORD)
        start = min(space.start(), end) if space else start
    if start < end < len(text) and _within_a_word(text, end):
        low = max(end - LONGEST_WORD, start)
        spaces = [space.start() for space in SPACE.finditer(text, low, end)]
        if spaces:
            end = spaces[-1]
        elif low == start and SPACE.search(text, end, end + LONGEST_WORD):
            end = start  # there is nothing but a part of one word
    return start, end


def _within_a_word(text: str, at: int) -> bool:
    return not (SPACE.match(text, at - 1) or SPACE.match(text, at))


def _most(most: int, count: Callable[[int], int], room: int) -> int:
    """The greatest number up to `most` of which the count, which grows with it, is at most `room`; 0 if none is.

    All is tried first: most often it fits. Then the number at which it would be reached if each took as much as the
    others, for counting is dear; and where that twice does not halve what is left, the middle of it.
    """
    below, above = (0, 0), (most, count(most) if most else 0)
    if above[1] <= room:
        return most
    slow = 0
    while (left := above[0] - below[0]) > 1:
        share = (room - below[1]) / (above[1] - below[1]) if slow < 2 else 0.5
        tried = below[0] + min(max(int(left * share), 1), left - 1)
        counted = count(tried)
        if counted <= room:
            below = (tried, counted)
        else:
            above = (tried, counted)
        slow = 0 if above[0] - below[0] <= left / 2 else slow + 1
    return below[0]
