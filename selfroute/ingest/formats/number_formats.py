"""Numbers as a spreadsheet shows them: `25%`, `2024-01-31`, `€40.50`, by the format code of their cell.

Dates are written as ISO 8601 has them, since `03/04/2024` has two readings. Knows nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

BUILT_IN: Mapping[int, str] = MappingProxyType(
    {
        1: "0",
        2: "0.00",
        3: "#,##0",
        4: "#,##0.00",
        5: "$#,##0;($#,##0)",
        6: "$#,##0;($#,##0)",
        7: "$#,##0.00;($#,##0.00)",
        8: "$#,##0.00;($#,##0.00)",
        9: "0%",
        10: "0.00%",
        11: "0.00E+00",
        12: "# ?/?",
        13: "# ??/??",
        14: "yyyy-mm-dd",
        15: "d-mmm-yy",
        16: "d-mmm",
        17: "mmm-yy",
        18: "h:mm AM/PM",
        19: "h:mm:ss AM/PM",
        20: "h:mm",
        21: "h:mm:ss",
        22: "yyyy-mm-dd h:mm",
        **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-mm-dd"),
        **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
        37: "#,##0;(#,##0)",
        38: "#,##0;(#,##0)",
        39: "#,##0.00;(#,##0.00)",
        40: "#,##0.00;(#,##0.00)",
        41: "#,##0;(#,##0);-",
        42: "$#,##0;($#,##0);-",
        43: "#,##0.00;(#,##0.00);-",
        44: "$#,##0.00;($#,##0.00);-",
        45: "mm:ss",
        46: "[h]:mm:ss",
        47: "mm:ss.0",
        48: "##0.0E+0",
        49: "@",
    }
)
"""The codes of Excel's own formats, which files give by number."""

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<gap>.)|\*(?P<fill>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<day>AM/PM|A/P|上午/下午)|(?P<general>General)|(?P<exponent>E[+-])|(?P<sign>.)",
    re.IGNORECASE | re.DOTALL,
)
LONGEST = 1_000
"""Characters of a format code; Excel takes 255."""
MOST_DECIMALS = 30


def shown(number: float, code: str, from_1904: bool = False) -> str:
    """The number by the format code. One that the code hides, or cannot be shown by it, is written plainly."""
    if code == "General" and number == number and abs(number) < 1e15:
        return plain(number)
    if number != number or number in (float("inf"), float("-inf")):
        return str(number)
    sections = _sections(code[:LONGEST])
    section, negative = _chosen(number, sections)
    kinds = {kind for kind, _ in section}
    if "date" in kinds:
        return _date(number, section, from_1904) or plain(number)
    if not kinds & {"digit", "general"}:
        literal = "".join(text for kind, text in section if kind == "literal").strip()
        return literal or plain(number)
    text = _number(abs(number), section)
    return f"-{text}" if negative and re.search(r"[1-9]", text) else text


def plain(number: float) -> str:
    """A number without a format: up to fifteen digits, as a spreadsheet does."""
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    text = f"{number:.15g}"
    if "e" in text and 1e-10 < abs(number) < 1:
        text = f"{number:.20f}".rstrip("0")
    return text


def is_date(code: str) -> bool:
    return any(kind == "date" for kind, _ in _sections(code[:LONGEST])[0])


Section = list[tuple[str, str]]


@lru_cache(maxsize=1_000)
def _sections(code: str) -> list[Section]:
    """The parts of the code for positive numbers, negative ones and zero, as (kind, text) pairs: `literal`, `digit`,
    `date`, `general`, `percent`, `exponent`, `if`, `text`."""
    made: list[Section] = [[]]
    for found in TOKEN.finditer(code):
        kind, text = found.lastgroup or "", found[found.lastgroup or 0] or ""
        if kind in ("quoted", "escaped"):
            made[-1].append(("literal", text))
        elif kind == "bracket":
            made[-1] += _bracket(text)
        elif kind == "day":
            made[-1].append(("date", "am"))
        elif kind == "exponent":
            made[-1].append(("exponent", "E"))
        elif kind == "general":
            made[-1].append(("general", ""))
        elif kind == "gap":
            made[-1].append(("literal", " "))
        elif kind == "sign" and text == ";":
            made.append([])
        elif kind == "sign":
            made[-1].append((_kind(text), text))
    return [_settled(section) for section in made]


def _bracket(text: str) -> Section:
    if text.startswith("$"):
        return [("literal", text[1:].partition("-")[0])]
    if re.fullmatch(r"h+|m+|s+", text, re.IGNORECASE):
        return [("date", f"[{text[0].lower()}]")]
    if re.fullmatch(r"[<>=]{1,2}\s*-?[\d.]+", text):
        return [("if", text)]
    return []  # a colour


def _kind(sign: str) -> str:
    if sign in "0#?":
        return "digit"
    if sign.lower() in "ymdhsbeg年月日时時分秒":
        return "literal" if sign in "年月日时時分秒" else "date"
    return {"%": "percent", "@": "text"}.get(sign, "literal")


def _settled(section: Section) -> Section:
    """Letters of dates beside digits are text that was not quoted, as some programs leave it."""
    dates = {text.lower() for kind, text in section if kind == "date"}
    if not dates & {"y", "m", "d", "h", "s", "[h]", "[m]", "[s]", "e", "g"}:
        return [("literal", text) if kind == "date" else (kind, text) for kind, text in section]
    return section


def _chosen(number: float, sections: list[Section]) -> tuple[Section, bool]:
    """The section for the number, and whether its sign is to be written."""
    if any(kind == "if" for section in sections for kind, _ in section):
        for section in sections:
            conditions = [text for kind, text in section if kind == "if"]
            if not conditions or _holds(number, conditions[0]):
                return section, number < 0
        return [("general", "")], number < 0
    if number < 0 and len(sections) > 1 and sections[1]:
        return sections[1], False
    if number == 0 and len(sections) > 2 and sections[2]:
        return sections[2], False
    return sections[0] or [("general", "")], number < 0


def _holds(number: float, condition: str) -> bool:
    found = re.fullmatch(r"([<>=]{1,2})\s*(-?[\d.]+)", condition)
    try:
        limit = float(found[2]) if found else 0.0
    except ValueError:
        return False
    sign = found[1] if found else ""
    return {
        "<": number < limit,
        ">": number > limit,
        "=": number == limit,
        "<=": number <= limit,
        ">=": number >= limit,
        "<>": number != limit,
    }.get(sign, False)


def _number(number: float, section: Section) -> str:
    """The digits in the place of the code's digits, with the text around them."""
    digits = [at for at, (kind, _) in enumerate(section) if kind in ("digit", "general", "exponent")]
    first, last = digits[0], digits[-1]
    pattern = "".join(text for kind, text in section[first : last + 1] if kind in ("digit", "literal", "exponent"))
    before = "".join(text for kind, text in section[:first] if kind == "literal")
    tail = section[last + 1 :]
    under = re.match(r"/\d+", "".join(text for _, text in tail))  # a fraction of so many parts
    if under:
        pattern, tail = pattern + under[0], tail[len(under[0]) :]
    while tail and tail[0] == ("literal", ","):  # each divides by a thousand
        number, tail = number / 1000, tail[1:]
    if tail and tail[0] == ("literal", "."):
        tail = tail[1:]
    after = "".join("%" if kind == "percent" else text for kind, text in tail if kind in ("literal", "percent"))
    number *= 100 ** sum(kind == "percent" for kind, _ in section)
    if any(kind == "percent" for kind, _ in section[:first]):
        before = f"%{before}"
    if not number and set(re.sub(r"[^0#?E]|general", "", pattern)) == {"?"}:  # an account's zero, drawn as a line
        return " ".join(f"{before}{after}".split())
    return " ".join(f"{before}{_digits(number, pattern, section[first][0] == 'general')}{after}".split())


def _digits(number: float, pattern: str, general: bool) -> str:
    if general:
        return plain(number)
    whole, _, decimals = pattern.partition(".")
    most = min(sum(sign in "0#?" for sign in decimals.partition("E")[0]), MOST_DECIMALS)
    least = min(decimals.partition("E")[0].count("0"), most)
    if "E" in pattern:
        return f"{number:.{most}E}"
    if re.search(r"[0#?]\s*/\s*[0#?\d]", pattern):
        return _fraction(number, pattern)
    text = f"{number:{',' if ',' in whole else ''}.{most}f}"
    if most > least:
        kept = text[: len(text) - (most - least)]
        text = kept + text[len(kept) :].rstrip("0")
    text = text.rstrip(".")
    zeros = whole.count("0")
    integer, dot, rest = text.partition(".")
    between = re.sub(r"[0#?,]", "", whole)
    if between and most == 0 and zeros > 1:  # a pattern such as 000-0000
        return _filled(integer, whole)
    return f"{integer.rjust(zeros, '0') if ',' not in whole else integer}{dot}{rest}"


def _filled(integer: str, pattern: str) -> str:
    """Digits from the right in the places of a pattern such as `000-0000`."""
    left = list(integer)
    made: list[str] = []
    for sign in reversed(pattern):
        if sign not in "0#?":
            made.append(sign)
        elif left:
            made.append(left.pop())
        elif sign == "0":
            made.append("0")
    return "".join((*left, *reversed(made)))


def _fraction(number: float, pattern: str) -> str:
    under = pattern.rpartition("/")[2].strip()
    if under.isdigit():
        parts = int(under) or 1
        ones, more = divmod(round(number * parts), parts)
        return f"{ones} {more}/{parts}" if ones and more else f"{more}/{parts}" if more else str(ones)
    part = Fraction(number).limit_denominator(10 ** min(max(len(under), 1), 4) - 1)
    whole, rest = divmod(part, 1) if " " in pattern.strip() else (0, part)
    if not rest:
        return str(whole)
    return f"{whole} {rest.numerator}/{rest.denominator}" if whole else f"{rest.numerator}/{rest.denominator}"


def _date(number: float, section: Section, from_1904: bool) -> str:
    """A day, a time or a length of time; nothing if there is no such day."""
    letters = "".join(text.lower() for kind, text in section if kind == "date")
    seconds = round(number * 86_400)
    if "[" in letters:
        sign, seconds = "-" if seconds < 0 else "", abs(seconds)
        with_seconds = f":{seconds % 60:02}" if "s" in letters.replace("[s]", "") or "[s]" in letters else ""
        return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}{with_seconds}"
    if number < 0 or number >= 2_958_466:
        return ""
    days = number + 1462 if from_1904 else number
    start = datetime(1899, 12, 31) if days < 60 else datetime(1899, 12, 30)  # Excel knows a 29 February 1900
    moment = start + timedelta(seconds=round(days * 86_400))
    clock = f"{moment:%H:%M:%S}" if "s" in letters or moment.second else f"{moment:%H:%M}"
    timed = "h" in letters or "s" in letters
    has_year, has_day = "y" in letters or "e" in letters, "d" in letters
    if timed and not has_year and not has_day:
        return clock
    if has_day and not has_year:
        day = f"{moment.day} {MONTHS[moment.month - 1]}" if "m" in letters else f"{moment:%Y-%m-%d}"
    elif has_day:
        day = f"{moment:%Y-%m-%d}"
    elif "m" in letters and not timed:
        day = MONTHS[moment.month - 1] + (f" {moment.year}" if has_year else "")
    else:
        day = f"{moment.year}" if not timed else f"{moment:%Y-%m-%d}"
    return f"{day} {clock}" if timed else day
