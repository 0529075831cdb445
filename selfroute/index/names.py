"""What corpora are called and where they stand. Knows nothing of what is in them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from selfroute.errors import ForeignIndex, InvalidName, UnknownCorpus, UnusableIndex
from selfroute.index import layout, manifest
from selfroute.index.files import is_ours
from selfroute.ingest.finder import one_name

KEPT = frozenset({manifest.NAME, layout.NAME})
"""A folder with one of these files holds a corpus, whole or damaged."""


def corpora(home: Path) -> list[str]:
    """Names of the corpora under `home`, whole or damaged."""
    if not os.path.isdir(home):
        return []
    return sorted(
        name for name in inside(home) if is_name(name) and any(os.path.exists(home / name / file) for file in KEPT)
    )


def folder_of(home: Path, name: str) -> Path:
    """Where a corpus of this name stands or would. Raises `InvalidName`."""
    if not is_name(name):
        raise InvalidName(name)
    return home / name


def existing(home: Path, name: str) -> Path:
    """The folder of a corpus that is there, whole or damaged. Raises `InvalidName`, `UnknownCorpus`, or `ForeignIndex`
    for a folder of other things."""
    folder = folder_of(home, name)
    names = inside(folder) if os.path.isdir(folder) else set()
    if all(is_ours(folder / file) for file in names):  # or there are none: a first run may have failed there
        raise UnknownCorpus(name, corpora(home))
    if not KEPT & names:
        raise ForeignIndex(folder, "it holds no index of selfroute; use another corpus name")
    return folder


def known(wanted: Iterable[str], ids: Collection[str]) -> list[str]:
    """The ids under which documents are stored that are named so: what is exactly so, else what is so in another form
    of Unicode, else the name itself."""
    wanted = list(wanted)
    forms: dict[str, str] = {}
    if any(id_ not in ids for id_ in wanted):
        for id_ in ids:
            forms.setdefault(one_name(id_), id_)
    return [id_ if id_ in ids else forms.get(one_name(id_), id_) for id_ in wanted]


def inside(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UnusableIndex(f"{folder} cannot be listed ({why}): check its permissions") from error


def is_name(name: str) -> bool:
    """Whether a corpus can be called so."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) is not None and not name.endswith(".sqlite")
