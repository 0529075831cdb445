"""Markdown as it stands, without what a reader of the page would not see as text: pictures written into the file in
Base64 become their descriptions, and struck-out text is dropped.

By the rules of CommonMark and GitHub for these alone: the rest is never parsed, and never changed. Code is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.texts import Text, content, decoded

FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})([^\r\n]*)")
BLOCK = re.compile(r"[ \t]{0,3}(?:#{1,6}[ \t]|(?:[-*_][ \t]*){3,}$|>|[-*+][ \t]|\d{1,9}[.)][ \t]|\|)")
"""The first line of a block, in which nothing goes on from the line before."""

DELIMITER = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
INDENTED = re.compile(r" {4}| {0,3}\t")
TICKS = re.compile(r"`+")

DATA = r"data:[\w.+/-]*(?:;[\w.=+-]*)*,"
ALT = r"((?:[^\[\]\\]|\\.|\[(?:[^\[\]\\]|\\.)*\])*+)"
"""What stands in the brackets of a picture or a link."""

TARGET = rf"(?:<{DATA}[^<>\r\n]*+>|{DATA}(?:[^\s()<>]|\([^\s()<>]*\)|(?<=[\w+/])\r?\n[ \t]*(?=[\w+/=]))*+)"
"""A file written into its own address; Base64 may go on over lines."""

TITLE = r"(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?"
PICTURE = re.compile(rf"!\[{ALT}\]\(\s*{TARGET}{TITLE}\s*\)")
LINK = re.compile(rf"(?<!!)\[{ALT}\]\(\s*{TARGET}{TITLE}\s*\)")
DEFINITION = re.compile(
    rf"^[ ]{{0,3}}\[((?:[^\[\]\\]|\\.){{1,999}})\]:[ \t]*(?:\r?\n)?[ \t]*{TARGET}{TITLE}[ \t]*(?:\r?\n|\r|\Z)",
    re.MULTILINE,
)
REFERENCE = re.compile(rf"!\[{ALT}\](?:\[((?:[^\[\]\\]|\\.){{0,999}})\])?")
TAG = re.compile(r"<img\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*+>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"\b(src|alt)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
PAYLOAD = re.compile(r"data:[\w.+/-]*(?:;[\w.=+-]*)*;base64,[\w+/=%-]{64,}+")
"""A file in Base64 in any other place, as in a style."""

STRIKING = re.compile(r"<(/?)(s|del|strike)\b[^<>]{0,200}>", re.IGNORECASE)
STRUCK = re.compile(r"~~|</(?:s|del|strike)\s*>", re.IGNORECASE)
SKIPPED = re.compile(
    r"\\[\s\S]"
    r"|<[a-zA-Z/!](?:[^<>\"']|\"[^\"]*\"|'[^']*')*+>"  # a tag, or an address
    r"|\]\([^\s()]*(?:\([^\s()]*\)[^\s()]*)*\)"  # where a link leads
    r"|https?://[^\s<]*"
)
TILDES = re.compile(r"~+")


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of tildes, and whether text may be struck out from it or up to it."""

    start: int
    opens: bool
    closes: bool


def read(path: Path) -> Text:
    written = decoded(content(path), path)
    text = shown(written)
    if written.strip() and not text.strip():
        raise UnreadableFile(path, "holds no text: it shows pictures only")
    return Text(text)


def shown(text: str) -> str:
    """The text without pictures in Base64 and without what is struck out; all else as it stands."""
    if "data:" in text:
        text = _without_pictures(text)
    if STRUCK.search(text):
        text = "".join(part if is_code else _unstruck(part) for part, is_code in _parts(text))
    return text


def _without_pictures(text: str) -> str:
    parts = list(_parts(text))
    names: set[str] = set()
    for at, (part, is_code) in enumerate(parts):
        if not is_code and "data:" in part:
            names.update(_name(found[1]) for found in DEFINITION.finditer(part))
            parts[at] = (DEFINITION.sub("", part), False)

    def described(found: re.Match[str]) -> str:
        return _described(found[1])

    def referred(found: re.Match[str]) -> str:
        return _described(found[1]) if _name(found[2] or found[1]) in names else found[0]

    made: list[str] = []
    for part, is_code in parts:
        if is_code or not ("data:" in part or names):
            made.append(part)
            continue
        for piece, is_span in _spans(part):
            if not is_span:
                piece = PICTURE.sub(described, piece)
                piece = REFERENCE.sub(referred, piece) if names else piece
                piece = TAG.sub(_tag, LINK.sub(r"\1", piece))
                piece = PAYLOAD.sub("", piece)
            made.append(piece)
    return "".join(made)


def _described(alt: str) -> str:
    said = " ".join(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", alt).split())
    return f"[image: {said}]" if said else ""


def _tag(found: re.Match[str]) -> str:
    """An `img` tag whose picture is written into it."""
    said = {name.lower(): a or b or c for name, a, b, c in ATTRIBUTE.findall(found[0])}
    if not said.get("src", "").strip().lower().startswith("data:"):
        return found[0]
    from html import unescape

    return _described(unescape(said.get("alt", "")))


def _name(label: str) -> str:
    return " ".join(label.split()).casefold()


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in parts, and whether each is a block of code, fenced or indented."""
    part: list[str] = []
    fence = ""
    after_blank = True
    is_code = in_list = False
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        if fence:
            part.append(line)
            closing = FENCE.fullmatch(bare)
            if closing and closing[1].startswith(fence) and not closing[2].strip():
                yield "".join(part), True
                part, fence, after_blank = [], "", True
            continue
        opening = FENCE.match(bare)
        if opening and not (opening[1][0] == "`" and "`" in opening[2]) and (in_list or not INDENTED.match(bare)):
            yield "".join(part), is_code
            part, fence, is_code = [line], opening[1], False
            continue
        in_list = bool(ITEM.match(bare)) or (in_list and (not bare.strip() or bare[0] in " \t" or not after_blank))
        indented = bool(INDENTED.match(bare)) and not in_list
        if bare.strip() and is_code != (indented and (after_blank or is_code)):
            yield "".join(part), is_code
            part, is_code = [], not is_code
        part.append(line)
        after_blank = not bare.strip()
    yield "".join(part), is_code or bool(fence)


def _spans(text: str) -> Iterator[tuple[str, bool]]:
    """A part in pieces, and whether each is code in a line."""
    at = 0
    begin = 0
    closings: dict[int, list[int]] = {}
    runs = [(found.start(), found.end()) for found in TICKS.finditer(text)]
    for start, end in reversed(runs):
        closings.setdefault(end - start, []).append(start)
    for start, end in runs:
        if start < at or _is_escaped(text, start):
            continue
        same = closings[end - start]
        while same and same[-1] <= start:
            same.pop()
        if not same or _blank_between(text, end, same[-1]):
            continue
        yield text[begin:start], False
        at = begin = same[-1] + end - start
        yield text[start:at], True
    yield text[begin:], False


def _is_escaped(text: str, at: int) -> bool:
    slashes = 0
    while at - slashes > 0 and text[at - slashes - 1] == "\\":
        slashes += 1
    return slashes % 2 == 1


def _blank_between(text: str, start: int, end: int) -> bool:
    return re.search(r"\n[ \t]*\r?\n", text[start:end]) is not None


def _unstruck(part: str) -> str:
    return "".join(_block(block) for block in _blocks(part))


def _blocks(part: str) -> Iterator[str]:
    """Paragraphs, items, headings and rows: nothing is struck out over their ends."""
    lines: list[str] = []
    for line in part.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        if not bare.strip() or BLOCK.match(bare):
            yield "".join(lines)
            lines = []
        lines.append(line)
        if not bare.strip() or re.match(r"[ \t]{0,3}#{1,6}[ \t]", bare):
            yield "".join(lines)
            lines = []
    yield "".join(lines)


def _block(block: str) -> str:
    if STRUCK.search(block) is None:
        return block
    table = "|" in block and any(DELIMITER.fullmatch(line) for line in block.splitlines() if "-" in line)
    if table or block.lstrip().startswith("|"):
        return "".join(_stretch(cell) for cell in re.split(r"(?<!\\)(\||\r?\n)", block))
    return _stretch(block)


def _stretch(text: str) -> str:
    """A stretch of text without what is struck out in it."""
    if STRUCK.search(text) is None:
        return text
    passed = bytearray(len(text))
    at = 0
    for piece, is_code in _spans(text):
        if is_code:
            passed[at : at + len(piece)] = b"\1" * len(piece)
        at += len(piece)
    cuts = list(_deleted(text, passed))
    for found in SKIPPED.finditer(text):
        if not passed[found.start()]:
            passed[found.start() : found.end()] = b"\1" * (found.end() - found.start())
    opened: _Run | None = None
    for run in _runs(text, passed):
        if opened is not None and run.closes:
            cuts.append((opened.start, run.start + 2))
            opened = None
        elif opened is None and run.opens:
            opened = run
    return _cut(text, sorted(cuts))


def _deleted(text: str, passed: bytearray) -> Iterator[tuple[int, int]]:
    """Where HTML strikes text out."""
    opened: tuple[str, int] | None = None
    for found in STRIKING.finditer(text):
        if passed[found.start()]:
            continue
        name = found[2].lower()
        if opened is None and not found[1]:
            opened = name, found.start()
        elif opened is not None and found[1] and name == opened[0]:
            yield opened[1], found.end()
            opened = None


def _runs(text: str, passed: bytearray) -> Iterator[_Run]:
    """Runs of two tildes, with the sides on which text hangs on them."""
    for found in TILDES.finditer(text):
        if len(found[0]) != 2 or passed[found.start()]:
            continue
        before, after = text[found.start() - 1 : found.start()] or " ", text[found.end() : found.end() + 1] or " "
        is_left = not after.isspace() and (_is_word(after) or not _is_word(before))
        is_right = not before.isspace() and (_is_word(before) or not _is_word(after))
        yield _Run(found.start(), is_left, is_right)


def _is_word(character: str) -> bool:
    """Whether it is neither a space nor a sign."""
    from unicodedata import category

    return not (character.isspace() or category(character)[0] in "PS")


def _cut(text: str, cuts: list[tuple[int, int]]) -> str:
    """`text` without `cuts`, and without one of the two spaces between which one stood."""
    made: list[str] = []
    at = 0
    for start, end in cuts:
        if start < at:
            continue
        made.append(text[at:start])
        at = end
        before = text[start - 1 : start]
        if text[end : end + 1] in (" ", "\t") and before in ("", " ", "\t", "\n"):
            at += 1
    return "".join([*made, text[at:]])
