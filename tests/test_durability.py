"""Whatever happens to a process that changes a corpus, what is on disk is the old or the new, and the next run ends it.

Two ways to happen: it is killed at a random moment (`KILLS` times; `make torture` says more), or a system call of its
own fails (every so many of them; `FAULTS=all` tries each).
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import selfroute
from selfroute.changes import Summary
from selfroute.embedders import Embedded
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import CorruptIndex, SelfrouteError, UnknownCorpus, UnknownDocument
from selfroute.index import corpora, open_index
from selfroute.index.store import LATEST, Store
from selfroute.index.upkeep import Corpora
from selfroute.indexer import Indexer
from selfroute.ingest import loaders

pytestmark = pytest.mark.end_to_end

KILLS = int(os.environ.get("KILLS", "20"))
EACH = 1 if os.environ.get("FAULTS") == "all" else 4
LIMIT = 48
NAME = "harbour"
KINDS = {"EIO": 1, "ENOSPC": 2, "short": 3}


@dataclass(frozen=True)
class Operation:
    """What changes a corpus. `run` does it, once more if it was done already; `name` is where the corpus is then."""

    run: Callable[[Path, Path], Summary | None]
    name: str = NAME


def _index(home: Path, files: Path) -> Summary:
    return Indexer(home, HashingEmbedder(), LIMIT).index([files / "new"], NAME)


def _rebuild(home: Path, files: Path) -> Summary:
    return Indexer(home, HashingEmbedder(32), LIMIT + 16).rebuild(NAME)


def _delete(home: Path, files: Path) -> None:
    with suppress(UnknownDocument):
        Corpora(home).delete_documents(NAME, ["a.txt", "b.txt"])


def _rename(home: Path, files: Path) -> None:
    if NAME in corpora(home):
        Corpora(home).rename(NAME, "renamed")


OPERATIONS: Mapping[str, Operation] = {
    "index": Operation(_index),
    "rebuild": Operation(_rebuild),
    "delete": Operation(_delete),
    "rename": Operation(_rename, "renamed"),
}


# Killed


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(KILLS))
def test_a_process_killed_at_any_moment_leaves_the_old_or_the_new(
    tmp_path: Path, processes: ForkServerContext, real: Prepared, turn: int
) -> None:
    """It indexes the text of this package's own modules. Every second time it may go on undisturbed until it has
    embedded all there is to embed, so that it is often met while it publishes."""
    name = list(OPERATIONS)[(turn // 2) % len(OPERATIONS)] if turn % 4 == 3 else "index"
    chance = random.Random(turn)
    home = tmp_path / "indexes"
    shutil.copytree(real.home, home)
    here, there = processes.Pipe()
    process = processes.Process(target=_changes, args=(name, home, real.files, there))
    process.start()
    assert here.recv() == "begins"
    if name == "index" and turn % 2:
        for _ in range(real.batches):
            assert here.recv() == "embeds"
        time.sleep(chance.uniform(0, real.seconds[name] / 4))
    else:
        time.sleep(chance.uniform(0, real.seconds[name]))
    process.kill()
    process.join()
    is_old_or_new_and_can_be_finished(real, name, home)


def _changes(name: str, home: Path, files: Path, pipe: Connection) -> None:
    pipe.send("begins")
    if name == "index":
        Indexer(home, _Telling(lambda: pipe.send("embeds")), LIMIT).index([files / "new"], NAME)
    else:
        OPERATIONS[name].run(home, files)


class _Telling(HashingEmbedder):
    """Calls before each batch."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def embed(self, texts: Sequence[str]) -> Embedded:
        self._call()
        return super().embed(texts)


# Failing system calls


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """A process whose system calls can be made to fail; it forks for each operation."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler, to make system calls fail")
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_durability as t; t.serve()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"LD_PRELOAD": str(library)},
    ) as process:
        yield Faulty(process)
        assert process.stdin is not None
        process.stdin.close()


@dataclass(frozen=True)
class Faulty:
    process: subprocess.Popen[str]

    def run(self, operation: str, home: Path, files: Path, at: int, kind: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([operation, str(home), str(files), at, kind]) + "\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


def serve() -> None:
    """In the process of `faulty`: runs what it is told, each in a process of its own."""
    with TemporaryDirectory() as folder:  # imports and loads what takes long, once
        (Path(folder) / "new").mkdir()
        (Path(folder) / "new" / "a.txt").write_text("One sentence. " * 100)
        _index(Path(folder) / "indexes", Path(folder))
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os.write(writing, json.dumps(_fails(*json.loads(line))).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        print(told or '{"error": "it crashed", "ours": false, "calls": 0}', flush=True)


def _fails(operation: str, home: str, files: str, at: int, kind: int) -> dict[str, object]:
    library = ctypes.CDLL(None)
    library.faults_arm(home.encode(), at, kind)
    error: BaseException | None = None
    try:
        OPERATIONS[operation].run(Path(home), Path(files))
    except BaseException as raised:
        error = raised
    told = {"calls": library.faults_seen(), "ours": isinstance(error, SelfrouteError), "error": repr(error)}
    library.faults_arm(b"", 0, 0)
    return told


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_system_call_that_fails_leaves_the_old_or_the_new(
    tmp_path: Path, faulty: Faulty, small: Prepared, operation: str, kind: str
) -> None:
    shutil.copytree(small.home, tmp_path / "counted")
    whole = faulty.run(operation, tmp_path / "counted", small.files, 0, 0)
    assert whole["error"] == "None"
    assert whole["calls"] > 3
    failed = 0
    each = EACH if whole["calls"] > 20 else 1
    for at in range(1 + KINDS[kind] % each, whole["calls"] + 1, each):
        home = tmp_path / f"at{at}"
        shutil.copytree(small.home, home)
        told = faulty.run(operation, home, small.files, at, KINDS[kind])
        assert told["error"] == "None" or told["ours"], f"call {at}: {told['error']}"
        assert told["calls"] >= at
        failed += told["error"] != "None"
        is_old_or_new_and_can_be_finished(small, operation, home)
        shutil.rmtree(home)
    assert failed


@pytest.mark.slow
def test_a_first_run_whose_system_calls_fail_can_be_made_again(tmp_path: Path, faulty: Faulty, small: Prepared) -> None:
    """There is no old one then: the corpus is not there, or says what to do, or is the new one."""
    whole = faulty.run("index", tmp_path / "counted", small.files, 0, 0)
    for kind in KINDS.values():
        for at in range(1 + kind % EACH, whole["calls"] + 1, EACH):
            home = tmp_path / f"{kind}at{at}"
            told = faulty.run("index", home, small.files, at, kind)
            assert told["error"] == "None" or told["ours"], f"call {at}: {told['error']}"
            with suppress(UnknownCorpus, CorruptIndex):
                assert answers(home, NAME) == small.first
            _index(home, small.files)
            assert answers(home, NAME) == small.first
            shutil.rmtree(home)


# What the tests above are told with


@dataclass(frozen=True)
class Prepared:
    """A home to copy with an old generation, the files of the new one, and what the corpus says before and after each
    operation; `first` after indexing into no corpus. `batches` are embedded for the new generation."""

    home: Path
    files: Path
    before: object
    after: Mapping[str, object]
    first: object
    seconds: Mapping[str, float]
    batches: int


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Over the text of this package's modules; in the new generation every third has changed and a few are new."""
    folder = tmp_path_factory.mktemp("real")
    modules = sorted(Path(selfroute.__file__).parent.rglob("*.py"))
    texts = {f"{number}.txt": module.read_text() for number, module in enumerate(modules) if module.stat().st_size}
    old = {name: text for number, (name, text) in enumerate(texts.items()) if number % 8}
    new = {name: text.replace("the", "a") if number % 3 else text for number, (name, text) in enumerate(texts.items())}
    return prepared(folder, old | {"a.txt": "One.", "b.txt": "Two."}, new)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    old = {f"{name}.txt": f"This is the old text of {name}. It has two sentences." for name in "abcdefgh"}
    new = {f"{name}.txt": f"This is the new text of {name}. " * 20 for name in "adx"}
    return prepared(tmp_path_factory.mktemp("small"), old, new)


def prepared(folder: Path, old: Mapping[str, str], new: Mapping[str, str]) -> Prepared:
    files, home = folder / "files", folder / "indexes"
    for part, texts in (("old", old), ("new", new)):
        (files / part).mkdir(parents=True)
        for name, text in texts.items():
            (files / part / name).write_text(text)
    Indexer(home, HashingEmbedder(), LIMIT).index([files / "old"], NAME)
    shutil.rmtree(files / "old")  # else a file of the same name elsewhere would not replace it
    after, seconds = {}, {}
    for name, operation in OPERATIONS.items():
        copy = folder / name
        shutil.copytree(home, copy)
        began = time.perf_counter()
        operation.run(copy, files)
        seconds[name] = time.perf_counter() - began
        after[name] = answers(copy, operation.name)
    _index(folder / "first", files)
    batches: list[None] = []
    shutil.copytree(home, folder / "counted")
    Indexer(folder / "counted", _Telling(lambda: batches.append(None)), LIMIT).index([files / "new"], NAME)
    first = answers(folder / "first", NAME)
    return Prepared(home, files, answers(home, NAME), after, first, seconds, len(batches))


def is_old_or_new_and_can_be_finished(made: Prepared, name: str, home: Path) -> None:
    operation = OPERATIONS[name]
    [corpus] = corpora(home)
    assert corpus in (NAME, operation.name)
    assert answers(home, corpus) in (made.before, made.after[name])
    assert Corpora(home).verify(corpus) == ()
    committed = done(home, corpus, made.files)
    summary = operation.run(home, made.files)
    assert answers(home, operation.name) == made.after[name]
    if name == "index":
        assert summary is not None
        assert summary.unchanged == committed
        assert summary.added + summary.updated == len(list((made.files / "new").iterdir())) - committed
    assert Corpora(home).verify(operation.name) == ()
    assert not [left.name for left in (home / operation.name).iterdir() if ".staging" in left.name]


def done(home: Path, corpus: str, files: Path) -> int:
    """How many documents of the new generation are committed, published or not."""
    with closing(Store.open(home / corpus)) as store:
        have = {(entry.id, entry.hash, entry.embedder) for entry in store.entries(LATEST)}
    wanted = [loaders.load_one(path) for path in (files / "new").iterdir()]
    return sum((document.id, document.content_hash, HashingEmbedder().name) in have for document in wanted)


def answers(home: Path, corpus: str) -> dict[str, object]:
    """All that a corpus says: its texts, and every chunk with its score for one question."""
    with closing(open_index(home, corpus, None)) as index:
        dimension = 32 if any(entry.embedder == "hashing-32" for entry in index.entries.values()) else 64
        question = HashingEmbedder(dimension).embed(["What does the new text say of an index?"]).vectors[0]
        hits = sorted((round(hit.score, 3), astuple(hit.chunk)) for hit in index.search(question, 100_000))
        return {"texts": {id_: index.document(id_).text for id_ in index.entries}, "hits": hits}
