"""The form of a structured reply: a JSON object with three fields, read as far as it goes.

Tolerant of what models make of JSON: Python's literals, single or no quotation marks, marks that are not escaped, an
end that is missing. Knows nothing of what the fields come to.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping

FIELDS = ("answerable", "answer", "quotes")
"""The fields of a structured reply, in the order in which they are asked for."""

BODY = re.compile(r"\s*(?:(?:`{3,}|~{3,})[^\n`]*\n\s*)?\{")
ANSWERABLE = re.compile(r"\{\s*[\"']?answerable\b", re.I)
LABELLED = re.compile(r"\{\s*[\"']?(?:answerable|answer|quotes)\b", re.I)
_KEY = re.compile(r"[\s,]*[\"'“”]?(answerable|answer|quotes)[\"'“”]?\s*[:=]\s*", re.I)
_LITERAL = re.compile(r"[\"']?(true|false|yes|no|null|none|1|0)[\"']?(?=\s*(?:[,}\"'\n]|\Z))", re.I)
BREAK = r"\\(?!(?:n(?:abla|eq?|ot|u)|r(?:ho|ight)|t(?:an|au|ext|frac|heta|imes|o))(?![a-z]))[nrt]"
"""A line break or tab where not all escapes are JSON's: there `\\nu` is none."""
_ESCAPES = re.compile(rf"((?:\\[\"\\/]|{BREAK}|\\u[0-9a-fA-F]{{4}})+)|\\.", re.S)
_NAMED = r"[\"']?(?:answerable|answer|quotes)[\"']?\s*[:=]"
_BEGUN = "|".join(sorted({name[:n] for name in FIELDS for n in range(len(name) + 1)}, reverse=True))
FORM = re.compile(rf"\{{\s*(?:{_NAMED}|[\"'](?:{_BEGUN})[\"']?\s*\Z)", re.I)
"""The beginning of a structured reply, or as much of it as there is."""
_ENDS = re.compile(rf"\s*(?:,?\s*{_NAMED}|,?\s*\}}|,?\s*\Z|,\s*[\"'](?:{_BEGUN})[\"']?\s*\Z)", re.I)
"""What goes on behind a string that ends: the next field, or as much of it as there is; the end."""
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Unreadable(ValueError):
    """Why a reply holds neither an answer nor a decline: a clause whose subject is the reply."""


def parsed(text: str, whole: bool = False) -> dict[str, object] | None:
    """The object that `text` begins with (`whole`: that it is), as JSON or as Python writes it."""
    value, end = _decoded(text)
    if not isinstance(value, dict) or (whole and text[end:].strip()):
        return None
    return value


def length(text: str) -> int:
    """How much of `text` is the object that it begins with; 0 if it begins with none."""
    value, end = _decoded(text)
    return end if isinstance(value, dict) else 0


def _decoded(text: str) -> tuple[object, int]:
    try:
        return json.JSONDecoder(strict=False, object_pairs_hook=_first).raw_decode(text)
    except (ValueError, RecursionError):
        return _as_python(text), len(text)


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
    """Of a key that comes twice, however it is written, the first counts: what comes later may be another's text."""
    found: dict[str, object] = {}
    for key, value in pairs:
        found.setdefault(key.lower(), value)
    return found


def scanned(text: str) -> dict[str, object]:
    """The fields of JSON that breaks off or is half formed, read from its start as far as they go."""
    found: dict[str, object] = {}
    at = 1
    while key := _KEY.match(text, at):
        name, at = key[1].lower(), key.end()
        if name == "quotes":
            found.setdefault(name, _strings(text, at))
            break  # the last field: what follows may be the text of a quote
        # What stands in quotation marks is the answer's own words, be they "no".
        value, at = _value(text, at, literals=name != "answer" or text[at : at + 1] not in ('"', "'"))
        if value is _CUT:
            break
        found.setdefault(name, value)
    return found


_CUT = object()


def _value(text: str, at: int, literals: bool) -> tuple[object, int]:
    if literals and (literal := _LITERAL.match(text, at)):
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
        return _ESCAPES.sub(lambda found: json.loads(f'"{found[1]}"') if found[1] else found[0], raw)


def says(fields: Mapping[str, object]) -> bool | None:
    """Whether the field `answerable` says that there is an answer; `None` if it says neither."""
    said = fields.get("answerable")
    return said if isinstance(said, bool) else _TRUTH.get(str(said).strip().lower())
