"""The words of a page's pictures: descriptions that say something, and the labels of drawings.

Decoration, logos and file names say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MOST_SAID = 2000
"""Characters of a picture's words that are read."""

FORMULA = re.compile(r"\b(?:w?p-?)?(?:latex|tex|math\w*|equation|formula)\b", re.IGNORECASE)
TAGS = re.compile(r"</?[a-zA-Z][^<>]*>")
DECORATION = re.compile(
    r"\blogos?\b|\bicons?\b|\bavatars?\b|\bbanner\b|\bspacer\b|\bthumbnails?\b|^image for post$", re.IGNORECASE
)
FILE = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?|avif)", re.IGNORECASE)


def described(node: Any, attributes: Mapping[str, str | None]) -> tuple[str, bool]:
    """Return what is read of an `img`, and whether it is a formula, which belongs to its sentence."""
    alt = " ".join(TAGS.sub(" ", (attributes.get("alt") or "")[:MOST_SAID]).split())
    names = attributes.get("class") or ""
    if not alt or attributes.get("role") in ("presentation", "none"):
        return "", False
    if FORMULA.search(names) and "fallback" not in names:
        return alt.strip("$"), True
    if not alt.isascii() and len(alt) < 4 and not any(character.isalnum() for character in alt):
        return alt, True  # an emoji
    words = re.findall(r"\w+", alt)
    if attributes.get("data-decorative") or FILE.fullmatch(alt):
        return "", False
    if len(words) < 3 and not (len(words) == 2 and re.search(r"\d", alt)) and not _is_alone_in_cell(node):
        return "", False
    if DECORATION.search(alt) and len(words) < 5:
        return "", False
    return ("", False) if _caption(node) == alt else (f"[image: {alt}]", False)


def drawn(node: Any) -> str:
    """The labels of an `svg`: its title, its description, and what is written in it."""
    made: list[str] = []
    about = node.attributes or {}
    size = 0
    label = " ".join((about.get("aria-label") or "").split())
    if label:
        made.append(label)
    kept = _kept_back(node)
    for one in node.css("title, desc, text, foreignObject"):
        if one.mem_id in kept:
            continue
        words = " ".join("".join(_texts(one)).split())
        if words and words not in made:
            made.append(words)
            size += len(words)
        if size > MOST_SAID:
            break
    said = "; ".join(made)
    return f"[image: {said}]" if len(re.findall(r"\w+", said)) > 2 and not DECORATION.search(said) else ""


def _kept_back(node: Any) -> set[int]:
    """The labels of symbols that the drawing keeps for other drawings and does not show itself."""
    if node.css_first("symbol") is None or node.css_first("use") is not None:
        return set()
    return {one.mem_id for one in node.css("symbol title, symbol desc, symbol text, symbol foreignObject")}


def _texts(node: Any) -> list[str]:
    return [
        one.text_content or ""
        for one in node.traverse(include_text=True)
        if one.tag == "-text" and one.parent.tag not in ("style", "script")
    ]


def _is_alone_in_cell(node: Any) -> bool:
    above = node.parent
    while above is not None and above.tag in ("a", "span", "p", "picture", "center", "b", "strong"):
        above = above.parent
    if above is None or above.tag not in ("td", "th"):
        return False
    return not above.text().strip() and len(above.css("img")) == 1


def _caption(node: Any) -> str:
    above = node.parent
    while above is not None and above.tag in ("a", "picture", "div", "p"):
        above = above.parent
    if above is None or above.tag != "figure":
        return ""
    caption = above.css_first("figcaption")
    return " ".join(caption.text().split()) if caption is not None else ""
