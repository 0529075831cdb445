"""What a model's reply says: an answer with its quotes, or a decline. The decline marker and its one parser.

Reads the reply and nothing else, so that no text of a document can stand in for it; of the text that was shown it is
only asked whether what ends a reply may be quoted from it. In a structured reply the field `answerable` decides; in
plain text the marker, alone in the first sentence or with a reason. Knows nothing of prompts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfroute.replies.form import ANSWERABLE, FIELDS, FORM, LABELLED, Unreadable, parsed, says, scanned
from selfroute.replies.thoughts import TURN_END, thoughts_end

__all__ = [
    "FIELDS",
    "MARKER",
    "Reply",
    "Unreadable",
    "begins_object",
    "decided",
    "declines",
    "read_object",
    "read_reply",
    "storable",
    "thoughts_end",
]

MARKER = "unanswerable"
"""What a model is asked to write when the text it was shown does not answer."""

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
_DECIDED = 80
"""Letters: `_MARKED` matches at most 59, the longest of `_SAME` has 60."""
_QUOTED = re.compile('["“”„«»「」『』]')
_SENTENCE = re.compile(r"[.!?。\uff01？।؟…\n:：;(]|\s[-\u2013—]+\s")
_LED = re.compile(r"(?P<line>[^\n]{0,80}):[*_]*[ \t]*\n\s*(?:(?:`{3,}|~{3,})[^\n`]*\n\s*)?(?=\{)")
_QUOTING = re.compile(r"\b(?:says?|said|reads?|states?|writes?|wrote|written|quotes?|contains?|shows?|has)\b", re.I)
_MORE = re.compile(r"[.!?。\uff01\uff1f…;\uff1b](?:\s|$)")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*\n(.*?)(?:\n\s*\1\s*|\Z)\Z", re.S)


@dataclass(frozen=True, slots=True)
class Reply:
    """`answer` of a declined reply is the guess that it gave all the same, if it did."""

    declined: bool
    answer: str | None
    quotes: tuple[str, ...] = ()


def read_reply(text: str, *, structured: bool, shown: Sequence[str] | None = None) -> Reply:
    """Reads a reply that was asked for as JSON (`structured`) or as plain text with the marker. `shown` are the texts
    that the model saw; `None` if they are not known.

    Survives case, punctuation, code fences, thoughts before the reply, JSON that breaks off or is half formed, and
    a decline in other languages. Raises `Unreadable` for a reply that holds neither; it never guesses: JSON behind
    other words is the reply if it is whole, ends it, and cannot be quoted from what was shown.
    """
    said = TURN_END.sub("", text[thoughts_end(text) :].rstrip())
    if not said.strip():
        raise Unreadable("is empty")
    fields = _fields(said, structured, shown)
    if fields is not None:
        return _of_fields(fields)
    plain = said.strip()
    return Reply(True, None) if declines(plain) else Reply(False, storable(plain))


def read_object(text: str) -> Mapping[str, object]:
    """The JSON object that a reply is, behind thoughts, in a fence or between lines of prose; names in lower case.
    Raises `Unreadable`."""
    said = TURN_END.sub("", text[thoughts_end(text) :].rstrip()).strip()
    at = said.find("{")
    fields = parsed(said[at:]) if at >= 0 else None
    if fields is None:
        raise Unreadable("is empty" if not said else "breaks off or is no JSON object")
    return fields


def declines(text: str) -> bool:
    """Whether plain text says that there is no answer: the marker or its like, alone in its first sentence or with a
    reason."""
    opened = _LABEL.sub("", text.strip().lstrip(_DRESS))
    first = next((part for part in _SENTENCE.split(opened) if _letters(part)), "")
    if _letters(first) in _DECLINES or _letters(opened) in _DECLINES:
        return True
    begins = _MARKED.match(text.strip().lstrip("*_#>` \n")) or _MARKED.match(opened)
    return begins is not None or _declines_abroad(first)


def decided(text: str) -> bool:
    """Whether plain text that begins so is an answer whatever follows: neither a decline nor a structured reply."""
    opened = _LABEL.sub("", text.strip().lstrip(_DRESS))
    if len(_letters(opened)) < _DECIDED or declines(text) or begins_object(text) is not False:
        return False
    parts = _SENTENCE.split(opened)
    first = next(number for number, part in enumerate(parts) if _letters(part))
    plain = _plain(parts[first])
    # A word, or a few letters, may yet become part of the one before.
    return first < len(parts) - 1 or (len(plain.split()) > _SHORT_WORDS + 1 and len(plain) > _SHORT_LETTERS + 4)


def begins_object(text: str) -> bool | None:
    """Whether a reply, as far as it has come, begins with an object, fenced or labelled or not; `None`: not known."""
    body = text.lstrip()
    if body.startswith(("```", "~~~")):
        _, _, body = body.partition("\n")
        if not body.strip():
            return None
    body = _LABEL.sub("", body.lstrip().lstrip("*_ ")).lstrip("*_ \n")
    return body.startswith("{") if body else None


def _declines_abroad(sentence: str) -> bool:
    plain = _plain(sentence)
    unspaced = re.search("[\u3040-\u30ff\u3400-\u9fff]", plain)
    if _QUOTED.search(plain) or (len(plain) > _SHORT_LETTERS if unspaced else len(plain.split()) > _SHORT_WORDS):
        return False
    return _ABROAD.match(plain) is not None


def _plain(sentence: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", sentence).casefold().strip(" *_`").split())


def _fields(text: str, structured: bool, shown: Sequence[str] | None) -> Mapping[str, object] | None:
    """The fields of a structured reply; `None` if it is plain text."""
    fenced = _FENCE.match(text)
    body = (fenced[2] if fenced else text).strip()
    unlabelled = _LABEL.sub("", body.lstrip("*_ ")).lstrip("*_ \n")
    if LABELLED.match(unlabelled):
        body = unlabelled
    if body.startswith("{"):
        fields = parsed(body)
        if fields is None and (structured or re.match(r"\{\s*[\"']answerable[\"']\s*:", body)):
            fields = scanned(body)
        if structured and not (fields or {}).keys() & set(FIELDS):
            raise Unreadable("breaks off or is no JSON with the fields that were asked for")
        # Unasked, an object is an answer like any other unless it says whether there is one.
        return fields if structured or (fields is not None and "answerable" in fields) else None
    return (_last_object(body) or _behind_prose(body, shown)) if structured else None


def _last_object(text: str) -> Mapping[str, object] | None:
    """The object that ends a reply and that one short line, such as `Here it is:`, leads in. Behind other prose, or
    behind a line that says whose words follow, it may be quoted from the text."""
    led = _LED.match(text)
    if led is None or _MORE.search(led["line"]) or _QUOTING.search(led["line"]):
        return None
    fields = parsed(text[led.end() :].rstrip("`~ \t\r\n"), whole=True)
    return fields if fields is not None and "answerable" in fields else None


def _behind_prose(text: str, shown: Sequence[str] | None) -> Mapping[str, object] | None:
    """The whole object with all fields that ends a reply behind other words, if it must be the model's own; `None` if
    there is none. Raises `Unreadable` for one that may be quoted, is not whole or does not end the reply: neither it
    nor the words are then known to be the answer. A decline in words stands unless it says otherwise."""
    form = FORM.search(text)
    if form is None:
        return None
    words, body = text[: form.start()], text[form.start() :].rstrip("`~* \t\r\n")
    fields = parsed(body, whole=True)
    # Spelled out: an escape in the name could be quoted from a text that does not hold the name.
    if fields is not None and fields.keys() >= set(FIELDS) and ANSWERABLE.match(body) and _is_own(shown):
        return fields
    if declines(words) and says(fields or scanned(body)) is not True:
        return {FIELDS[0]: False}
    raise Unreadable("holds JSON behind other words, which is not whole or may be quoted from the text")


def _is_own(shown: Sequence[str] | None) -> bool:
    """Whether a structured reply can be quoted from nothing that was shown: the name of its first field is nowhere."""
    return shown is not None and not any(FIELDS[0] in _letters(text) for text in shown)


def _of_fields(fields: Mapping[str, object]) -> Reply:
    answer = _text(fields.get("answer"))
    answerable = says(fields)
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
    return Reply(False, answer, tuple(storable(quote) for quote in listed if isinstance(quote, str) and quote.strip()))


def _text(value: object) -> str | None:
    if isinstance(value, list):
        value = ", ".join(part for item in value if (part := _text(item)) is not None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, bool):
        value = "yes" if value else "no"
    return storable(value.strip()) or None if isinstance(value, str) else None


def storable(text: str) -> str:
    """Half a surrogate pair and NUL are no text that a database keeps."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


_DECLINES = frozenset(_letters(phrase) for table in _SAME.values() for phrase in table.split(";"))
