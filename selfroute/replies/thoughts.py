"""Where the thoughts before a reply end: between tags, in channels, or behind a tag that stood in the prompt.

Refuses what may be thoughts or reply: it never guesses where one ends. Knows nothing of what a reply says.
"""

from __future__ import annotations

import re

from selfroute.replies.form import ANSWERABLE, BODY, LABELLED, Unreadable, length

_OPENED = re.compile(r"\s*<(think|thinking)>", re.I)
_CLOSED = re.compile(r"(?<!`)</(?:think|thinking)>(?!`)", re.I)
_CHANNEL = re.compile(r"\s*<\|(?:start|channel)\|>")
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
LEAKED = re.compile(r"\s*(?:assistant)?analysis(?=[A-Z])")
_LEAKED_FINAL = re.compile("assistantfinal")
_LEAKED_AT_ONCE = re.compile(r"\s*(?:assistantfinal|final(?=\{\s*[\"']))")
"""Channels whose marks the server took away: their names stand glued to the words."""
_THINKS = re.compile(r"(?:We|The|User|I|Need|Let|Question|Okay|So)\b")
TURN_ENDS = ("<|end|>", "<|return|>")
TURN_END = re.compile("(?:" + "|".join(map(re.escape, TURN_ENDS)) + r")\Z")


def thoughts_end(text: str) -> int:
    """Where in a reply the thoughts before it end: 0 without any. Raises `Unreadable` if they do not end, or not at
    one place.

    Thoughts whose opening tag stood in the prompt end at the closing one; not at one within a structured reply.
    """
    at = _channels_end(text)
    begun = _OPENED.match(text, at)
    if begun is None and (closed := _untagged_end(text, at)):
        at = closed
        begun = _OPENED.match(text, at)
    while begun:
        end = re.compile(f"</{begun[1]}>", re.I).search(text, begun.end())
        if end is None:
            raise Unreadable("breaks off within its thoughts")
        at = end.end()
        begun = _OPENED.match(text, at)
    return at


def _channels_end(text: str) -> int:
    """Where a reply in channels comes to the final one; 0 for another."""
    if _CHANNEL.match(text):
        if (final := _FINAL.search(text)) is None:
            raise Unreadable("breaks off within its thoughts")
        return final.end()
    if at_once := _LEAKED_AT_ONCE.match(text):
        return at_once.end()
    if not (begun := LEAKED.match(text)):
        return 0
    finals = list(_LEAKED_FINAL.finditer(text, begun.end()))
    if not finals:
        if _THINKS.match(text, begun.end()):
            raise Unreadable("breaks off within its thoughts")
        return 0  # an answer, such as a name in a program
    before = text[: finals[0].start()]
    quoted = before.count('"') % 2 or before.count("“") != before.count("”") or before[-1] in "\"'`“\u2018«"
    if len(finals) > 1 or quoted:
        raise Unreadable("holds channels without their marks, and it cannot be told where the final one begins")
    return finals[0].end()


def _untagged_end(text: str, at: int) -> int | None:
    """Where thoughts end whose opening tag stood in the prompt; `None` if there are none."""
    closed, body = _CLOSED.search(text, at), BODY.match(text, at)
    if closed is not None and body is not None:
        start = body.end() - 1
        end = start + length(text[start:])
        closed = _CLOSED.search(text, end)  # one within the object is its text
        if closed is not None and LABELLED.match(text, start):
            if not text[closed.end() :].strip() or (end == start and not _alone(text, at, closed)):
                return None  # behind all there is, or within what is half formed
            raise Unreadable("begins as an answer and goes on as thoughts")
    if closed is None or re.search(r"<think(?:ing)?>", text[at : closed.start()], re.I):
        return None
    if _alone(text, at, closed) or not ANSWERABLE.search(text, at, closed.start()):
        return closed.end()
    return None


def _alone(text: str, at: int, closed: re.Match[str]) -> bool:
    """Whether a tag stands on a line of its own before an object: a string of JSON holds no line break, so it stands
    in none."""
    return text[at : closed.start()].rstrip(" \t").endswith("\n") and BODY.match(text, closed.end()) is not None
