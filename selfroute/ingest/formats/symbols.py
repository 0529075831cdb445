"""Characters of the fonts of symbols (Symbol, Wingdings, Webdings) as Unicode: Word files and RTF keep the place in the
font."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

PRIVATE = 0xF000
"""Where Word puts the 224 characters of such a font, from its place 32 on."""

PLACES = re.compile("[\uf020-\uf0ff]")
PLACES_OR_BYTES = re.compile("[\uf020-\uf0ff\x21-\xff]")


def _rows(rows: Mapping[int, str]) -> Mapping[int, str]:
    """Characters by their place, of those that follow each other; a space stands for a place without one."""
    return MappingProxyType(
        {first + at: char for first, row in rows.items() for at, char in enumerate(row) if char != " "}
    )


SYMBOL = _rows(
    {
        0x20: " !∀#∃%&∋()∗+,−./0123456789:;<=>?",  # noqa: RUF001
        0x40: "≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_",
        0x60: "‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼",  # noqa: RUF001
        0xA0: "€ϒ′≤/∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵",  # noqa: RUF001
        0xC0: "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓",  # noqa: RUF001
        0xE0: "◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪ 〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭",
    }
)
WINGDINGS = _rows(
    {
        0x21: "✏✂✁👓🔔📖🕯☎✆✉📩📪📫📬📭📁📂📄📃📑🗄⌛⌨🖱🖲💻🖴💾💾✇✍",
        0x40: "✍✌👌👍👎☜☞☝☟✋☺😐☹💣☠⚐🏱✈☼💧❄✞✞✠✠✡☪☯ॐ☸♈♉",
        0x60: "♊♋♌♍♎♏♐♑♒♓&&●❍■□□❑❒⬧⧫◆❖⬥☒⍓⌘❀✿❝❞",
        0x80: "⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿",
        0x9E: "·•▪○◯○◉◎○▪☐▲✦★✶✴✹✵ ⌖⟡⌑ ✪✰🕐🕑🕒🕓🕔🕕🕖🕗🕘🕙🕚🕛",
        0xD5: "⌫⌦◀➢▲▼←➲↑↓←→↑↓↖↗↙↘←➔↑↓↖↗↙↘⇦⇨⇧⇩⬄⇳⬁⬀⬃⬂▭▫✗✓☒☑",
    }
)
WINGDINGS_2 = _rows(
    {
        0x4F: "✗✓☒☑☒☒⊗⊗⊘⊘",
        0x69: "⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿",
        0x95: "•●●●○○",
        0x9F: "■■□□☐",
    }
)
WINGDINGS_3 = _rows({0x66: "←→↑↓↖↗↙↘↔↕▲▼△▽◀▶◁▷◣◢◤◥", 0x7C: "◀▶▲▼"})
WEBDINGS = _rows({0x33: "◀▶▲▼", 0x61: "✓", 0x63: "☐", 0x67: "■", 0x6E: "●", 0x72: "✗", 0x80: " "})

FONTS: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "symbol": SYMBOL,
        "symbolmt": SYMBOL,
        "symbol mt": SYMBOL,
        "wingdings": WINGDINGS,
        "wingdings 2": WINGDINGS_2,
        "wingdings 3": WINGDINGS_3,
        "webdings": WEBDINGS,
    }
)


def symbol(font: str, code: str) -> str | None:
    """The character at a place of a font, given in hexadecimal digits. None if it is not known."""
    try:
        place = int(code, 16)
    except ValueError:
        return None
    table = FONTS.get(font.strip().lower())
    if table is not None:
        return table.get(place & 0xFF) if place < 0x100 or PRIVATE <= place < PRIVATE + 0x100 else _plain(place)
    return _plain(place)


def _plain(place: int) -> str | None:
    """A character that is no font's own."""
    known = 0x20 <= place < 0xD800 or 0xF900 <= place < 0xFFFE or 0x10000 <= place < 0xF0000
    return chr(place) if known else None


def translated(font: str, text: str) -> tuple[str, int]:
    """A text that is set in `font`, and how many of its characters are not known. Characters at Word's places for
    fonts of symbols are Symbol's where the font is not known."""
    table = FONTS.get(font.strip().lower()) if font else None
    if table is None and not PLACES.search(text):
        return text, 0
    unknown = 0

    def known(found: re.Match[str]) -> str:
        nonlocal unknown
        place = ord(found[0])
        character = (SYMBOL if table is None else table).get(place - PRIVATE if place >= PRIVATE else place)
        unknown += character is None
        return character or ""

    return (PLACES if table is None else PLACES_OR_BYTES).sub(known, text), unknown
