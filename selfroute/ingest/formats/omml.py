"""Word's equations (OMML) in a line of text: `1/2`, `3×10^6`, `√(x + 1)`, `∑_(i=1)^n x_i`.

Fed with elements one by one, so that it needs no tree. Knows nothing of the paragraphs around an equation.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from selfroute.ingest.formats.packages import switched, value

DEEPEST = 40
"""Equations nested deeper than this are written one part behind the other."""

WHOLE = re.compile(r"[-−–+±]?(?:\d[\d.,]*|[^\W\d_]+[′']*|\S)")
OVER = re.compile(r"[-−–+±]?[\w.,′']+")
"""What stands above a line without parentheses."""

INVISIBLE = {"\u2061": "", "\u2063": ",", "\u2064": " ", "\u200b": ""}
TIMES = "\u2062"
"""Multiplication that is not shown; numbers beside it are two all the same."""

ROOTS = {"": "√", "2": "√", "3": "∛", "4": "∜"}
STACKED = "\ue000"
"""Between what stands above and below in a fraction without a bar, until it is known what that means."""
ACCENT, BAR, BAR_BELOW, INTEGRAL = "\u0302", "\u0305", "\u0332", "∫"
PARTS = frozenset(("e", "num", "den", "sub", "sup", "deg", "fName", "lim", "mr"))
"""The places of a structure's contents."""

STRUCTURES = frozenset(
    (
        *("f", "sSup", "sSub", "sSubSup", "sPre", "rad", "nary", "d", "func", "limLow", "limUpp", "m", "acc", "bar"),
        *("groupChr", "box", "borderBox", "phant", "eqArr"),
    )
)


@dataclass(slots=True)
class _Frame:
    """An open element: the text so far, the contents by their place, and its properties."""

    name: str
    text: str = ""
    made: bool = False  # whether the text ends with a structure, which what follows must not run into
    parts: dict[str, list[str]] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)

    def add(self, text: str, structure: str = "") -> None:
        if not text:
            return
        before = self.text[-1:]
        if structure == "f":
            apart = ""  # written by `fraction`
        elif structure == "sPre":
            apart = " " if before.isalnum() else ""
        elif self.made:
            first = text[0]
            apart = " " if (before.isalnum() and first.isdigit()) or (before.isalpha() and first.isalpha()) else ""
        else:
            apart = " " if structure and before.isdigit() and text[0].isdigit() else ""
        self.text += apart + text
        self.made = bool(structure)

    def part(self, name: str) -> str:
        return " ".join(filter(None, self.parts.get(name, ())))


class Equation:
    """One `m:oMath` as it is read."""

    def __init__(self) -> None:
        self._frames = [_Frame("oMath")]
        self._beyond = 0  # elements that are open beyond the deepest one that counts

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element of the equation opens; its name has no namespace."""
        if name in STRUCTURES or name in PARTS:
            if len(self._frames) >= DEEPEST:
                self._beyond += 1
            else:
                self._frames.append(_Frame(name))
        elif name in ("chr", "begChr", "endChr", "sepChr", "type", "pos", "degHide", "show"):
            given = value(attributes)
            flag = name in ("degHide", "show")
            self._frames[-1].properties[name] = ("1" if switched(attributes) else "0") if flag else given

    def text(self, text: str) -> None:
        """Text of a run."""
        plain = re.sub("[\U0001d400-\U0001d7ff]", lambda found: unicodedata.normalize("NFKC", found[0]), text)
        plain = "".join(INVISIBLE.get(character, character) for character in plain)
        if any(frame.name == "eqArr" for frame in self._frames[-3:]):
            plain = plain.replace("&", "")  # where the lines of equations are aligned
        self._frames[-1].add(plain)

    def end(self, name: str) -> None:
        """An element of the equation closes."""
        if name not in STRUCTURES and name not in PARTS:
            return
        if self._beyond:
            self._beyond -= 1
            self._frames[-1].add(" ")
            return
        if len(self._frames) == 1:
            return
        frame = self._frames.pop()
        above = self._frames[-1]
        if name in PARTS:
            text = ", ".join(frame.parts.get("e", ())) if name == "mr" else frame.text
            above.parts.setdefault(name, []).append(text.strip())
            if above.name not in STRUCTURES and above.name != "mr":
                above.add(text)
            return
        if name == "phant" and frame.properties.get("show") == "0":
            return
        above.add(_linear(frame, above.text), name)
        above.add(frame.text)  # what stands in none of its places, as beyond the deepest

    def line(self) -> str:
        """The equation in a line."""
        text = re.sub(rf"(?<=\d){TIMES}(?=\d)", "×", self._frames[0].text).replace(TIMES, "")
        return " ".join(text.replace(STACKED, "; ").split())


def _linear(frame: _Frame, before: str) -> str:
    """A structure as a piece of a line."""
    name, properties = frame.name, frame.properties
    body, sub, sup = frame.part("e"), frame.part("sub"), frame.part("sup")
    if name == "f":
        over, under = frame.part("num"), frame.part("den")
        if properties.get("type") == "noBar":
            return f"({over}{STACKED}{under})"
        apart = " " if before[-1:].isalnum() else ""  # 3 1/2
        return f"{apart}{over if OVER.fullmatch(over) else _grouped(over)}/{_grouped(under)}"
    if name in ("sSup", "sSub", "sSubSup"):
        return _grouped(body) + _below(sub) + _above(sup)
    if name == "sPre":
        return f"{_above(sup)}{_below(sub)} {body}".strip()
    if name == "rad":
        degree = "" if properties.get("degHide") == "1" else frame.part("deg")
        root = ROOTS.get(degree)
        return f"{root}{_grouped(body)}" if root else f"root({degree}, {body})"
    if name == "nary":
        sign = properties.get("chr", INTEGRAL)
        return " ".join(filter(None, (sign + _below(sub) + _above(sup), body)))
    if name == "d":
        return _fenced(frame.parts.get("e", []), properties)
    if name == "func":
        function = frame.part("fName")
        return function + body if body[:1] in ("(", "[", "{", "|") else f"{function} {body}".strip()
    if name in ("limLow", "limUpp"):
        limit = frame.part("lim")
        return body + (_below(limit) if name == "limLow" else _above(limit))
    if name == "m":
        return "[" + "; ".join(frame.parts.get("mr", ())) + "]"
    if name == "acc":
        return _accented(body, properties.get("chr", ACCENT))
    if name == "bar":
        return _accented(body, BAR if properties.get("pos") == "top" else BAR_BELOW)
    if name == "eqArr":
        return "; ".join(filter(None, frame.parts.get("e", ())))
    return body


def _fenced(parts: list[str], properties: dict[str, str]) -> str:
    begin, end = properties.get("begChr", "("), properties.get("endChr", ")")
    sign = properties.get("sepChr", "|")
    inside = (f"{sign} " if sign in (",", ";") else f" {sign} " if sign else " ").join(parts)
    if (begin, end) == ("(", ")") and re.fullmatch(rf"\([^{STACKED}]*{STACKED}[^{STACKED}]*\)", inside):
        return inside.replace(STACKED, " choose ")  # a fraction without a bar: a binomial coefficient
    if (begin, end) in (("(", ")"), ("[", "]")) and re.fullmatch(r"\[[^\[\]]*\]", inside):
        return inside  # a matrix has its brackets
    return f"{begin}{inside}{end}"


def _accented(text: str, sign: str) -> str:
    """One character with its accent; more in parentheses."""
    if len(text) <= 1 or not sign:
        return text + sign
    combines = unicodedata.combining(sign[0]) > 0
    return f"({text}){sign}" if combines else text + sign


def _above(text: str) -> str:
    if not text:
        return ""
    if set(text) <= set("′″‴'*†°∘"):
        return text.replace("∘", "°")
    return "^" + _grouped(text)


def _below(text: str) -> str:
    return f"_{_grouped(text)}" if text else ""


def _grouped(text: str) -> str:
    """`text`, in parentheses where it would not be read as one: a number, a word and a single character are."""
    return text if WHOLE.fullmatch(text) or _in_parentheses(text) else f"({text})"


def _in_parentheses(text: str) -> bool:
    """Tell whether the parenthesis at the start is closed by the one at the end."""
    if text[:1] != "(" or text[-1:] != ")":
        return False
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return at == len(text) - 1
    return False
