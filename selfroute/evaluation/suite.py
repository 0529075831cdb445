"""Suites: what is run on what, in YAML. Paths in a suite are relative to the suite's own file, but for those that begin
with `$SELFROUTE_DATA/`: they are below the folder that this environment variable names.

files: [../samples/harbour.jsonl]          # files, or datasets by name
policies: [always_rag, self_route, always_long]
k: [5]
limit: null                                # the first so many questions of each
mode: strict                               # strict | fixed: see eval/README.md
replay: null                               # a file of real models' recorded answers, read in place of a reader
settings: {}                               # laid over the default settings
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selfroute.errors import InvalidSettings
from selfroute.evaluation.metrics.mode import Mode

POLICIES = ("always_rag", "self_route", "always_long")
MODES = get_args(Mode)
MOST_NAMES = 4
DATA = "SELFROUTE_DATA"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Suite:
    """`sources` are paths or names of datasets; `settings` are laid over the defaults."""

    name: str
    sources: tuple[str, ...]
    policies: tuple[str, ...] = POLICIES
    ks: tuple[int, ...] = ()
    limit: int | None = None
    mode: Mode = "strict"
    replay: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    files: list[str] = Field(min_length=1)
    policies: list[str] = Field(default=list(POLICIES), min_length=1)
    k: list[int] = Field(default=[])
    limit: int | None = Field(default=None, ge=1)
    mode: Mode = "strict"
    replay: str | None = None
    settings: dict[str, Any] = Field(default={})


def read_suite(path: Path) -> Suite:
    """Raises `InvalidSettings` for a file that cannot be read, an unknown key, a value out of range, or data that are
    named while SELFROUTE_DATA is not set."""
    try:
        given = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidSettings(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole file"
        raise InvalidSettings(f"suite {path}, {place}: {first['msg'].lower()}") from error
    return Suite(
        name=path.stem,
        sources=_once(_placed(source, path) for source in given.files),
        policies=_once(given.policies),
        ks=_once(given.k),
        limit=given.limit,
        mode=given.mode,
        replay=None if given.replay is None else Path(_below(given.replay, path)),
        settings=given.settings,
    )


def chosen(
    sources: Sequence[str],
    policies: Sequence[str] = (),
    ks: Sequence[int] = (),
    limit: int | None = None,
    mode: str | None = None,
) -> Suite:
    """The suite that a command line names: a suite's file, or datasets; what else is given overrides the suite.

    Raises `InvalidSettings` for several suites, a suite among files, or an unknown mode.
    """
    suites = [source for source in sources if Path(source).suffix in (".yaml", ".yml")]
    if suites and len(sources) > 1:
        raise InvalidSettings(f"{suites[0]} is a suite: run it alone, or name files and datasets only")
    suite = read_suite(Path(suites[0])) if suites else Suite(_name(sources), _once(sources))
    if mode is not None and mode not in MODES:
        raise InvalidSettings(f"mode is {mode!r}; have: {', '.join(MODES)}")
    return replace(
        suite,
        policies=_once(policies) or suite.policies,
        ks=_once(ks) or suite.ks,
        limit=limit or suite.limit,
        mode=suite.mode if mode is None else cast(Mode, mode),
    )


def _name(sources: Sequence[str]) -> str:
    """What the run's folder is called: after its datasets, or the first of them where they are many."""
    stems = list(dict.fromkeys(Path(source).name.split(".")[0] for source in sources))
    return "-".join(stems) if len(stems) <= MOST_NAMES else f"{stems[0]}-and-{len(stems) - 1}-more"


def _once(given: Iterable[T]) -> tuple[T, ...]:
    """What is named twice is done once."""
    return tuple(dict.fromkeys(given))


def _placed(source: str, suite: Path) -> str:
    """The path of a source; a dataset's name stays as it is."""
    return source if "/" not in source and "." not in source else _below(source, suite)


def _below(path: str, suite: Path) -> str:
    """`path` below the folder of data where it says so, else below the suite's own."""
    variable, _, rest = path.partition("/")
    if variable not in (f"${DATA}", f"${{{DATA}}}"):
        return str(suite.parent / path)
    folder = os.environ.get(DATA)
    if not folder:
        raise InvalidSettings(f"suite {suite} reads {path}, but {DATA} is not set: set it to the folder that holds it")
    return str(Path(folder, rest.lstrip("/")))
