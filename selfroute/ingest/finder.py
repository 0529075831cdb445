"""Finds the files there are to read: those that are named, and what stands in named folders and is not hidden, ignored
by a `.gitignore` or left out by globs.

Knows nothing of what is in a file but of `.gitignore`.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfroute.errors import BadInput, UnreadableFile

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SUFFIXES = (
    *(".txt", ".md", ".jsonl", ".pdf", ".docx", ".odt", ".rtf", ".html", ".htm", ".mht", ".mhtml", ".epub", ".eml"),
    *(".pptx", ".odp", ".ipynb", ".xlsx", ".xlsm", ".ods", ".tsv", ".tab", ".csv"),
)
IGNORE = ".gitignore"

MOST_KINDS = 10
"""Suffixes that are named of files that were passed over: logs, as a program puts them away, have one each."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to load and the id of the document in it: its path below the folder that was named. `source` is what the
    corpus says where it came from, if that is not its path: of a copy that will be gone."""

    path: Path
    id: str
    source: str | None = None

    @property
    def origin(self) -> str:
        return shown(os.path.realpath(self.path)) if self.source is None else self.source


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files of a folder are wanted: those that match one of `include` (all, if there is none) and none of
    `exclude`. Globs are written as in `.gitignore`, from the folder that is named: `*.pdf`, `drafts/`, `/a/**/*.md`."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """The files to read, and how many others were passed over in folders, by their suffix (in small letters; empty
    for none)."""

    files: tuple[File, ...]
    passed_over: Mapping[str, int]


def find(paths: Sequence[Path], choice: Choice | None = None, empty: bool = False) -> Finding:
    """The files that `paths` name, those of folders recursively, in a stable order. Links to folders are not followed.

    A file that is named is found whatever `choice` or a `.gitignore` say. What stands in a folder under a suffix of
    ours is found even if it cannot be read, and so is a folder that cannot be listed: `load` says why. Raises
    `UnreadableFile` for a path that does not exist or (unless `empty`) a folder that holds nothing to index, and
    `BadInput` for a glob that is none.
    """
    choice = choice or Choice()
    include, exclude = _patterns(choice.include), _patterns(choice.exclude)
    found: list[File] = []
    passed_over: Counter[str] = Counter()
    for path in paths:
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, ValueError) as error:
            raise UnreadableFile(shown(path), "there is no such file or folder") from error
        except OSError as error:
            raise UnreadableFile(shown(path), why(error)) from error
        if stat.S_ISDIR(mode):
            paths_inside = sorted(_inside(path, include, exclude, passed_over))
            inside = [File(p, one_name(shown(p.relative_to(path)))) for p in paths_inside]
            if not inside and not empty:
                chosen = " that is wanted" if choice != Choice() else ""
                others = f"; it holds {counted(passed_over)}" if passed_over else ""
                raise UnreadableFile(shown(path), f"the folder holds no {', '.join(SUFFIXES)} file{chosen}{others}")
            found += inside
        else:
            found.append(File(path, one_name(shown(path.name))))
    files = {os.path.realpath(file.path): file for file in found}
    return Finding(tuple(files.values()), dict(passed_over.most_common()))


def counted(passed_over: Mapping[str, int]) -> str:
    """Tell how many files were passed over, for people, by the suffixes that most of them have: `3 .xyz files and 1
    without a suffix`, or `...and 32 files of 29 other kinds`."""
    most = sorted(passed_over.items(), key=lambda kind: -kind[1])
    parts = [
        _files(number, suffix) if suffix else f"{number:,} without a suffix" for suffix, number in most[:MOST_KINDS]
    ]
    if others := [number for _, number in most[MOST_KINDS:]]:
        parts.append(f"{_files(sum(others))} of {len(others):,} other kind{'s' * (len(others) > 1)}")
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _files(number: int, suffix: str = "") -> str:
    return f"{number:,} {suffix}{' ' * bool(suffix)}file{'s' * (number > 1)}"


def one_name(name: str) -> str:
    """A name in Unicode's composed form (NFC): file systems and keyboards write the same name in several."""
    return unicodedata.normalize("NFC", name)


def size(path: Path) -> int:
    """Bytes of the file; 0 for one that cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def shown(path: str | Path) -> str:
    """The path as text that can be stored and printed: what is not UTF-8 in a name is replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def gone(path: str) -> bool:
    """Whether there is certainly no such file: one in a folder that may not be entered is not gone, and neither is
    one whose name was not UTF-8, which cannot be looked up."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "\ufffd" not in path
    except (OSError, ValueError):
        return False
    return False


def why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _inside(
    folder: Path, include: GitIgnoreSpec | None, exclude: GitIgnoreSpec | None, passed_over: Counter[str]
) -> Iterator[Path]:
    """Files with a suffix of ours and folders that cannot be listed; hidden ones are left out. Counts the others."""
    closed: list[OSError] = []
    ignored = _Ignored(folder)
    for parent, folders, files in os.walk(folder, onerror=closed.append):
        ignored.enter(Path(parent), files)

        def wanted(name: str, mark: str = "", parent: str = parent) -> bool:
            path = Path(parent, name)
            below = one_name(path.relative_to(folder).as_posix()) + mark
            left_out = name.startswith(".") or (exclude is not None and exclude.match_file(below))
            return not left_out and not ignored.has(path, mark)

        folders[:] = [name for name in folders if wanted(name, "/")]
        for name in files:
            if not wanted(name):
                continue
            path = Path(parent, name)
            suffix = path.suffix.lower()
            if include is not None and not include.match_file(one_name(path.relative_to(folder).as_posix())):
                continue
            if suffix in SUFFIXES:
                yield path
            else:
                passed_over[shown(suffix)] += 1
    yield from (Path(error.filename) for error in closed)


class _Ignored:
    """The rules of every `.gitignore` from the folder's repository down; the deepest that knows a path decides."""

    def __init__(self, folder: Path) -> None:
        self._rules: dict[Path, GitIgnoreSpec | None] = {}
        self._real = Path(os.path.realpath(folder))
        self._folder = folder
        above = _above(self._real)
        for parent in above:
            self._rules[parent] = _rules(parent)
        if above and self.has(folder, "/"):  # it was named all the same
            self._rules.clear()

    def enter(self, parent: Path, files: Sequence[str]) -> None:
        self._rules[self._place(parent)] = _rules(parent) if IGNORE in files else None

    def has(self, path: Path, mark: str) -> bool:
        place = self._place(path)
        for parent in place.parents:
            rules = self._rules.get(parent)
            if rules is not None:
                decided = rules.check_file(place.relative_to(parent).as_posix() + mark).include
                if decided is not None:
                    return decided
        return False

    def _place(self, path: Path) -> Path:
        return self._real / path.relative_to(self._folder)


def _above(folder: Path) -> list[Path]:
    """The folders above up to the one that is a git repository; none if there is none."""
    if os.path.exists(folder / ".git"):
        return []
    for at, parent in enumerate(folder.parents):
        if os.path.exists(parent / ".git"):
            return list(folder.parents)[: at + 1]
    return []


def _rules(folder: Path) -> GitIgnoreSpec | None:
    try:
        lines = (folder / IGNORE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None  # as git does
    made = []
    for line in lines:
        try:
            _spec([line])
        except ValueError:  # git ignores what is no pattern, too
            continue
        made.append(line)
    return _spec(made)


def _patterns(globs: Sequence[str]) -> GitIgnoreSpec | None:
    if not globs:
        return None
    globs = [one_name(glob) for glob in globs]
    for glob in globs:
        try:
            _spec([glob])
        except ValueError as error:
            raise BadInput(
                f"{glob!r} is no glob: write one as in .gitignore, as *.pdf, drafts/ or /a/**/*.md"
            ) from error
    return _spec(globs)


def _spec(lines: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # imported here: most folders need it not

    return GitIgnoreSpec.from_lines(lines)
