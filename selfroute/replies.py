"""What a model's reply says: an answer with its quotes, or a decline. The decline marker and its one parser.

Reads the reply and nothing else, so that no text of a document can stand in for it. In a structured reply the
field `answerable` decides; in plain text the marker, alone in the first sentence. Knows nothing of prompts.
"""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

MARKER = "unanswerable"
"""What a model is asked to write when the text it was shown does not answer."""

FIELDS = ("answerable", "answer", "quotes")
"""The fields of a structured reply, in the order in which they are asked for."""

_SAME: Mapping[str, str] = {
    "en": "unanswerable; not answerable; no answer; cannot be answered; can't be answered; cannot answer;"
    "unable to answer;"
    "i cannot answer the question; i cannot answer this question; i can't answer this question;"
    "the question cannot be answered; this question cannot be answered; the question is unanswerable;"
    "the question cannot be answered based on the information in the article;"
    "the question cannot be answered from the text; the question cannot be answered based on the text",
    "de": "unbeantwortbar; nicht beantwortbar; die frage kann nicht beantwortet werden; keine antwort",
    "fr": "sans réponse; pas de réponse; impossible de répondre; il est impossible de répondre à la question",
    "es": "sin respuesta; no se puede responder; no se puede responder a la pregunta; no contestable",
    "it": "senza risposta; non è possibile rispondere; impossibile rispondere",
    "pt": "sem resposta; não é possível responder",
    "nl": "onbeantwoordbaar; niet te beantwoorden; kan niet worden beantwoord",
    "sv, da, fi": "obesvarbar; kan inte besvaras; går inte att besvara; kan ikke besvares; ei voida vastata",
    "pl, cs": "nie można odpowiedzieć; brak odpowiedzi; nelze odpovědět",
    "tr": "cevaplanamaz; yan\u0131tlanamaz",
    "ru, uk": "нет ответа; невозможно ответить; на вопрос невозможно ответить; немає відповіді; неможливо відповісти",
    "zh": "無法回答; 无法回答; 不能回答; 该问题无法回答; 這個問題無法回答; 无法根据文本回答; 没有答案",
    "ja": "回答不能; 回答できません; 答えられません",
    "ko": "답변할 수 없음; 답변할 수 없습니다; 대답할 수 없습니다",
    "vi, th, id": "không thể trả lời; ไม่สามารถตอบได้; tidak dapat dijawab",
    "ar, he": "لا يمكن الإجابة; لا يمكن الإجابة على السؤال; لا توجد إجابة; לא ניתן לענות",
    "hi": "उत्तर नहीं दिया जा सकता; प्रश्न का उत्तर नहीं दिया जा सकता",
}
"""The marker, and how a model says it that forgets the word: in other words or in the language it was asked in."""
_LABEL = re.compile(
    r"^(?:final\s+)?(?:answer|antwort|réponse|respuesta|risposta|resposta|svar|ответ|答案|回答|答え|답변)\s*[:：]\s*",
    re.I,
)
_SENTENCE = re.compile(r"[.!?。\uff01？।؟…\n:：;(]|\s[-\u2013—]+\s")
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.S | re.I)
_FENCE = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*\n(.*?)(?:\n\s*\1\s*|\Z)\Z", re.S)
_KEY = re.compile(r"[\s,]*[\"'“”]?(answerable|answer|quotes)[\"'“”]?\s*[:=]\s*", re.I)
_LITERAL = re.compile(r"[\"']?(true|false|yes|no|null|none|1|0)[\"']?(?=\s*(?:[,}\"'\n]|\Z))", re.I)
_NAMED = r"[\"']?(?:answerable|answer|quotes)[\"']?\s*[:=]"
_BEGUN = "|".join(sorted({name[:n] for name in FIELDS for n in range(len(name) + 1)}, reverse=True))
_ENDS = re.compile(rf"\s*(?:,?\s*{_NAMED}|,?\s*\}}|,?\s*\Z|,\s*[\"'](?:{_BEGUN})[\"']?\s*\Z)", re.I)
"""What goes on behind a string that ends: the next field, or as much of it as there is; the end."""
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Unreadable(ValueError):
    """Why a reply holds neither an answer nor a decline: a clause whose subject is the reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`answer` of a declined reply is the guess that it gave all the same, if it did."""

    declined: bool
    answer: str | None
    quotes: tuple[str, ...] = ()


def read_reply(text: str, *, structured: bool) -> Reply:
    """Reads a reply that was asked for as JSON (`structured`) or as plain text with the marker.

    Survives case, punctuation, code fences, thoughts before the reply, JSON that breaks off or is half formed, and
    a decline in other languages. Raises `Unreadable` for a reply that holds neither; it never guesses.
    """
    said = _THOUGHT.sub("", text, count=1) if text.lstrip()[:7].lower() == "<think>" else text
    if said.lstrip()[:7].lower() == "<think>":
        raise Unreadable("breaks off within its thoughts")
    if not said.strip():
        raise Unreadable("is empty")
    fields = _fields(said, structured)
    if fields is not None:
        return _of_fields(fields)
    plain = said.strip()
    return Reply(True, None) if declines(plain) else Reply(False, _storable(plain))


def declines(text: str) -> bool:
    """Whether plain text says that there is no answer: the marker or its like is all of its first sentence."""
    opened = _LABEL.sub("", text.strip().lstrip("*_#>`\"'“”«»([ \n"))
    first = next((part for part in _SENTENCE.split(opened) if _letters(part)), "")
    return _letters(first) in _DECLINES or _letters(opened) in _DECLINES


def _fields(text: str, structured: bool) -> Mapping[str, object] | None:
    """The fields of a structured reply; `None` if it is plain text."""
    fenced = _FENCE.match(text)
    body = (fenced[2] if fenced else text).strip()
    if body.startswith("{"):
        fields = _parsed(body)
        if fields is None and (structured or re.match(r"\{\s*[\"']answerable[\"']\s*:", body)):
            fields = _scanned(body)
        if structured and not (fields or {}).keys() & set(FIELDS):
            raise Unreadable("breaks off or is no JSON with the fields that were asked for")
        # Unasked, an object is an answer like any other unless it says whether there is one.
        return fields if structured or (fields is not None and "answerable" in fields) else None
    return _last_object(body) if structured else None


def _last_object(text: str) -> Mapping[str, object] | None:
    """The object that ends a reply and begins a line of it: after some prose. One in a sentence is only quoted."""
    for found in re.finditer(r"(?m)^\s*\{", text):
        rest = re.sub(r"\s*(?:`{3,}|~{3,})?\s*\Z", "", text[found.end() - 1 :])
        fields = _parsed(rest, whole=True)
        if fields is not None and "answerable" in fields:
            return fields
    return None


def _parsed(text: str, whole: bool = False) -> dict[str, object] | None:
    """The object that `text` begins with (`whole`: that it is), as JSON or as Python writes it."""
    try:
        value, end = json.JSONDecoder(strict=False, object_pairs_hook=_first).raw_decode(text)
    except (ValueError, RecursionError):
        value, end = _as_python(text), len(text)
    if not isinstance(value, dict) or (whole and text[end:].strip()):
        return None
    return {str(key).lower(): item for key, item in value.items()}


def _as_python(text: str) -> object:
    try:
        node = ast.parse(text, mode="eval").body
        if not isinstance(node, ast.Dict):
            return None
        pairs = zip(node.keys, node.values, strict=True)
        return _first([(str(ast.literal_eval(key)), ast.literal_eval(value)) for key, value in pairs if key])
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _first(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Of a key that comes twice the first counts: what is written later may be another's text."""
    found: dict[str, object] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _scanned(text: str) -> dict[str, object]:
    """The fields of JSON that breaks off or is half formed, read from its start as far as they go."""
    found: dict[str, object] = {}
    at = 1
    while key := _KEY.match(text, at):
        name, at = key[1].lower(), key.end()
        if name == "quotes":
            found.setdefault(name, _strings(text, at))
            break  # the last field: what follows may be the text of a quote
        value, at = _value(text, at)
        if value is _CUT:
            break
        found.setdefault(name, value)
    return found


_CUT = object()


def _value(text: str, at: int) -> tuple[object, int]:
    if literal := _LITERAL.match(text, at):
        said = literal[1].lower()
        return _TRUTH.get(said), literal.end()
    if text[at : at + 1] in ('"', "'"):
        value, end, _ = _string(text, at)
        return value, end
    return _CUT, at


def _strings(text: str, at: int) -> list[str]:
    """The strings of a list that are closed."""
    found: list[str] = []
    start = re.compile(r"\s*[\[,]\s*(?=[\"'])")
    while begun := start.match(text, at):
        value, at, closed = _string(text, begun.end(), r"\s*(?:[,\]]|\Z)")
        if not closed:
            break
        found.append(value)
    return found


def _string(text: str, at: int, ends: str | None = None) -> tuple[str, int, bool]:
    """The string that opens at `at`, where it ends, and whether it was closed. A quotation mark that was not
    escaped does not close it unless the structure goes on behind it."""
    mark, follows = text[at], re.compile(ends) if ends else _ENDS
    for found in re.finditer(r"\\.|[\"']", text[at + 1 :], re.S):
        end = at + 1 + found.end()
        if found[0] == mark and follows.match(text, end):
            return _unescaped(text[at + 1 : end - 1]), end, True
    return _unescaped(text[at + 1 :]), len(text), False


def _unescaped(raw: str) -> str:
    raw = (
        re.sub(r"\\(?:u[0-9a-fA-F]{0,3})?\Z", "", raw) if re.search(r"(?<!\\)(?:\\\\)*\\(?:u\w{0,3})?\Z", raw) else raw
    )
    raw = re.sub(r'(?<!\\)((?:\\\\)*)"', r"\1\\" + '"', raw)
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw


def _of_fields(fields: Mapping[str, object]) -> Reply:
    answer = _text(fields.get("answer"))
    says = fields.get("answerable")
    answerable = says if isinstance(says, bool) else _TRUTH.get(str(says).strip().lower())
    if answerable is False:
        return Reply(True, answer)
    if answerable is None:
        if "answer" in fields and (fields["answer"] is None or (answer is not None and declines(answer))):
            return Reply(True, None)
        if answer is None:
            raise Unreadable("says neither whether there is an answer nor what it is")
    if answer is None:
        raise Unreadable("says that there is an answer and does not give it")
    quotes = fields.get("quotes")
    listed = [quotes] if isinstance(quotes, str) else quotes if isinstance(quotes, list) else []
    return Reply(False, answer, tuple(_storable(quote) for quote in listed if isinstance(quote, str) and quote.strip()))


def _text(value: object) -> str | None:
    if isinstance(value, list):
        value = ", ".join(part for item in value if (part := _text(item)) is not None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, bool):
        value = "yes" if value else "no"
    return _storable(value.strip()) or None if isinstance(value, str) else None


def _storable(text: str) -> str:
    """Half a surrogate pair and NUL are no text that a database keeps."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


_DECLINES = frozenset(_letters(phrase) for table in _SAME.values() for phrase in table.split(";"))
