"""MathML as a line of text: `1/2`, `10^6`, `x_2`, `√(a + b)`, never one number out of two.

An equation may be on a page more than once (as MathML, as TeX, as it is drawn): what is read is its MathML, else its
TeX.
"""

from __future__ import annotations

import re
from typing import Any

from selfroute.ingest.formats.notation import fraction, lowered

DEEPEST = 40
"""Elements inside each other that are told apart; what is deeper is read as its words."""

MOST_READ = 100_000
"""Characters of one equation."""

TOKENS = {"mi", "mn", "mo", "mtext", "ms", "ci", "cn"}
UNSEEN = {"mphantom", "annotation", "annotation-xml", "mprescripts", "none", "maligngroup", "malignmark", "-comment"}
NOTHING = str.maketrans(dict.fromkeys((0x2061, 0x2063, 0x200B, 0x2060, 0xFEFF)))
"""Invisible operators: a function's, a separator's."""

PRIMES = set("′″‴⁗'\"*†‡°\u2217")
SCRIPT = re.compile(r"[\^_][\w.]+$")
"""A power or an index at the end of what was read, which must not go on."""

LARGE = set("∑∏∐∫∬∭∮\u22c3⋂⨁⨂\u22c1⋀")
BRACES = set("⏟⏞⎵⎴⏝⏜")
"""Signs under or over what a note is about."""

MACRON, HAT, TILDE, ARROW, DOT, DOTS = "\u0304", "\u0302", "\u0303", "\u20d7", "\u0307", "\u0308"
ABOVE = {
    **dict.fromkeys(("¯", "‾", "―", "\u0304"), MACRON),
    **dict.fromkeys(("^", "\u02c6", "\u0302"), HAT),
    **dict.fromkeys(("~", "\u02dc", "\u0303"), TILDE),
    "→": ARROW,
    "⃗": ARROW,
    "˙": DOT,
    "¨": DOTS,
}
"""Signs above a letter, as they are joined with it."""


def text_of(math: Any) -> str:
    """The text of a `math` element."""
    made = _row(math, 0).strip() or _annotation(math) or tex((math.attributes or {}).get("alttext") or "")
    return re.sub(r"\s+", " ", made)[:MOST_READ]


def tex(source: str) -> str:
    """TeX as it stands, without what only says how large it is drawn."""
    inside = source.strip()
    found = re.fullmatch(r"\{\\(?:display|text|script)style\s*(.*)\}", inside, flags=re.DOTALL)
    return " ".join((found[1] if found else inside).split())


def name_of(node: Any) -> str:
    """An element's name without a prefix of a namespace, as XHTML writes it."""
    tag: str = node.tag
    return tag.rpartition(":")[2] if ":" in tag else tag


def _row(node: Any, depth: int) -> str:
    made = ""
    for child in _children(node):
        made = _joined(made, _one(child, made, depth + 1))
    return made


def _one(node: Any, before: str, depth: int) -> str:
    name = name_of(node)
    if name == "-text":
        return " ".join((node.text_content or "").split())
    if name in UNSEEN or name.startswith("-"):
        return ""
    if name in TOKENS or depth > DEEPEST:
        return _token(node)
    if name in _SCRIPTS or name in ("mfrac", "mroot", "munder", "mover", "munderover"):
        parts = [_one(child, "", depth + 1).strip() for child in _children(node)]
        if len(parts) < 2:
            return "".join(parts)
        return _built(name, parts, before, node)
    if name == "msqrt":
        return "√" + _grouped(_row(node, depth))
    if name == "mfenced":
        return _fenced(node, depth)
    if name == "mtable":
        return _table(node, before, depth)
    if name == "mmultiscripts":
        return _multiscripts(node, before, depth)
    if name == "mspace":
        return " "
    if name == "mglyph":
        return (node.attributes or {}).get("alt") or ""
    if name in ("semantics", "maction"):
        first = next(iter(_children(node)), None)
        return (_one(first, before, depth + 1) if first is not None else "") or _annotation(node)
    return _row(node, depth)


_SCRIPTS = {"msup": ("^",), "msub": ("_",), "msubsup": ("_", "^")}


def _built(name: str, parts: list[str], before: str, node: Any) -> str:
    base, *rest = parts
    if name == "mfrac":
        if (node.attributes or {}).get("linethickness", "") in ("0", "0px", "0pt", "0em"):
            return f"({base} over {rest[0]})"
        return fraction(before, base, rest[0])
    if name == "mroot":
        return f"√[{rest[0]}]{_grouped(base)}"
    signs = _SCRIPTS.get(name)
    if signs is None:
        signs = {"munder": ("_",), "mover": ("^",), "munderover": ("_", "^")}[name]
        if name == "mover" and rest[0] in ABOVE and len(base) == 1:
            return base + ABOVE[rest[0]]
        if rest[0] in BRACES and len(rest) == 1:
            return _based(base)
        if name == "mover" and rest[0] in ABOVE:
            return _based(base) + rest[0]
    made = _based(base) if base not in LARGE else base
    for sign, text in zip(signs, rest, strict=False):
        made += _script(made, sign, text)
    return made


def _script(before: str, sign: str, text: str) -> str:
    if not text:
        return ""
    if sign == "^" and set(text) <= PRIMES:
        return text
    return sign + lowered(before, text)[1:]


def _based(base: str) -> str:
    """A base in parentheses where a power would be taken for that of its last part."""
    return base if re.fullmatch(r"[\w.,′]*|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|\|[^|]*\||\W", base) else f"({base})"


def _fenced(node: Any, depth: int) -> str:
    about = node.attributes or {}
    begin, end = (about.get(name, sign) or "" for name, sign in (("open", "("), ("close", ")")))
    separators = "".join((about.get("separators", ",") or "").split())
    made = ""
    for at, child in enumerate(_children(node)):
        sign = separators[min(at, len(separators)) - 1] if at and separators else ""
        made = _joined(made, ("" if not sign else f"{sign} ") + _one(child, "", depth + 1))
    return f"{begin}{made}{end}"


def _table(node: Any, before: str, depth: int) -> str:
    """Rows apart by semicolons; the cells of a matrix by commas, those that are only aligned by spaces."""
    between = ", " if before.rstrip()[-1:] in tuple("([|‖") else " "
    rows = [
        between.join(filter(None, (_row(cell, depth + 2).strip() for cell in _children(row) if name_of(cell) == "mtd")))
        for row in _children(node)
    ]
    return "; ".join(filter(None, rows))


def _multiscripts(node: Any, before: str, depth: int) -> str:
    base, *rest = [*_children(node), None]
    behind: list[str] = []
    ahead: list[str] = []
    to = behind
    for child in rest[:-1]:
        if name_of(child) == "mprescripts":
            to = ahead
        else:
            to.append(_one(child, "", depth + 1).strip())
    made = ""
    for texts, is_base in ((ahead, True), (behind, False)):
        for at in range(0, len(texts), 2):
            for sign, text in zip("_^", texts[at : at + 2], strict=False):
                made += _script(made, sign, text)
        made += _one(base, made, depth + 1).strip() if is_base and base is not None else ""
    return f" {made}" if ahead and before[-1:].isalnum() else made


def _annotation(node: Any) -> str:
    """The TeX that an equation carries."""
    for one in node.css("annotation"):
        if "tex" in ((one.attributes or {}).get("encoding") or "tex").lower():
            return tex(one.text() or "")
    return ""


def _token(node: Any) -> str:
    text = (node.text() or "").translate(NOTHING)
    text = text.replace("\u2062", "").replace("\u2064", " ")
    kept = " ".join(text.split())
    if name_of(node) == "mtext" and kept:
        return (" " if text[0].isspace() else "") + kept + (" " if text[-1].isspace() else "")
    return kept


def _joined(before: str, text: str) -> str:
    """Two neighbours, apart where they would be read as one word or one number."""
    if not before or not text:
        return before + text
    last, first = before[-1], text[0]
    apart = (
        (last.isdigit() and first.isdigit())
        or (last.isalpha() and first.isdigit())
        or (first.isalnum() and SCRIPT.search(before[-20:]) is not None)
        or (last.isalpha() and first.isalpha() and (before[-2:-1].isalpha() or text[1:2].isalpha()))
    )
    return f"{before} {text}" if apart else before + text


def _grouped(text: str) -> str:
    inside = text.strip()
    return inside if re.fullmatch(r"[\w.]+", inside) else f"({inside})"


def _children(node: Any) -> list[Any]:
    return [
        child for child in node.iter(include_text=True) if child.tag != "-text" or (child.text_content or "").strip()
    ]
