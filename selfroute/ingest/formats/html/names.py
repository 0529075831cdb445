"""Class names by which programs that write pages mark what is no text of its own: equations that are drawn, marks of
notes, what is there twice, what leads to a heading.

Whole names only: a page may call its main column `gutter-s` and its body `MathJax-on`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache


class Kind(Enum):
    EQUATION = "an equation as it is drawn"
    PREVIEW = "what is shown until an equation is drawn"
    FALLBACK = "a picture of an equation that is there as MathML"
    NOTE = "the mark of a note"
    COPY = "what is said elsewhere too, or leads there"
    LINES = "the numbers of lines of code"
    PERMALINK = "a sign that leads to its own heading"


NAMED = {
    **dict.fromkeys(("katex", "katex-display", "MathJax", "MathJax_Display", "MathJax_SVG"), Kind.EQUATION),
    **dict.fromkeys(("MathJax_SVG_Display", "MathJax_CHTML", "MathJax_CommonHTML", "mjx-chtml"), Kind.EQUATION),
    **dict.fromkeys(("MJXc-display", "mjx-full-width", "mwe-math-element"), Kind.EQUATION),
    "MathJax_Preview": Kind.PREVIEW,
    **dict.fromkeys(("mwe-math-fallback-image-inline", "mwe-math-fallback-image-display"), Kind.FALLBACK),
    **dict.fromkeys(("slick-cloned", "swiper-slide-duplicate", "mw-editsection", "mw-cite-backlink"), Kind.COPY),
    **dict.fromkeys(("footnote-back", "footnote-backref", "footnote-return", "reversefootnote"), Kind.COPY),
    **dict.fromkeys(("linenos", "lineno", "linenodiv", "gutter", "rouge-gutter", "blob-num"), Kind.LINES),
    **dict.fromkeys(("line-numbers-rows", "hljs-ln-numbers", "linenumbers"), Kind.LINES),
    **dict.fromkeys(("headerlink", "anchor", "permalink", "hash-link", "header-anchor"), Kind.PERMALINK),
    **dict.fromkeys(("anchorjs-link", "heading-anchor", "header-link", "heading-link"), Kind.PERMALINK),
}
NOTE = re.compile(
    r"(?:foot|end|side)?-?_?note-?_?(?:ref(?:erence)?|anchor|link|mark(?:er)?|call)|fn-?_?ref(?:erence)?", re.IGNORECASE
)


def is_note(attributes: Mapping[str, str | None], kind: Kind | None) -> bool:
    """Tell whether an element is the mark of a note."""
    return (
        kind is Kind.NOTE
        or attributes.get("role") == "doc-noteref"
        or "noteref" in (attributes.get("epub:type") or "").split()
    )


@lru_cache(maxsize=4096)
def kind_of(names: str) -> Kind | None:
    """Return what an element of such class names is, if it is any of these."""
    for name in names.split():
        if name in NAMED:
            return NAMED[name]
        if NOTE.fullmatch(name):
            return Kind.NOTE
    return None
