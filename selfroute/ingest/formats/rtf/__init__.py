"""Rich Text Format (rtf) as text in reading order: headings marked as in Markdown, list items with the numbers that are
in the file, a table's rows on lines; struck-out, deleted and hidden text is dropped, notes are tied by a mark.

Read as a stream of control words without recursion: groups are states on a stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.rtf.story import Story
from selfroute.ingest.formats.rtf.words import CHARSETS, HEADERS, KEPT, SIGNS, SKIPPED, SYMBOLS
from selfroute.ingest.formats.symbols import translated
from selfroute.ingest.formats.texts import Text, content, emptiness

DEEPEST = 5_000
"""Groups inside each other."""
TOKEN = re.compile(
    rb"\\(?:([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|'([0-9a-fA-F]{2})|([^a-zA-Z0-9])|)|([{}])|[\r\n]+|([^\\{}\r\n]+)",
    re.DOTALL,
)


@dataclass(slots=True)
class _State:
    """Describes what holds within a group."""

    skip: bool = False
    kind: str = ""  # the destination that text goes to: a header, a note, a font's name
    fallback: int = 1  # characters that stand for a \u in programs that do not know it
    font: int = -1
    struck: bool = False
    deleted: bool = False
    hidden: bool = False
    base: int = 0
    starred: bool = False
    opened: str = ""  # what ends with this group


@dataclass(slots=True)
class _Reader:
    """The stream, its states and the story that is made of it."""

    story: Story
    codepage: str = "cp1252"
    default: int = -1
    fonts: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # of the fonts of symbols
    styles: dict[int, str] = field(default_factory=dict)
    state: _State = field(default_factory=_State)
    stack: list[_State] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    units: list[int] = field(default_factory=list)  # of UTF-16, until they are text
    left_out: int = 0  # characters yet to be left out after a \u
    name: str = ""  # of a style, while it is read
    style: int = -1
    pictures: int = 0


def read(path: Path) -> Text:
    data = content(path)
    if not data.strip():
        raise UnreadableFile(path, "is empty")
    start = data.find(b"{\\rtf", 0, 100)
    if start < 0:
        raise UnreadableFile(path, "is broken: it does not begin as RTF does")
    reader = _Reader(Story())
    at = start
    while found := TOKEN.match(data, at):
        if found.end() == at:
            break
        at = found.end()
        word, number, code, symbol, brace, text = found.groups()
        if brace:
            if not _brace(reader, brace, path):
                break
        elif code:
            _byte(reader, int(code, 16))
        elif text is not None:
            _plain(reader, text)
        elif word is not None:
            if word == b"bin" and number:
                at += max(int(number), 0)
            else:
                if word != b"u" or reader.raw:  # the halves of a character beyond the first 65,536 belong together
                    _flush(reader)
                _word(reader, word.decode(), int(number) if number else None)
                reader.state.starred = False
        elif symbol is not None:
            _symbol(reader, symbol)
    _flush(reader)
    made = reader.story.text().replace("\0", "")
    if not made.strip():
        raise UnreadableFile(path, emptiness(reader.pictures))
    return Text(made)


def _brace(reader: _Reader, brace: bytes, path: Path) -> bool:
    """Opens or closes a group; false where the document is closed."""
    _flush(reader)
    reader.left_out = 0
    if brace == b"{":
        if len(reader.stack) >= DEEPEST:
            raise UnreadableFile(path, f"nests more than {DEEPEST:,} groups inside each other: it is not read")
        reader.stack.append(reader.state)
        reader.state = replace(reader.state, opened="", starred=False)
        return True
    ended = reader.state
    if ended.opened and not ended.skip:
        reader.story.close(ended.opened)
    if ended.kind == "style" and reader.name.strip(" ;"):
        reader.styles.setdefault(reader.style, reader.name.strip(" ;").lower())
        reader.name = ""
    if reader.stack:
        reader.state = reader.stack.pop()
    return bool(reader.stack)


def _byte(reader: _Reader, code: int) -> None:
    if reader.left_out:
        reader.left_out -= 1
        return
    _flush_units(reader)
    if not reader.state.skip:
        reader.raw.append(code)


def _plain(reader: _Reader, text: bytes) -> None:
    if reader.left_out:
        gone = min(reader.left_out, len(text))
        reader.left_out -= gone
        text = text[gone:]
    if text and not reader.state.skip:
        _flush_units(reader)
        reader.raw += text


def _symbol(reader: _Reader, symbol: bytes) -> None:
    _flush(reader)
    if symbol == b"*":
        reader.state.starred = True
    elif reader.left_out:
        reader.left_out -= 1
    elif symbol in (b"\n", b"\r"):
        _say(reader, "", paragraph=True)
    elif symbol in SYMBOLS:
        _say(reader, SYMBOLS[symbol])


def _flush(reader: _Reader) -> None:
    """Bytes and units become text by the encoding of their font."""
    if reader.raw:
        raw, reader.raw = bytes(reader.raw), bytearray()
        font = reader.state.font if reader.state.font >= 0 else reader.default
        encoding = reader.fonts.get(font, reader.codepage)
        if reader.state.kind == "font":
            _say(reader, raw.decode("latin-1"))
        elif encoding == "symbol":
            _say(reader, translated(reader.names.get(font, "Symbol"), raw.decode("latin-1"))[0])
        else:
            _say(reader, raw.decode(encoding, "replace"))
    _flush_units(reader)


def _flush_units(reader: _Reader) -> None:
    if reader.units:
        units, reader.units = reader.units, []
        data = b"".join(unit.to_bytes(2, "little") for unit in units)
        _say(reader, translated(reader.names.get(reader.state.font, ""), data.decode("utf-16-le", "replace"))[0])


def _say(reader: _Reader, text: str, paragraph: bool = False) -> None:
    state = reader.state
    if state.skip:
        return
    if state.kind == "font":
        if reader.fonts.get(state.font) == "symbol":
            reader.names[state.font] = text.strip(" ;").lower()
        return
    if state.kind == "style":
        reader.name += text
        return
    if paragraph:
        reader.story.end()
    elif not (state.struck or state.deleted or state.hidden):
        reader.story.say(text, state.base)


def _word(reader: _Reader, word: str, number: int | None) -> None:
    state, story = reader.state, reader.story
    if word == "u" and number is not None:
        if not state.skip:
            code = number % 65_536
            reader.units.append(code)
        reader.left_out = state.fallback
        return
    reader.left_out = 0
    if _destination(reader, word):
        return
    if state.kind == "font":
        if word == "f" and number is not None:
            state.font = number
        elif word == "fcharset" and number in CHARSETS and (number or not reader.codepage):
            reader.fonts[state.font] = CHARSETS[number]
        elif word == "cpg" and number is not None and _known(f"cp{number}"):
            reader.fonts[state.font] = f"cp{number}"
    elif state.kind == "style":
        if word == "s" and number is not None:
            reader.style = number
    elif word in SIGNS:
        _say(reader, SIGNS[word])
    elif word in ("par", "page", "sect", "column"):
        _say(reader, "", paragraph=True)
    elif word == "ansicpg" and number is not None and _known(f"cp{number}"):
        reader.codepage = f"cp{number}"
    elif word in ("mac", "pc", "pca"):
        reader.codepage = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
    elif word == "deff" and number is not None:
        reader.default = number
    elif word == "uc":
        state.fallback = min(max(1 if number is None else number, 0), 16)
    elif not state.skip:
        _format(reader, story, word, number)


def _known(encoding: str) -> bool:
    try:
        "".encode({"cp65001": "utf-8", "cp10000": "mac_roman"}.get(encoding, encoding))
    except LookupError:
        return False
    return encoding not in ("cp65001", "cp10000")


def _destination(reader: _Reader, word: str) -> bool:
    """Tell whether the word says where the text of its group goes."""
    state, story = reader.state, reader.story
    if word == "fonttbl":
        state.kind = "font"
    elif word == "stylesheet":
        state.kind = "style"
    elif word == "pict":
        reader.pictures += not state.skip
        state.skip = True
    elif word == "ud":
        state.skip = any(one.skip and one.opened != "upr" for one in reader.stack[-1:]) and not _in_upr(reader)
    elif word == "upr":
        state.skip, state.opened = True, "upr"
    elif word in SKIPPED or (word.startswith("m") and word.endswith("Pr") and word[1:2].islower()):
        state.skip = True
    elif state.skip:
        return False
    elif word in HEADERS:
        state.opened, state.kind = "header", "header"
        _plain_text(state)
        story.open("header")
    elif word in ("footnote", "annotation"):
        state.opened, state.kind = word, word
        _plain_text(state)
        story.open(word)
    elif word in ("listtext", "pntext"):
        state.opened = "mark"
        _plain_text(state)
        story.open("mark")
    elif word in ("shptxt", "dptxbxtext"):
        state.opened = "box"
        _plain_text(state)
        story.open("box")
    elif word in ("mden", "msup", "msub", "mdeg"):
        story.say({"mden": "/", "msup": "^", "msub": "_"}.get(word, ""), 0)
    elif state.starred and word not in KEPT:
        state.skip = True
    else:
        return False
    return True


def _in_upr(reader: _Reader) -> bool:
    return any(one.opened == "upr" for one in reader.stack[-2:])


def _plain_text(state: _State) -> None:
    state.struck = state.deleted = state.hidden = False
    state.base = 0


def _format(reader: _Reader, story: Story, word: str, number: int | None) -> None:
    """Return what a word says of the characters or the paragraph that follow."""
    state = reader.state
    on = number != 0
    if word in ("strike", "striked"):
        state.struck = on
    elif word == "deleted":
        state.deleted = on
    elif word == "v":
        state.hidden = on
    elif word in ("super", "sub"):
        state.base = (1 if word == "super" else -1) if on else 0
    elif word in ("up", "dn"):
        state.base = (1 if word == "up" else -1) if number is None or number > 0 else 0
    elif word == "nosupersub":
        state.base = 0
    elif word == "plain":
        _plain_text(state)
        state.font = -1
    elif word == "f" and number is not None:
        state.font = number
    elif word == "chftn":
        story.note_mark()
    elif word == "s" and number is not None:
        story.styled(_level(reader.styles.get(number, "")))
    elif word == "outlinelevel" and number is not None:
        story.styled(number + 1 if 0 <= number < 9 else 0)
    else:
        story.control(word, number)


def _level(name: str) -> int:
    """Of a heading, by the name of its style."""
    found = re.fullmatch(r"(?:heading|überschrift|titre|título|rubrik|titolo|kop) ?([1-9])", name)
    return int(found[1]) if found else int(name == "title")
