"""Pictures that are written into Markdown in Base64, in place of which their descriptions are read."""

from __future__ import annotations

import re

from selfroute.ingest.formats.markdown.code import parts, spans

DATA = r"(?i:data):[\w.+/-]*+(?:;[\w.=+-]*+)*+,"
ALT = r"((?:[^\[\]\\]|\\.|\[(?:[^\[\]\\]|\\.)*+\])*+)"
"""What stands in the brackets of a picture or a link."""

TARGET = rf"(?:<{DATA}[^<>\r\n]*+>|{DATA}(?:[^\s()<>]|\([^\s()<>]*+\)|(?<=[\w+/])\r?\n[ \t]*+(?=[\w+/=]))*+)"
"""A file written into its own address; Base64 may go on over lines."""

TITLE = r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?+"
PICTURE = re.compile(rf"!\[{ALT}\]\(\s*+{TARGET}{TITLE}\s*+\)")
LINK = re.compile(rf"(?<![!\\])\[{ALT}\]\(\s*+{TARGET}{TITLE}\s*+\)")
DEFINITION = re.compile(
    rf"^[ ]{{0,3}}\[((?:[^\[\]\\]|\\.){{1,999}}+)\]:[ \t]*+(?:\r?\n[ \t]*+)?+{TARGET}{TITLE}[ \t]*+(?:\r?\n|\r|\Z)",
    re.MULTILINE,
)
REFERENCE = re.compile(rf"!\[{ALT}\](?:\[((?:[^\[\]\\]|\\.){{0,999}}+)\])?+")
TAG = re.compile(r"<img\b(?:[^<>\"']|\"[^\"]*+\"|'[^']*+')*+>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"\b(src|alt)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]++))", re.IGNORECASE)
PAYLOAD = re.compile(r"(?i:data):[\w.+/-]*+(?:;(?!(?i:base64),)[\w.=+-]*+)*+;(?i:base64),[\w+/=%-]{64,}+")
"""A file in Base64 in any other place, as in a style."""


def without_pictures(text: str) -> str:
    """The text with the descriptions of what is written into it as data."""
    made_of = list(parts(text))
    names: set[str] = set()
    for at, (part, is_code) in enumerate(made_of):
        if not is_code and _has_data(part):
            names.update(_name(found[1]) for found in DEFINITION.finditer(part))
            made_of[at] = (DEFINITION.sub("", part), False)

    def described(found: re.Match[str]) -> str:
        return _described(found[1])

    def referred(found: re.Match[str]) -> str:
        return _described(found[1]) if _name(found[2] or found[1]) in names else found[0]

    made: list[str] = []
    for part, is_code in made_of:
        if is_code or not (names or _has_data(part)):
            made.append(part)
            continue
        for piece, is_span in spans(part):
            if not is_span:
                piece = PICTURE.sub(described, piece)
                piece = REFERENCE.sub(referred, piece) if names else piece
                piece = TAG.sub(_tag, LINK.sub(r"\1", piece))
                piece = PAYLOAD.sub("", piece)
            made.append(piece)
    return "".join(made)


def _has_data(text: str) -> bool:
    return "data:" in text.lower()


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
