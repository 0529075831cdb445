"""The command line as it is used: what it prints, what it refuses and how, and what it does not load for that."""

from __future__ import annotations

import errno
import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from commands import (
    COMMAND,
    Command,
    Done,
    entered,
    environment,
    in_process,
    modules_after,
    process,
)

from selfroute import cli, ledger
from selfroute.policies import POLICIES

pytestmark = pytest.mark.end_to_end

FILL = (
    "The town lies between two hills and has a long history of trade. "
    "Boats of many kinds are moored along the quay, and the wind often turns in the afternoon.\n\n"
)
HARBOUR = (
    """# Harbour

The harbour master of Norrvik is Olof Berg, who has held the post since 1998.

The ferry Solveig carries up to 240 passengers and 38 cars.

The annual herring festival takes place on the second Saturday of August.

"""
    + FILL * 20
)
FOREST = """# Forest

The oldest tree of the forest is the Kvill Oak, which is about a thousand years old.

Moose hunting begins on the first Monday of September.
"""
WHO = "Who is the harbour master of Norrvik?"
ABSENT = "How tall is Mount Everest?"
HEAVY = ("torch", "transformers", "sentence_transformers", "llama_index", "llama_index.core", "sklearn")

FORMATS = ("pypdfium2", "selectolax", "pathspec")

CALL = ["stage", "model", "usage", "seconds", "estimated", "cost", "error"]
USAGE = ["input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"]
ANSWER = [
    *("id", "question", "answer", "outcome", "likely_absent", "route", "policy", "path", "corpus", "confidence"),
    *("coverage", "citations", "unsupported", "cut_off", "calls", "totals", "long_context_tokens", "long_context_cost"),
    *("saved_tokens", "warnings", "explain"),
]


Run = Callable[..., Done]
Once = Callable[[str, Callable[[Path], None]], Path]


def indexed(folder: Path) -> None:
    """Documents, and a home in which they are indexed as `port`."""
    (folder / "harbour.md").write_text(HARBOUR)
    (folder / "forest.md").write_text(FOREST)
    done = process("index", "harbour.md", "forest.md", "--corpus", "port", folder=folder)
    assert (done.code, done.err) == (0, "")


@pytest.fixture
def folder(once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with documents that are indexed as `port`."""
    for name in [name for name in os.environ if name.startswith("SELFROUTE_")]:
        monkeypatch.delenv(name)
    shutil.copytree(once("indexed", indexed), tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, which is quicker than a new one."""

    def main(*words: str) -> Done:
        return in_process(monkeypatch, capsys, *words)

    return main


def test_an_answer_is_shown_with_its_outcome_its_route_and_its_citation(run: Run) -> None:
    done = run("ask", WHO, "--corpus", "port")
    assert (done.code, done.err) == (0, "")
    assert "answer   Olof Berg\n" in done.out
    assert "outcome  answered\n" in done.out
    assert "route    rag (self_route: retrieve -> read_chunks)\n" in done.out
    at = HARBOUR.index("The harbour master"), HARBOUR.index(" 1998.") + len(" 1998.")
    assert f"citation harbour.md [{at[0]}:{at[1]}] “The harbour master of Norrvik is" in done.out


def test_a_question_that_the_documents_do_not_answer_is_answered_with_that(run: Run) -> None:
    done = run("ask", ABSENT, "--corpus", "port", "--document", "forest.md")
    assert done.code == 0
    assert "answer   none\n" in done.out
    assert "outcome  not_in_document\n" in done.out
    assert "route    long_context (self_route: retrieve -> read_chunks -> read_documents)\n" in done.out


def test_the_json_of_an_answer_has_the_fields_that_were_promised_in_their_order(run: Run) -> None:
    answer = run("ask", WHO, "--corpus", "port", "--json").json
    assert list(answer) == ANSWER
    assert [list(citation) for citation in answer["citations"]] == [
        ["document", "page", "start", "end", "text", "score"]
    ]
    assert [sorted(call) for call in answer["calls"]] == [sorted(CALL)] * 2
    assert [list(call["usage"]) for call in answer["calls"]] == [USAGE] * 2
    assert list(answer["totals"]) == [
        "usage",
        "embedding_tokens",
        "estimated",
        "cost",
        "seconds",
        "rewrite_tokens",
        "judging_tokens",
    ]
    assert list(answer["totals"]["usage"]) == USAGE


def test_the_json_of_an_answer_adds_up(run: Run) -> None:
    answer = run("ask", ABSENT, "--corpus", "port", "--json").json
    stages = [call["stage"] for call in answer["calls"]]
    assert stages == ["embed", "read_chunks", "read_documents"]
    for field in USAGE:
        assert answer["totals"]["usage"][field] == sum(call["usage"][field] for call in answer["calls"])
    embedded = answer["calls"][0]["usage"]["input_tokens"]
    assert answer["totals"]["embedding_tokens"] == embedded
    read = answer["totals"]["usage"]["input_tokens"] - embedded
    assert answer["saved_tokens"] == answer["long_context_tokens"] - read < 0
    assert (answer["totals"]["cost"], answer["long_context_cost"]) == ("0", "0")
    assert (answer["answer"], answer["citations"], answer["likely_absent"], answer["confidence"]) == (
        None,
        [],
        None,
        None,
    )


def test_what_everything_would_cost_is_what_always_long_takes(run: Run) -> None:
    asked = {policy: run("ask", WHO, "--corpus", "port", "--policy", policy, "--json").json for policy in POLICIES}
    took = asked["always_long"]["calls"][-1]["usage"]["input_tokens"]
    assert {answer["long_context_tokens"] for answer in asked.values()} == {took}
    assert asked["self_route"]["route"] == asked["always_rag"]["route"] == "rag"
    assert asked["always_long"]["route"] == "long_context"
    assert asked["self_route"]["saved_tokens"] > 0


def test_json_is_ascii_and_loses_nothing(run: Run, folder: Path) -> None:
    (folder / "överenskommelse.md").write_text("The “harbour master” of Norrvik is Ólöf \x1b[31mBerg\x9b.\n")
    done = run("ask", WHO, "--file", "överenskommelse.md", "--json")
    assert done.out.isascii()
    assert "\x1b" not in done.out
    assert done.json["citations"][0]["document"] == "överenskommelse.md"
    assert "“harbour master”" in done.json["citations"][0]["text"]


def test_a_scope_of_several_documents_is_named_one_by_one(run: Run) -> None:
    both = run(*("ask", WHO, "--corpus", "port", "--k", "9", "--json"), *named("forest.md", "harbour.md")).json
    one = run(*("ask", WHO, "--corpus", "port", "--k", "9", "--json"), *named("forest.md", "forest.md")).json
    assert {hit["document"] for hit in both["explain"]["hits"]} == {"forest.md", "harbour.md"}
    assert {hit["document"] for hit in one["explain"]["hits"]} == {"forest.md"}
    assert both["answer"] == "Olof Berg"
    assert one["outcome"] == "not_in_document"


def test_k_is_how_many_chunks_are_read(run: Run) -> None:
    hits = [run("ask", WHO, "--corpus", "port", "--k", k, "--json").json["explain"]["hits"] for k in ("1", "2")]
    assert [len(found) for found in hits] == [1, 2]


def test_one_document_can_be_asked_without_indexing_it(run: Run, folder: Path) -> None:
    answer = run("ask", WHO, "--file", "harbour.md", "--json").json
    assert (answer["answer"], answer["corpus"]) == ("Olof Berg", str(folder / "harbour.md"))
    assert [call["stage"] for call in answer["calls"]] == ["embed", "embed", "read_chunks"]
    [citation] = answer["citations"]
    assert HARBOUR[citation["start"] : citation["end"]] == citation["text"]
    assert [row["name"] for row in run("corpora", "--json").json] == ["port"]


def test_indexing_twice_embeds_nothing_twice(run: Run) -> None:
    first = run("index", "harbour.md", "forest.md", "--corpus", "new", "--json").json
    assert (first["added"], first["unchanged"]) == (2, 0)
    assert first["chunks"] > 0
    second = run("index", "harbour.md", "forest.md", "--corpus", "new", "--json").json
    assert (second["added"], second["updated"], second["unchanged"], second["chunks"]) == (0, 0, 2, 0)
    assert (second["total_documents"], second["total_chunks"]) == (2, first["chunks"])


def test_indexing_tells_what_it_did_and_is_quiet_beside_that(run: Run, folder: Path) -> None:
    run("index", "harbour.md", "forest.md", "--corpus", "new")
    (folder / "forest.md").write_text(FOREST + "\nWolves were seen in 2021.\n")
    done = run("index", "harbour.md", "forest.md", "--corpus", "new")
    assert (done.code, done.err) == (0, "")
    assert "new: 0 added, 1 updated, 1 unchanged, 0 failed\n" in done.out


def test_a_terminal_sees_how_far_indexing_is(folder: Path) -> None:
    ours, theirs = pty.openpty()
    with Command("index", "harbour.md", "--corpus", "new", stderr=theirs) as command:
        os.close(theirs)
        command.communicate()
        seen = os.read(ours, 100_000).decode()
        os.close(ours)
        assert command.returncode == 0
    assert "indexing" in seen


def test_a_pdf_is_asked_and_its_page_cited_indexed_or_not(run: Run, folder: Path) -> None:
    paged(folder / "port.pdf", "The herring festival is in August.", f"{HARBOUR.splitlines()[2]}")
    assert run("index", "port.pdf", "--corpus", "pages").code == 0
    for source in (["--corpus", "pages"], ["--file", "port.pdf"]):
        done = run("ask", WHO, *source)
        assert (done.code, done.err) == (0, "")
        assert "citation port.pdf, page 2 [35:" in done.out
        assert [one["page"] for one in run("ask", WHO, *source, "--json").json["citations"]] == [2]


def test_globs_choose_and_syncing_deletes_what_is_gone(run: Run, folder: Path) -> None:
    (folder / "docs").mkdir()
    for name in ("a.md", "b.md", "c.txt"):
        (folder / "docs" / name).write_text(FOREST)
    words = ["index", "docs", "--corpus", "new", "--include", "*.md", "--exclude", "b.*", "--json"]
    assert run(*words).json["total_documents"] == 1
    assert run("index", "docs", "--corpus", "new", "--json").json["total_documents"] == 3
    (folder / "docs" / "a.md").unlink()
    kept = run("index", "docs", "--corpus", "new", "--json").json
    assert (kept["deleted"], kept["total_documents"]) == (0, 3)
    done = run("index", "docs", "--corpus", "new", "--sync")
    assert (done.code, done.err) == (0, "")
    assert "new: 0 added, 0 updated, 2 unchanged, 1 deleted, 0 failed\n" in done.out


def test_a_corpus_whose_last_document_is_deleted_says_so(run: Run, folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text(FOREST)
    run("index", "docs", "--corpus", "new")
    (folder / "docs" / "a.md").unlink()
    assert run("index", "docs", "--corpus", "new", "--sync", "--json").json["total_documents"] == 0
    told = one_line(run("ask", WHO, "--corpus", "new"))
    assert "corpus 'new' holds no documents: run `selfroute index PATH --corpus new` first" in told


def test_a_glob_that_is_none_is_refused(run: Run) -> None:
    done = run("index", "harbour.md", "--corpus", "new", "--include", "!")
    assert (done.code, done.out) == (1, "")
    assert "'!' is no glob: write one as in .gitignore" in one_line(done)


def test_corpora_are_listed(run: Run) -> None:
    done = run("corpora")
    assert (done.code, done.err) == (0, "")
    [_, row] = [line.split() for line in done.out.splitlines()]
    assert (row[0], row[1], row[-1]) == ("port", "2", "ready")


def test_a_corpus_that_cannot_be_opened_is_listed_with_the_reason(run: Run, folder: Path) -> None:
    run("index", "harbour.md", "--corpus", "other")
    next(folder.glob("indexes/port/segment-*.faiss")).write_bytes(b"torn")
    done = run("corpora")
    assert done.code == 1
    other, port = done.out.splitlines()[1:]
    assert other.split()[-1] == "ready"
    assert "differs from its checksum" in port
    assert one_line(done) == port[port.index("the index in") :].strip()


@pytest.mark.parametrize("by", ledger.By)
def test_usage_can_be_grouped_by_each_of_its_keys(run: Run, by: ledger.By) -> None:
    run("ask", WHO, "--corpus", "port")
    run("ask", ABSENT, "--corpus", "port", "--policy", "always_long")
    rows = run("usage", "--by", by.value, "--json").json
    keys = {
        ledger.By.CORPUS: ["port"],
        ledger.By.POLICY: ["always_long", "self_route"],
        ledger.By.MODEL: ["selfroute/all-MiniLM-L6-v2-int8", "selfroute/minilm-l6-reader-int8"],
        ledger.By.ROUTE: ["long_context", "rag"],
        ledger.By.KEY: ["keyless"],
    }
    assert [row["key"] for row in rows] == keys.get(by, [row["key"] for row in rows])
    assert sum(row["calls"] for row in rows) == 4
    assert sum(row["embedding_tokens"] for row in rows) > 0
    assert all(row["cost"] == "0" for row in rows)
    assert [line.split()[0] for line in run("usage", "--by", by.value).out.splitlines()] == [
        by.value,
        *(row["key"] for row in rows),
    ]


def test_usage_can_be_of_some_days_and_of_one_corpus(run: Run) -> None:
    run("ask", WHO, "--corpus", "port")
    assert len(run("usage", "--from", "2026-01-01", "--corpus", "port", "--json").json) == 1
    assert run("usage", "--to", "2025-12-31", "--json").json == []
    assert run("usage", "--corpus", "nope", "--json").json == []
    assert run("usage", "--from", "yesterday").code == 2


def test_usage_is_by_day_unless_asked_otherwise(run: Run) -> None:
    run("ask", WHO, "--corpus", "port")
    assert run("usage").out == run("usage", "--by", "day").out != run("usage", "--by", "policy").out


def test_the_command_line_knows_the_groups_of_the_ledger() -> None:
    assert [(by.name, by.value) for by in cli.By] == [(by.name, by.value) for by in ledger.By]


def test_the_help_of_ask_names_every_policy(run: Run) -> None:
    assert all(policy in run("ask", "--help").out for policy in POLICIES)


def test_the_version_is_that_of_the_package() -> None:
    assert entered("--version", folder=Path.cwd()) == Done(0, f"{version('selfroute')}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ask", WHO, "--corpus", "airport"], "no corpus 'airport'; did you mean 'port'? have: port"),
        (["ask", WHO, "--corpus", "../port"], "'../port' cannot name a corpus: use up to 64 letters"),
        (
            ["ask", WHO, "--corpus", "port", "--policy", "best"],
            "no policy 'best'; have: self_route, evidence_gated, always_rag",
        ),
        (
            ["ask", WHO, "--corpus", "port", "--document", "moon.md"],
            "no document 'moon.md' in corpus 'port'; have: forest.md, harbour.md",
        ),
        (["ask", WHO, "--file", "harbour.md", "--document", "moon.md"], "no document 'moon.md' in corpus"),
        (["ask", "", "--corpus", "port"], "the question is empty: write what you want to know"),
        (["ask", " \n ", "--corpus", "port"], "the question is empty: write what you want to know"),
        (["ask", "caf\udce9?", "--corpus", "port"], "the question holds bytes that are no text: write it in UTF-8"),
        (["ask", "Кто начальник порта?", "--corpus", "port"], "reads English only"),
        (["ask", WHO], "name what to ask: either --corpus NAME or --file PATH"),
        (["ask", WHO, "--corpus", "port", "--file", "harbour.md"], "name what to ask: either --corpus NAME or --file"),
        (["ask", WHO, "--file", "missing.md"], "missing.md: no such file"),
        (["ask", WHO, "--file", "image.pdf"], "is broken: it cannot be opened as a PDF"),
        (["ask", WHO, "--file", "damaged.txt"], "is damaged UTF-8 (byte 5): convert it to UTF-8 first"),
        (["ask", WHO, "--file", "empty.txt"], "is empty"),
        (["ask", WHO, "--corpus", "port", "--config", "missing.yaml"], "cannot read missing.yaml: no such file"),
        (["ask", WHO, "--corpus", "port", "--config", "damaged.txt"], "damaged.txt is not YAML"),
        (["index", "missing.md", "--corpus", "port"], "missing.md: there is no such file or folder"),
        (["index", "bare", "--corpus", "port"], "bare: the folder holds no .txt, .md, .jsonl, .pdf"),
        (["index", "harbour.md", "--corpus", "a/b"], "'a/b' cannot name a corpus"),
        (["index", "harbour.md", "--corpus", "foreign"], "it holds other files and no index of selfroute"),
        (["ask", WHO, "--corpus", "foreign"], "it holds no index of selfroute; use another corpus name"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_the_index_still_answers(
    run: Run, folder: Path, words: Sequence[str], said: str
) -> None:
    prepare(folder)
    done = run(*words)
    assert (done.code, done.out) == (1, "")
    assert said in one_line(done)
    assert run("ask", WHO, "--corpus", "port", "--json").json["answer"] == "Olof Berg"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["image.pdf"], "image.pdf: is broken: it cannot be opened as a PDF"),
        (["damaged.txt"], "damaged.txt: is damaged UTF-8 (byte 5): convert it to UTF-8 first"),
        (["empty.txt", "harbour.md"], "empty.txt: is empty"),
        (["broken.jsonl"], "broken.jsonl:1: not a line of JSON"),
        (["damaged.txt", "image.pdf", "empty.txt"], "convert it to UTF-8 first (and 2 more that failed)"),
    ],
)
def test_a_file_that_cannot_be_indexed_is_told_in_one_line_and_the_rest_stands(
    run: Run, folder: Path, files: Sequence[str], said: str
) -> None:
    prepare(folder)
    done = run("index", *files, "--corpus", "port")
    assert done.code == 1
    assert said in one_line(done)
    assert done.out.count("failed: ") == len([file for file in files if file != "harbour.md"])
    assert run("ask", WHO, "--corpus", "port", "--json").json["answer"] == "Olof Berg"


def test_a_failed_file_leaves_json_as_json(run: Run, folder: Path) -> None:
    prepare(folder)
    done = run("index", "image.pdf", "harbour.md", "--corpus", "port", "--json")
    assert done.code == 1
    one_line(done)
    summary = json.loads(done.out)
    assert (summary["unchanged"], len(summary["failed"])) == (1, 1)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda port: next(port.glob("segment-*.faiss")).write_bytes(b"torn"),
            "differs from its checksum; run `selfroute index repair",
        ),
        (lambda port: next(port.glob("segment-*.faiss")).unlink(), "cannot be read (No such file or directory); run"),
        (lambda port: (port / "manifest.json").unlink(), "manifest.json is missing; run `selfroute index repair"),
        (lambda port: (port / "manifest.json").write_text('{"format'), "manifest.json cannot be read"),
        (lambda port: (port / "store.sqlite").unlink(), "store.sqlite is missing; remove"),
        (lambda port: (port / "store.sqlite").write_bytes(b"no database" * 999), "store.sqlite cannot be read"),
        (lambda port: (port / "manifest.json").write_text('{"name": "a web app"}'), "was not written by selfroute"),
    ],
    ids=["torn segment", "no segment", "no manifest", "torn manifest", "no store", "torn store", "foreign manifest"],
)
def test_a_damaged_index_is_told_in_one_line_and_others_still_answer(
    run: Run, folder: Path, damage: Callable[[Path], Any], said: str
) -> None:
    run("index", "harbour.md", "--corpus", "other")
    port = folder / "indexes" / "port"
    for wal in port.glob("store.sqlite-*"):
        wal.unlink()
    damage(port)
    done = run("ask", WHO, "--corpus", "port")
    assert (done.code, done.out) == (1, "")
    assert said in one_line(done)
    assert str(Path("indexes", "port")) in done.err
    assert run("ask", WHO, "--corpus", "other", "--json").json["answer"] == "Olof Berg"


def test_a_torn_segment_is_mended_by_indexing_again_without_embedding(run: Run, folder: Path) -> None:
    next(folder.glob("indexes/port/segment-*.faiss")).write_bytes(b"torn")
    assert run("index", "harbour.md", "forest.md", "--corpus", "port", "--json").json["chunks"] == 0
    assert run("ask", WHO, "--corpus", "port", "--json").json["answer"] == "Olof Berg"


def test_an_index_of_another_embedder_is_told_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFROUTE_EMBEDDER__KIND", "hashing")
    for words in (["ask", WHO, "--corpus", "port"], ["index", "harbour.md", "--corpus", "port"]):
        done = run(*words)
        assert (done.code, done.out) == (1, "")
        assert "it was made with the embedder 'selfroute/all-MiniLM-L6-v2-int8'" in one_line(done)
    monkeypatch.delenv("SELFROUTE_EMBEDDER__KIND")
    assert run("ask", WHO, "--corpus", "port", "--json").json["answer"] == "Olof Berg"


def test_a_setting_that_is_none_is_told_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFROUTE_COLOUR", "blue")
    done = run("corpora")
    assert (done.code, done.out) == (1, "")
    assert "SELFROUTE_COLOUR, which is no setting" in one_line(done)


def test_a_ledger_that_is_none_is_told_in_one_line(run: Run, folder: Path) -> None:
    (folder / "indexes" / "ledger.sqlite").write_bytes(b"no database" * 999)
    for words in (["ask", WHO, "--corpus", "port"], ["usage"]):
        done = run(*words)
        assert (done.code, done.out) == (1, "")
        assert "ledger.sqlite cannot be used: file is not a database; move it away" in one_line(done)


def test_a_message_stays_one_line_and_harmless_whatever_a_file_is_called(run: Run) -> None:
    done = run("ask", WHO, "--file", "two\nlines \x1b[31m.md")
    assert one_line(done).startswith("two lines \\x1b[31m.md: ")


def test_a_home_that_is_read_only_is_told_in_one_line_and_the_index_still_answers(folder: Path) -> None:
    read_only(folder / "indexes", True)
    try:
        for words in (["ask", WHO, "--corpus", "port"], ["usage"]):
            done = process(*words, folder=folder, powerless=True)
            assert (done.code, done.out) == (1, "")
            assert "make it writable or set SELFROUTE_LEDGER to a file elsewhere" in one_line(done)
        for corpus in ("port", "new"):
            done = process("index", "harbour.md", "--corpus", corpus, folder=folder, powerless=True)
            assert (done.code, done.out) == (1, "")
            assert "make it writable or set SELFROUTE_HOME to another folder" in one_line(done)
        elsewhere = {"SELFROUTE_LEDGER": str(folder / "ledger.sqlite")}
        asked = process("ask", WHO, "--corpus", "port", "--json", folder=folder, powerless=True, **elsewhere)
        assert asked.json["answer"] == "Olof Berg"
    finally:
        read_only(folder / "indexes", False)


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["ask"],
        ["ask", WHO, "--corpus", "port", "--k", "0"],
        ["ask", WHO, "--corpus", "port", "--k", "many"],
        ["ask", WHO, "--corpus", "port", "--nothing"],
        ["index", "harbour.md"],
        ["usage", "--by", "moon"],
    ],
)
def test_a_command_that_is_not_understood_has_an_exit_code_of_its_own(run: Run, words: Sequence[str]) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: ")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [["--help"], ["ask", "--help"], ["--version"]])
def test_help_loads_nothing_that_takes_time(words: Sequence[str]) -> None:
    loaded = modules_after(*words)
    assert not {"numpy", "onnxruntime", "faiss", "sqlalchemy", "tokenizers", *HEAVY} & loaded


def test_asking_an_index_loads_neither_torch_nor_what_only_ingestion_needs(folder: Path) -> None:
    loaded = modules_after("ask", ABSENT, "--corpus", "port")
    assert {"onnxruntime", "faiss"} <= loaded
    assert not {*HEAVY, *FORMATS} & loaded


@pytest.mark.slow
def test_a_text_that_is_indexed_loads_no_library_of_other_formats(folder: Path) -> None:
    assert not {*FORMATS} & modules_after("index", "harbour.md", "--corpus", "new")


@pytest.mark.slow
def test_indexing_and_asking_a_file_load_no_torch(folder: Path) -> None:
    (folder / "long.md").write_text("The watch looked out over the fairway. " * 200)
    for name, has_long_paragraphs in (("harbour.md", False), ("long.md", True)):
        for words in (["ask", WHO, "--file", name], ["index", name, "--corpus", f"new-{has_long_paragraphs}"]):
            loaded = modules_after(*words)
            assert "selfroute.ingest.chunker" in loaded
            assert ("llama_index.core" in loaded) == has_long_paragraphs
            assert not {"torch", "transformers", "sentence_transformers"} & loaded


def test_what_goes_to_a_pipe_is_not_cut_and_a_row_is_a_line(folder: Path) -> None:
    deep = folder.joinpath(*["a-folder-with-a-long-name"] * 12)
    deep.mkdir(parents=True)
    (deep / "harbour.md").write_text(HARBOUR)
    asked = process("ask", WHO, "--file", str(deep / "harbour.md"), folder=folder, COLUMNS="40")
    assert "reading everything would have taken" in asked.out.splitlines()[-1]
    assert "saved" in asked.out.splitlines()[-1]
    [_, row] = process("usage", "--by", "corpus", folder=folder, COLUMNS="40").out.splitlines()
    assert row.split()[:2] == [str(deep / "harbour.md"), "1"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_is_not_utf_8_is_no_reason_to_fail(folder: Path, encoding: str) -> None:
    done = entered("ask", WHO, "--corpus", "port", folder=folder, PYTHONIOENCODING=encoding)
    assert (done.code, done.err) == (0, "")
    assert "\\u201cThe harbour master" in done.out


@pytest.mark.parametrize(
    "words", [["corpora"], ["corpora", "--json"], ["usage"], ["ask", WHO, "--corpus", "port", "--json"], ["--help"]]
)
def test_a_reader_that_goes_away_gets_no_traceback(folder: Path, words: Sequence[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([COMMAND, *words], stdout=writing, stderr=subprocess.PIPE, text=True, env=environment())
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_code_and_no_traceback(folder: Path, number: signal.Signals, code: int) -> None:
    os.mkfifo(folder / "slow.yaml")
    with Command("ask", WHO, "--corpus", "port", "--config", "slow.yaml") as child:
        handle = opened_to_write(folder / "slow.yaml", child)
        child.send_signal(number)
        # A signal that comes just before a read is handled only when that ends: let it end.
        os.close(handle)
        out, err = child.communicate()
        assert child.returncode == code
        assert (out, err.strip()) == ("", "")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to see what a process has open")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_question_is_under_way_ends_it_too(folder: Path, number: signal.Signals, code: int) -> None:
    path = folder / "indexes" / "ledger.sqlite"
    process("usage", folder=folder)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")  # the question waits to be written down
    with Command("ask", WHO, "--corpus", "port") as child:
        try:
            while not opened(child, path):
                assert child.poll() is None
            child.send_signal(number)
        finally:
            lock.execute("ROLLBACK")
            lock.close()
        out, err = child.communicate()
        assert child.returncode == code
        assert (out, err.strip()) == ("", "")


def prepare(folder: Path) -> None:
    """Files that cannot be ingested, and a folder that is not ours."""
    (folder / "image.pdf").write_bytes(b"%PDF-1.7")
    (folder / "damaged.txt").write_bytes("Café".encode() + b"\xff")
    (folder / "empty.txt").write_text(" \n")
    (folder / "broken.jsonl").write_text('{"text": "unfinished\n')
    (folder / "bare").mkdir()
    (folder / "indexes" / "foreign").mkdir()
    (folder / "indexes" / "foreign" / "notes.txt").write_text("mine")


def paged(path: Path, *pages: str) -> None:
    """A PDF with these pages."""
    fpdf = pytest.importorskip("fpdf", reason="fpdf2 writes the PDF")
    made = fpdf.FPDF()
    made.set_font("helvetica", size=12)
    for text in pages:
        made.add_page()
        made.cell(text=text)
    made.output(str(path))


def one_line(done: Done) -> str:
    """The message, which must be all that stands on standard error."""
    assert done.err.startswith("selfroute: ")
    assert done.err.endswith("\n")
    assert len(done.err.splitlines()) == 1
    return done.err.removeprefix("selfroute: ").rstrip("\n")


def named(*documents: str) -> list[str]:
    return [word for document in documents for word in ("--document", document)]


def opened_to_write(fifo: Path, child: Command) -> int:
    """A handle on a named pipe, as soon as the process has opened it to read."""
    while True:
        assert child.poll() is None, child.communicate()
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise


def opened(child: Command, path: Path) -> bool:
    """Whether the process has the file open."""
    try:
        return any(os.path.samefile(handle, path) for handle in Path(f"/proc/{child.pid}/fd").iterdir())
    except OSError:
        return False


def read_only(folder: Path, wanted: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod((0o500 if path.is_dir() else 0o400) if wanted else (0o700 if path.is_dir() else 0o600))
