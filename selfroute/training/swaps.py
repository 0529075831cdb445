"""Questions that a paragraph no longer answers, made from questions that it does.

The kinds are those of SQuAD 2.0 (Rajpurkar et al. 2018): another entity, another number, the opposite word,
a negation, another condition. Promise: a swapped question differs from its original in what it asks, and
what was put in stands nowhere near the answer. Knows nothing of models or windows.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence

from selfroute.training.windows import Article, Asked, Span

_PAIRS = (
    "largest smallest|biggest smallest|first last|earliest latest|before after|north south|northern southern"
    "|east west|eastern western|increase decrease|increased decreased|increases decreases|more less|most least"
    "|highest lowest|higher lower|oldest newest|older younger|old new|early late|earlier later|begin end|began ended"
    "|start finish|started ended|beginning end|win lose|won lost|wins loses|male female|men women|man woman"
    "|father mother|son daughter|brother sister|husband wife|king queen|best worst|better worse|long short"
    "|longest shortest|major minor|majority minority|maximum minimum|always never|allowed prohibited"
    "|accept reject|accepted rejected|support oppose|supported opposed|include exclude|included excluded"
    "|open closed|opened closed|public private|rich poor|strong weak|strongest weakest|import export"
    "|left right|upper lower|above below|inside outside|internal external|positive negative|success failure"
    "|gained lost|gain loss|joined left|born died|birth death|created destroyed|built demolished|raised lowered"
    "|rise fall|rose fell|large small|larger smaller|high low|hot cold|warm cool|light dark|heavy light"
    "|modern ancient|common rare|similar different|legal illegal|native foreign|summer winter|spring autumn"
    "|day night|sunrise sunset|attack defend|attacked defended|love hate|friend enemy|expensive cheap"
    "|advantage disadvantage|advantages disadvantages|require prohibit|required forbidden|primary secondary"
)
OPPOSITES: dict[str, str] = {}
for _pair in _PAIRS.split("|"):
    _one, _other = _pair.split()
    OPPOSITES.setdefault(_one, _other)
    OPPOSITES.setdefault(_other, _one)

NEGATED = {"was": "wasn't", "were": "weren't", "is": "isn't", "are": "aren't", "did": "didn't", "does": "doesn't"}
NEGATED |= {"do": "don't", "can": "can't", "could": "couldn't", "has": "hasn't", "have": "haven't", "had": "hadn't"}

_NAME = re.compile(r"[A-Z][\w'-]+(?: (?:of |the |de |and )?[A-Z][\w'-]+)*")
_NUMBER = re.compile(r"(?<![\w.,])\d[\d,.]*(?:st|nd|rd|th|s)?(?![\w])")
_WORD = re.compile(r"(?<![\w'-])[a-z]{4,}(?![\w'-])")
_PLAIN = frozenset(
    _WORD.findall(
        "about after again against also been before being between both called could does down during each from have "
        "having into itself just like made many mean more most much name named only other over same should some "
        "such than that their them then there these they this those through time type under until used very were what "
        "when where which while whom whose will with within without would your year years kind known make according"
    )
)
_ENDINGS = ("ation", "tion", "ing", "ed", "es", "s", "ly", "er", "al", "ic", "ity")


def swapped(article: Article, asked: Asked, rng: random.Random) -> str | None:
    """Another question about the paragraph of the first answer, which does not answer it; `None` if none is found."""
    if not asked.spans:
        return None
    kinds: list[Callable[[Article, Asked, Span, random.Random], str | None]] = [_entity, _number, _opposite, _condition]
    rng.shuffle(kinds)
    # A number or an opposite is rarely there, so it goes first where it is; a negation fits nearly any question.
    kinds.sort(key=lambda kind: kind in (_entity, _condition))
    if rng.random() < 0.12:
        kinds.insert(0, _negation)
    for kind in kinds:
        if (made := kind(article, asked, asked.spans[0], rng)) is not None:
            return made
    return None


def _entity(article: Article, asked: Asked, span: Span, rng: random.Random) -> str | None:
    """A name in the question becomes another name of the article, of as many words."""
    names = [m for m in _NAME.finditer(asked.question) if m.start() > 0]
    if not names:
        return None
    old = rng.choice(names)
    # The own paragraph half the time: a name that stands there, but not beside the answer, is the harder trap.
    near = rng.random() < 0.5
    away = rng.sample(article.paragraphs, min(4, len(article.paragraphs)))
    texts = [article.paragraphs[span.paragraph]] if near else away
    others = [
        m.group() for text in texts for m in _NAME.finditer(text) if m.start() > 1 and text[m.start() - 2] not in ".!?"
    ]
    return _replaced(article, asked, span, old, others, rng)


def _number(article: Article, asked: Asked, span: Span, rng: random.Random) -> str | None:
    """A year or number becomes another of the article with as many digits, or one a little off."""
    numbers = list(_NUMBER.finditer(asked.question))
    if not numbers:
        return None
    old = rng.choice(numbers)
    found = [m.group() for text in article.paragraphs for m in _NUMBER.finditer(text)]
    form = re.sub(r"\d", "0", old.group())
    others = [number for number in found if re.sub(r"\d", "0", number) == form]
    if old.group().isdigit():
        others.append(str(max(1, int(old.group()) + rng.choice((-1, 1)) * rng.randint(1, 20))))
    return _replaced(article, asked, span, old, others, rng)


def _opposite(article: Article, asked: Asked, span: Span, rng: random.Random) -> str | None:
    words = [m for m in _WORD.finditer(asked.question) if m.group() in OPPOSITES]
    if not words:
        return None
    old = rng.choice(words)
    return _replaced(article, asked, span, old, [OPPOSITES[old.group()]], rng)


def _condition(article: Article, asked: Asked, span: Span, rng: random.Random) -> str | None:
    """A word of the question becomes a word of like form from another question about the article."""
    words = [m for m in _WORD.finditer(asked.question) if m.group() not in _PLAIN]
    if not words:
        return None
    old = rng.choice(words)
    others = [
        m.group()
        for other in rng.sample(article.asked, min(12, len(article.asked)))
        for m in _WORD.finditer(other.question)
        if m.group() not in _PLAIN and _ending(m.group()) == _ending(old.group())
    ]
    return _replaced(article, asked, span, old, others, rng)


def _negation(article: Article, asked: Asked, span: Span, rng: random.Random) -> str | None:
    for verb in re.finditer(r"\b[a-z]+\b", asked.question):
        if verb.group() in NEGATED:
            return asked.question[: verb.start()] + NEGATED[verb.group()] + asked.question[verb.end() :]
    return None


def _replaced(
    article: Article, asked: Asked, span: Span, old: re.Match[str], others: Sequence[str], rng: random.Random
) -> str | None:
    """The question with `old` replaced by one of `others` that is new to the question, the answer and its sentence."""
    paragraph = article.paragraphs[span.paragraph]
    barred = f"{asked.question} {sentence(paragraph, span.start, span.end)}".lower()
    size = len(old.group().split())
    fitting = [o for o in dict.fromkeys(others) if o.lower() not in barred and len(o.split()) == size]
    if not fitting:
        return None
    return asked.question[: old.start()] + rng.choice(fitting) + asked.question[old.end() :]


def sentence(text: str, start: int, end: int) -> str:
    """The sentence or sentences of `text` that hold the characters `start:end`."""
    low = max((m.end() for m in _breaks(text[:start])), default=0)
    high = next((end + m.start() for m in _breaks(text[end:])), len(text))
    return text[low:high]


def _breaks(text: str) -> Iterator[re.Match[str]]:
    return re.finditer(r"[.!?][\"')\]]?\s+|\n+", text)


def _ending(word: str) -> str:
    return next((ending for ending in _ENDINGS if word.endswith(ending)), "")
