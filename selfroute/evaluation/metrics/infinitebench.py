"""InfiniteBench's scores of short answers. Pure functions of text; long answers are in `qa`, `rouge` and `chinese`.

Labels come as the list of texts that a record holds. What no source at hand states in full is in `UNVERIFIED`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from selfroute.errors import UnscorableRecord
from selfroute.evaluation.metrics.mode import Mode

UNVERIFIED: Mapping[str, str] = {
    "label_among_words": "which characters part words: line breaks and : \" ' . , ? ! { }",
    "character_f1_zh": "that both texts are normalised as LongBench normalises Chinese",
    "choice_letter": "the prefixes, their order, and that only what follows the first one found counts",
    "character_name": "that only the first label counts, as one word, in upper case",
    "first_number": "that the label's shape decides: whole, or with a point",
    "last_integer": "which characters part words: line breaks and . ` ' \" :",
    "buggy_function": "all of it: a letter with '.' or ':' at the start, else the prefixes and what follows",
}
"""Metric -> the part of its rule that is still to be compared with a checkout of the original by whoever reports it."""

_BREAKS = str.maketrans(dict.fromkeys("\n:\"'.,?!{}", " "))
_CHOICE_BREAKS = str.maketrans(dict.fromkeys("\n\"'.,?!{}", " "))
_CHOICE_PREFIXES = ("answer is:", "answer:", "answer is", "option is")
_RUN_BREAKS = str.maketrans(dict.fromkeys("\n.`'\":", " "))
_BUG_PREFIXES = ("answer is:", "is:", "answer:")


def first_integer(prediction: str, label: str) -> float:
    """passkey, number_string: 1 if the first run of digits is the label, as text."""
    found = re.search("[0-9]+", prediction)
    return float(found is not None and found.group() == label)


def label_among_words(prediction: str, label: str) -> float:
    """kv_retrieval: 1 if the label is one of the words, punctuation being white space."""
    return float(label in prediction.translate(_BREAKS).split())


def choice_letter(prediction: str, labels: Sequence[str]) -> float:
    """longbook_choice_eng: the first character if it is one of ABCD, else what follows a known prefix, else the
    first word that is part of "ABCD". `labels` are the right letter and, if the record has it, its text."""
    if prediction[:1] in tuple("ABCD"):
        return float(prediction[0] in labels)
    plain = re.sub(" +", " ", prediction.translate(_CHOICE_BREAKS))
    follows = _after_prefix(plain, _CHOICE_PREFIXES)
    if follows is not None:
        return float(follows != "" and follows.startswith(tuple(labels)))
    return float(next((word in labels for word in plain.split() if word in "ABCD"), False))


def character_name(prediction: str, labels: Sequence[str]) -> float:
    """longdialogue_qa_eng: 1 if the first label is one of the words in upper case."""
    return float(bool(labels) and labels[0] in prediction.translate(_BREAKS).upper().split())


def first_number(prediction: str, label: str, mode: Mode = "strict") -> float:
    """math_find: 1 if the first number is the label, as integers if the label is whole, else as floats.

    Raises `UnscorableRecord` if the label is no number.
    """
    wanted = _decimal(label)
    found = re.search(r"\d+\.\d+|\d+", prediction)
    if found is None:
        return 0.0
    if "." in label or "e" in label.lower():
        return float(float(found.group()) == float(label))
    if mode == "strict" and "." in found.group():
        return 0.0
    return float(Decimal(found.group()) == wanted)


def matching_prefix(prediction: str, labels: Sequence[str]) -> float:
    """math_calc: how many of the n labels the prediction's runs of digits equal before the first difference, over n.

    For GPT-4 the original drops the prediction's first number, which its prompt repeats; that is the caller's to do.
    """
    same = 0
    for number, label in zip(re.findall("[0-9]+", prediction), labels, strict=False):
        if _plain(number) != _plain(label):
            break
        same += 1
    return same / len(labels) if labels else 0.0


def last_integer(prediction: str, label: str) -> float:
    """code_run: 1 if the last word is an integer equal to the label. Raises `UnscorableRecord` if the label is none."""
    wanted = _decimal(label)
    last = prediction.translate(_RUN_BREAKS).split()[-1:]
    # what int() takes, without its limit on digits
    return float(bool(last) and re.fullmatch(r"[+-]?\d+(_\d+)*", last[0]) is not None and Decimal(last[0]) == wanted)


def buggy_function(prediction: str, labels: Sequence[str]) -> float:
    """code_debug: `labels` are the function's name and its letter. Raises `UnscorableRecord`."""
    if len(labels) != 2:
        raise UnscorableRecord(f"code_debug needs two answers, the function's name and its letter, not {len(labels)}")
    name, letter = labels
    if prediction[:2] in (f"{letter}.", f"{letter}:"):
        return 1.0
    plain = re.sub(" +", " ", re.sub("[\n`'\"*-]|[Oo]ption", " ", prediction.strip()))
    follows = _after_prefix(plain, _BUG_PREFIXES) or ""
    return float(follows != "" and follows.startswith((letter, name)))


def _after_prefix(text: str, prefixes: Sequence[str]) -> str | None:
    """What stands one character after the first of the prefixes that occurs, "" if nothing; None if none occurs."""
    for prefix in prefixes:
        if prefix in text:
            return text[text.find(prefix) + len(prefix) + 1 :]
    return None


def _plain(number: str) -> str:
    """Without leading zeros: equal integers are equal texts, however long."""
    return number.lstrip("0") or "0"


def _decimal(label: str) -> Decimal:
    try:
        number = Decimal(label)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise UnscorableRecord(f"the answer {label!r} is not a number: write it in digits")
    return number
