"""Scores of Chinese text, by jieba's words as LongBench defines them, or by characters.

The only module that imports jieba (extra `chinese`), and only when words are first asked for. jieba is old and no
longer kept up, but LongBench's scores are defined by its words; nothing else here needs it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from selfroute.errors import MissingExtra
from selfroute.evaluation.metrics.mode import Mode
from selfroute.evaluation.metrics.qa import multiset_f1
from selfroute.evaluation.metrics.rouge import rouge_l

_PUNCTUATION = re.compile(
    r"[!-/:-@\[-`{-~"  # ASCII
    r"\u2013\u2014\u2018\u2019\u201b-\u201f\u2026\u2027"  # dashes, quotation marks, dots
    r"\u3001-\u3003\u300b-\u3011\u3014-\u301f\u3030\u303e\u303f\ufe4f"  # CJK
    r"\uff01-\uff0d\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff64]"  # full and half width
)
"""What the official scorers delete. That an opening double angle bracket (U+300A) and a full-width full stop (U+FF0E)
stay, while what closes the bracket goes, is theirs."""


def words(text: str) -> list[str]:
    """jieba's words, in its exact mode with the hidden Markov model. Raises `MissingExtra`."""
    return [str(word) for word in _tokenizer().cut(text)]


def normalized_zh(text: str) -> str:
    """Lower case, without punctuation and white space."""
    return "".join(_PUNCTUATION.sub("", text.lower()).split())


def token_f1_zh(prediction: str, reference: str) -> float:
    """F1 over the multiset of normalised words, 0 to 1. Raises `MissingExtra`."""
    return multiset_f1(_normalized_words(prediction), _normalized_words(reference))


def rouge_l_zh(prediction: str, reference: str, mode: Mode = "strict") -> float:
    """ROUGE-L of words set apart by spaces, 0 to 1. Raises `MissingExtra`.

    The Chinese full stop does not end a sentence there, only "." does.
    """
    return rouge_l(" ".join(words(prediction)), " ".join(words(reference)), mode)


def character_f1(prediction: str, reference: str) -> float:
    """F1 over the multiset of characters of the normalised texts, 0 to 1."""
    return multiset_f1(normalized_zh(prediction), normalized_zh(reference))


def _normalized_words(text: str) -> Sequence[str]:
    return [plain for word in words(text) if (plain := normalized_zh(word))]


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    try:
        import jieba
    except ImportError as error:
        raise MissingExtra("jieba", "chinese") from error
    jieba.setLogLevel("WARNING")
    tokenizer = jieba.Tokenizer()
    # jieba would read its dictionary from a file of that name in the shared temporary folder, whoever wrote it
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.tmp_dir = folder
        tokenizer.initialize()
    return tokenizer
