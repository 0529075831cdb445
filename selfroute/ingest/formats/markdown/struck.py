"""Drops what Markdown strikes out: between two tildes within a block, or between tags of HTML, over paragraphs too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from selfroute.ingest.formats.markdown.code import BLOCK, in_spans, is_escaped

HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]")
DELIMITER = re.compile(r"[ \t]*+\|?+[ \t]*+:?+-++:?+[ \t]*+(?:\|[ \t]*+:?+-++:?+[ \t]*+)*+\|?+[ \t]*+")

STRIKING = re.compile(r"<(/?)(s|del|strike)\b[^<>]{0,200}+>", re.IGNORECASE)
STRUCK = re.compile(r"~~|</(?:s|del|strike)\s*+>", re.IGNORECASE)
SKIPPED = re.compile(
    r"\\[\s\S]"
    r"|<[a-zA-Z/!](?:[^<>\"']|\"[^\"]*+\"|'[^']*+')*+>"  # a tag, or an address
    r"|\]\([^\s()]*+(?:\([^\s()]*+\)[^\s()]*+)*+\)"  # where a link leads
    r"|https?://[^\s<]*+"
)
TILDES = re.compile(r"~++")
TARGET = re.compile(r"\]\([^\s()]*+(?:\([^\s()]*+\)[^\s()]*+)*+\)")

LONGEST = 20_000
"""Characters that two tags of HTML may strike out over the ends of paragraphs. Tags further apart are more likely
two that were forgotten than one deletion."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of tildes, and whether text may be struck out from it or up to it."""

    start: int
    opens: bool
    closes: bool


def unstruck(part: str) -> str:
    """A part that is no code, without what is struck out in it."""
    if STRUCK.search(part) is None:
        return part
    return "".join(_block(block) for block in _blocks(_cut(part, _long_cuts(part))))


def _blocks(part: str) -> Iterator[str]:
    """Paragraphs, items, headings and rows: no tildes strike out over their ends."""
    lines: list[str] = []
    for line in part.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        if not bare.strip() or BLOCK.match(bare):
            yield "".join(lines)
            lines = []
        lines.append(line)
        if not bare.strip() or HEADING.match(bare):
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
    passed = in_spans(text)
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


def _tags(text: str, passed: bytearray) -> Iterator[re.Match[str]]:
    for found in STRIKING.finditer(text):
        if not passed[found.start()] and not is_escaped(text, found.start()):
            yield found


def _deleted(text: str, passed: bytearray) -> Iterator[tuple[int, int]]:
    """Where HTML strikes text out."""
    opened: tuple[str, int] | None = None
    for found in _tags(text, passed):
        name = found[2].lower()
        if opened is None and not found[1]:
            opened = name, found.start()
        elif opened is not None and found[1] and name == opened[0]:
            yield opened[1], found.end()
            opened = None


def _long_cuts(part: str) -> Iterator[tuple[int, int]]:
    """Where HTML strikes out several paragraphs, or any blocks between tags that stand on lines of their own."""
    opened: re.Match[str] | None = None
    for found in _tags(part, in_spans(part)) if STRIKING.search(part) else ():
        if not found[1]:
            opened = found
        elif opened is not None and found[2].lower() == opened[2].lower():
            if found.end() - opened.start() <= LONGEST and _is_over_blocks(part, opened, found):
                yield opened.start(), found.end()
            opened = None


def _is_over_blocks(part: str, opening: re.Match[str], closing: re.Match[str]) -> bool:
    """Tell whether there is more than one block between two tags, and all of it is struck out for sure."""
    lines = part[opening.end() : closing.start()].splitlines()[1:]
    if any(BLOCK.match(line) or ("-" in line and DELIMITER.fullmatch(line)) for line in lines):
        return _is_alone(part, opening) and _is_alone(part, closing)
    return any(not line.strip() for line in lines)


def _is_alone(text: str, tag: re.Match[str]) -> bool:
    """Tell whether nothing else stands in the line of a tag."""
    before = text[max(0, tag.start() - 100) : tag.start()].rpartition("\n")[2]
    after = text[tag.end() : tag.end() + 100].partition("\n")[0]
    return not before.strip() and not after.strip()


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
    """Tell whether it is neither a space nor a sign."""
    from unicodedata import category

    return not (character.isspace() or category(character)[0] in "PS")


def _cut(text: str, cuts: Iterable[tuple[int, int]]) -> str:
    """`text` without `cuts`, without the marks that hold nothing any more, and without one of the two spaces between
    which a cut stood."""
    made: list[str] = []
    at = 0
    for start, end in _joined(text, cuts):
        start, end = _with_marks(text, start, end, at)
        if start < at:
            continue
        made.append(text[at:start])
        at = end
        before = text[start - 1 : start]
        if text[end : end + 1] in (" ", "\t") and before in ("", " ", "\t", "\n"):
            at += 1
    return "".join([*made, text[at:]])


def _joined(text: str, cuts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """`cuts` with those in one between which there are only spaces."""
    last: tuple[int, int] | None = None
    for cut in cuts:
        if last is not None and cut[0] < last[1]:
            continue
        if last is not None and not text[last[1] : cut[0]].strip(" \t"):
            last = last[0], cut[1]
            continue
        if last is not None:
            yield last
        last = cut
    if last is not None:
        yield last


def _with_marks(text: str, start: int, end: int, least: int) -> tuple[int, int]:
    """A cut with the emphasis, and the link, that held nothing else."""
    while least < start and end < len(text):
        sign = text[start - 1]
        size = _marks(text, start, end, least) if sign in "*_" else 0
        before = text[start - size - 1 : start - size]
        if size and not (before and _is_word(before)) and not is_escaped(text, start - size):
            start, end = start - size, end + size
        elif (
            sign == "["
            and text[start - 2 : start - 1] != "!"
            and (target := TARGET.match(text, end))
            and not is_escaped(text, start - 1)
        ):
            start, end = start - 1, target.end()
        else:
            break
    return start, end


def _marks(text: str, start: int, end: int, least: int) -> int:
    """Tell how often the sign before `start` stands there, and behind `end`."""
    sign = text[start - 1]
    size = 0
    while start - size > least and text[start - size - 1] == sign == text[end + size : end + size + 1]:
        size += 1
    return size
