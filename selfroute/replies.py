"""What a model's reply says: an answer with its quotes, or a decline. The decline marker and its one parser.

Reads the reply and nothing else, so that no text of a document can stand in for it. In a structured reply the
field `answerable` decides; in plain text the marker, alone in the first sentence or with a reason. Knows nothing of
prompts.
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
_DRESS = "*_#>`\"'“”«»([ \n"
"""What stands before the first word of a reply and says nothing."""
_MARKED = re.compile(
    r"""
    (?:(?:(?:i['\u2019]m|i\ am)\s+)?sorry\s*[,.]?\s*(?:but\s+)?|unfortunately\s*,?\s*)?
    (?:
        (?:(?:the|this|your)\s+(?:question|answer)\s+is|it\s+is|it['\u2019]s)?\s*:?\s*
        [$*_`]*(?:\\boxed\{\s*)?(?:\\text\{\s*)?["'“]?(?:unanswerable|not\s+answerable)
        | (?:(?:the|this|your)\s+question|it)\s+(?:can\s?not|can['\u2019]t)\s+be\s+answered
        | i\s+(?:can\s?not|can['\u2019]t|am\s+unable\s+to)\s+answer\s+(?:the|this|your|that)\s+question
    )
    [$*_`})\]]*
    (?:
        ["'”][$*_`})\]]*\s*(?:\Z|[.;:!…]|,?\s*(?:as|because|since)\b)
        | \s*(?:\Z|[.;:!?…(\n。]|[,，](?!\s*["'”]))
        | \s+(?:[-\u2013—]+\s|(?:as|because|since|based\s+on|from|given|in|(?:with|using)\s+(?:the|this|these))\b)
    )
    """,
    re.I | re.X,
)
"""The marker, or the question that cannot be answered, with a reason behind it or none."""
_ABROAD = re.compile(
    r"""
    (?:(?:es\ tut\ mir\ leid|leider)\b,?\ ?(?:aber\ )?)?
        (?=.*\bfrage\b)(?=.*\bkann\b)
        (?:die\ |diese\ |kann\ |anhand\ |auf\ (?:basis|grundlage)\ |basierend\ |mit\ dem\ |aus\ dem\ )
        .*\bnicht\ (?:\w+\ ){0,4}beantwortet\ werden(?:\Z|,)
    | (?:lo\ siento,?\ (?:pero\ )?)?(?:(?:a\ )?(?:la|esta)\ pregunta\ |(?:con|según)\ el\ texto,?\ )?
        no\ se\ puede\ (?:responder|contestar)(?:\ a)?(?:\ (?:la|esta)\ pregunta)?
        (?:\Z|,|\ (?:con|según|a\ partir|basándo\w+|en\ base|porque|ya\ que)\b)
    | (?:désolée?,?\ (?:mais\ )?)?(?:(?:d['\u2019]après|selon|à\ partir\ de|avec)\ (?:le|ce)\ texte,?\ )?
        (?:on|je)\ ne\ peu[tx]\ pas\ (?:y\ )?répondre(?:\ à\ (?:la|cette|votre)\ question)?
        (?:\Z|,|\ (?:avec|selon|à\ partir|d['\u2019]après|car)\b)
    | (?:niestety,?\ |przykro\ mi,?\ (?:ale\ )?)?(?:na\ (?:to\ )?pytanie\ |na\ podstawie\ (?:\w+\ ){0,2}tekstu,?\ )*
        nie\ można\ odpowiedzieć(?:\ na\ (?:to\ )?pytanie)?(?:\Z|,|\ (?:na\ podstawie|z\ tekstu|ponieważ)\b)
    | (?:(?:很|非常)?抱歉,?|对不起,?)?
        (?:(?:(?:根据|根據|基于|基於|从|從|依据|依據|仅凭|僅憑)[^,]{0,12}?)?(?:提供的|给定的|給定的)?
            (?:文本|文章|上下文|资料|資料|内容|內容|原文|信息|資訊|文档|文檔|文中|段落)(?:中|内|本身)?(?:(?:没有|沒有|未)(?:提到|提及|说明|說明|给出|給出)[^,]{0,12})?,?)?
        (?:(?:该|該|这个|這個|此|本)?(?:问题|問題))?(?:无法|無法|不能)(?:回答|作答)
        (?:(?:该|該|这个|這個|此|本)?(?:问题|問題))?(?:\Z|,)
    | (?:申し訳[^、]{0,12}、)?
        (?:(?:この|その|提供された|与えられた)?(?:テキスト|本文|文章|文書|記事|情報|文脈|資料|内容|質問)
            (?:から|だけ|では|には|で|に|は|の|を)*(?:(?:記載|情報|言及|記述)が(?:ない|なく|ありません)(?:ため|ので)?)?、?)*
        (?:お答え|回答|回答することは|答えることは|答えることが)(?:できません|できない)(?:\Z|、)
    | (?:죄송합니다만?,?\ ?|죄송하지만,?\ ?)?
        (?:(?:(?:이|해당|주어진|제공된)\ )?(?:질문|본문|텍스트|문서|글|정보|내용|지문)
            (?:만으로는|에서는|으로는|에서|에는|로는|으로|에|로|은|는|을|를)?[ ]
            (?:(?:대해|대해서|대한|근거하여|바탕으로)\ )?)*
        (?:답|답변|대답)(?:을\ )?할\ 수\ 없(?:습니다|음|다|어요)(?:\Z|,)
    """,
    re.I | re.X,
)
"""The same in other languages, of the question that was asked: another's that went unanswered is an answer."""
_SHORT_WORDS, _SHORT_LETTERS = 12, 40
"""How long such a sentence is at most: in words, and in letters of a script that puts none between them."""
_QUOTED = re.compile('["“”„«»「」『』]')
_SENTENCE = re.compile(r"[.!?。\uff01？।؟…\n:：;(]|\s[-\u2013—]+\s")
_OPENED = re.compile(r"\s*<(think|thinking)>", re.I)
_CLOSED = re.compile(r"(?<!`)</(?:think|thinking)>(?!`)", re.I)
_CHANNEL = re.compile(r"\s*<\|(?:start|channel)\|>")
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_TURN_ENDS = re.compile(r"<\|(?:end|return)\|>\Z")
_BODY = re.compile(r"\s*(?:(?:`{3,}|~{3,})[^\n`]*\n\s*)?\{")
_ANSWERABLE = re.compile(r"\{\s*[\"']?answerable\b", re.I)
_LABELLED = re.compile(r"\{\s*[\"']?(?:answerable|answer|quotes)\b", re.I)
_LED = re.compile(r"(?P<line>[^\n]{0,80}):[*_]*[ \t]*\n\s*(?:(?:`{3,}|~{3,})[^\n`]*\n\s*)?(?=\{)")
_QUOTING = re.compile(r"\b(?:says?|said|reads?|states?|writes?|wrote|written|quotes?|contains?|shows?|has)\b", re.I)
_MORE = re.compile(r"[.!?。\uff01\uff1f…;\uff1b](?:\s|$)")
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
    said = _TURN_ENDS.sub("", text[thoughts_end(text) :].rstrip())
    if not said.strip():
        raise Unreadable("is empty")
    fields = _fields(said, structured)
    if fields is not None:
        return _of_fields(fields)
    plain = said.strip()
    return Reply(True, None) if declines(plain) else Reply(False, _storable(plain))


def read_object(text: str) -> Mapping[str, object]:
    """The JSON object that a reply is, behind thoughts, in a fence or between lines of prose; names in lower case.
    Raises `Unreadable`."""
    said = _TURN_ENDS.sub("", text[thoughts_end(text) :].rstrip()).strip()
    at = said.find("{")
    fields = _parsed(said[at:]) if at >= 0 else None
    if fields is None:
        raise Unreadable("is empty" if not said else "breaks off or is no JSON object")
    return fields


def thoughts_end(text: str) -> int:
    """Where in a reply the thoughts before it end: 0 without any. Raises `Unreadable` if they do not end.

    Thoughts whose opening tag stood in the prompt end at the closing one; not at one within a structured reply.
    """
    at = 0
    if _CHANNEL.match(text):
        final = _FINAL.search(text)
        if final is None:
            raise Unreadable("breaks off within its thoughts")
        at = final.end()
    begun = _OPENED.match(text, at)
    if begun is None and (closed := _CLOSED.search(text, at)) and not _BODY.match(text, at):
        before = text[at : closed.start()]
        # A string of JSON holds no line break, so a tag on a line of its own stands in none.
        alone = before.rstrip(" \t").endswith("\n") and _BODY.match(text, closed.end())
        if not re.search(r"<think(?:ing)?>", before, re.I) and (alone or not _ANSWERABLE.search(before)):
            at = closed.end()
            begun = _OPENED.match(text, at)
    while begun:
        end = re.compile(f"</{begun[1]}>", re.I).search(text, begun.end())
        if end is None:
            raise Unreadable("breaks off within its thoughts")
        at = end.end()
        begun = _OPENED.match(text, at)
    return at


def declines(text: str) -> bool:
    """Whether plain text says that there is no answer: the marker or its like, alone in its first sentence or with a
    reason."""
    opened = _LABEL.sub("", text.strip().lstrip(_DRESS))
    first = next((part for part in _SENTENCE.split(opened) if _letters(part)), "")
    if _letters(first) in _DECLINES or _letters(opened) in _DECLINES:
        return True
    begins = _MARKED.match(text.strip().lstrip("*_#>` \n")) or _MARKED.match(opened)
    return begins is not None or _declines_abroad(first)


def _declines_abroad(sentence: str) -> bool:
    plain = " ".join(unicodedata.normalize("NFKC", sentence).casefold().strip(" *_`").split())
    unspaced = re.search("[\u3040-\u30ff\u3400-\u9fff]", plain)
    if _QUOTED.search(plain) or (len(plain) > _SHORT_LETTERS if unspaced else len(plain.split()) > _SHORT_WORDS):
        return False
    return _ABROAD.match(plain) is not None


def _fields(text: str, structured: bool) -> Mapping[str, object] | None:
    """The fields of a structured reply; `None` if it is plain text."""
    fenced = _FENCE.match(text)
    body = (fenced[2] if fenced else text).strip()
    unlabelled = _LABEL.sub("", body.lstrip("*_ ")).lstrip("*_ \n")
    if _LABELLED.match(unlabelled):
        body = unlabelled
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
    """The object that ends a reply and that one short line, such as `Here it is:`, leads in. Behind other prose, or
    behind a line that says whose words follow, it may be quoted from the text."""
    led = _LED.match(text)
    if led is None or _MORE.search(led["line"]) or _QUOTING.search(led["line"]):
        return None
    fields = _parsed(text[led.end() :].rstrip("`~ \t\r\n"), whole=True)
    return fields if fields is not None and "answerable" in fields else None


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
