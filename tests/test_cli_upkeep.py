"""The commands that look after corpora: what they print, what they refuse, and what they ask before."""

from __future__ import annotations

import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
from commands import Done, in_process, process

from selfroute.index.upkeep import DocumentInfo, Listed, Problem, Stats
from selfroute.ingest.chunker import rule

pytestmark = pytest.mark.end_to_end

CASES = Path(__file__).parent / "cases" / "documents"
TEXTS = {"handbook.md": "Night work is approved by the harbour master.\n", "fees.md": "A berth costs ten crowns.\n"}


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a folder where two documents are indexed as `harbour`, with an embedder that takes no time."""
    for name in [name for name in os.environ if name.startswith("SELFROUTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SELFROUTE_EMBEDDER__KIND", "hashing")
    monkeypatch.chdir(tmp_path)
    for name, text in TEXTS.items():
        Path(name).write_text(text)

    def main(*words: str) -> Done:
        return in_process(monkeypatch, capsys, *words)

    assert main("index", *TEXTS, "--corpus", "harbour").code == 0
    return main


# index


@pytest.mark.parametrize(
    "words",
    [
        ["index", "fees.md", "--corpus", "new"],
        ["index", "--corpus", "new", "fees.md"],
        ["index", "add", "fees.md", "--corpus", "new"],
        ["index", "fees.md", "handbook.md", "--corpus", "new"],
    ],
)
def test_paths_are_indexed_with_or_without_add(run: Run, words: Sequence[str]) -> None:
    assert run(*words).out.startswith("new: ")
    assert run("documents", "list", "--corpus", "new").out.count(".md") == 2 * sum("md" in word for word in words)


def test_a_folder_called_as_a_command_is_indexed_as_a_path(run: Run) -> None:
    Path("verify").mkdir()
    Path("verify", "a.md").write_text("One.")
    assert run("index", "./verify", "--corpus", "new").out.startswith("new: 1 added")


def test_the_help_of_index_names_what_it_can_do(run: Run) -> None:
    shown = run("index", "--help").out
    assert [word for word in ("add", "rebuild", "verify", "repair", "stats") if f"\n  {word} " not in shown] == []
    assert "--corpus" in run("index", "add", "--help").out


def test_what_could_not_be_read_is_told_by_index_and_by_documents(run: Run) -> None:
    Path("books").mkdir()
    shutil.copy(CASES / "c5-missing.epub", "books/book.epub")
    for name in ("a.xyz", "b.xyz", "LICENSE"):
        Path("books", name).write_text("")
    told = "1 of 2 chapters could not be read: OPS/b.xhtml is missing from the archive"
    done = run("index", "books", "--corpus", "new")
    assert (done.code, done.err) == (0, "")
    assert "passed over: 2 .xyz files and 1 without a suffix\n" in done.out
    assert f"warning: book.epub: {told}\n" in done.out
    made = run("index", "books", "--corpus", "newer", "--json").json
    assert made["warnings"] == [{"document": "book.epub", "warning": told}]
    assert made["passed_over"] == {".xyz": 2, "": 1}
    assert f"book.epub: {told}\n" in run("documents", "list", "--corpus", "new").out
    [info] = run("documents", "list", "--corpus", "new", "--json").json
    assert (info["warnings"], info["readable"]) == ([told], 0.5)
    assert f"warning  {told}\n" in run("documents", "show", "book.epub", "--corpus", "new").out


def test_what_was_passed_over_is_told_in_short_and_by_json_whole(run: Run) -> None:
    Path("logs").mkdir()
    Path("logs/a.txt").write_text("One.")
    for n in range(40):
        Path(f"logs/app.log.{n}").write_text("")
    assert run("index", "logs", "--corpus", "new").out.count(" file and 30 files of 30 other kinds\n") == 1
    assert len(run("index", "logs", "--corpus", "new", "--json").json["passed_over"]) == 40


def test_a_decline_names_what_could_not_be_read(run: Run) -> None:
    done = run("ask", "Which colour has the ferry?", "--file", str(CASES / "a11-mixed-scan.pdf"), "--json")
    assert done.json["outcome"] == "insufficient"
    assert done.json["coverage"] == pytest.approx(2 / 3)
    assert done.json["warnings"] == ["a11-mixed-scan.pdf: page 2 of 3 holds no text: it is an image"]


def test_files_are_read_again_where_that_is_asked_for(run: Run) -> None:
    Path("fees.md").write_text("A berth costs twelve crowns.\n")
    done = run("index", "rebuild", "--corpus", "harbour")
    assert done.out.startswith("harbour: 0 added, 0 updated, 2 unchanged, 0 failed\n")
    Path("handbook.md").unlink()
    done = run("index", "rebuild", "--corpus", "harbour", "--from-files")
    assert done.code == 1
    assert done.out.startswith("harbour: 0 added, 1 updated, 1 unchanged, 1 failed\n")
    assert one_line(done).endswith("its file is gone: 'handbook.md' stays as it was read before")
    assert "twelve" in run("documents", "show", "fees.md", "--corpus", "harbour").out


def test_ocr_is_off_unless_it_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rapidocr", reason="reads scanned pages: the extra `ocr`")
    path = str(CASES / "a11-mixed-scan.pdf")
    assert "page 2 of 3 holds no text" in run("index", path, "--corpus", "new").out
    again = run("index", path, "--corpus", "new", "--ocr")
    assert "page 2 of 3 was read by OCR, with a confidence of" in again.out
    monkeypatch.setenv("SELFROUTE_INGEST__OCR", "true")
    assert " 1 unchanged" in run("index", path, "--corpus", "new").out
    assert "page 2 of 3 holds no text" in run("index", path, "--corpus", "new", "--no-ocr").out


def test_a_whole_index_is_said_to_be_whole(run: Run) -> None:
    assert run("index", "verify", "--corpus", "harbour") == Done(0, "harbour: whole\n", "")
    assert run("index", "verify", "--corpus", "harbour", "--json").json == []
    assert run("index", "repair", "--corpus", "harbour") == Done(0, "harbour: whole, nothing to mend\n", "")
    assert run("index", "repair", "--corpus", "harbour", "--json").json == {"mended": [], "lost": []}


def test_damage_is_told_by_verify_and_mended_by_repair(run: Run) -> None:
    next(Path("indexes/harbour").glob("segment-*")).write_bytes(b"torn")
    told = run("index", "verify", "--corpus", "harbour")
    assert told.code == 1
    assert "segment-000001.faiss differs from its checksum; run `selfroute index repair --corpus harbour`" in told.out
    assert one_line(told).startswith("harbour: segment")
    found = run("index", "verify", "--corpus", "harbour", "--json")
    assert (found.code, [list(row) for row in json.loads(found.out)]) == (1, [names(Problem)])
    mended = run("index", "repair", "--corpus", "harbour")
    assert mended.code == 0
    assert mended.out.startswith("mended: harbour: segment segment-000001.faiss differs")
    assert run("index", "verify", "--corpus", "harbour").code == 0


def test_what_repair_cannot_mend_is_told_with_what_brings_it_back(run: Run) -> None:
    with closing(sqlite3.connect("indexes/harbour/store.sqlite")) as raw, raw:
        raw.execute("UPDATE documents SET text = 'x' || text WHERE id = 'fees.md'")
    done = run("index", "repair", "--corpus", "harbour")
    assert done.code == 1
    assert f"lost: fees.md: its text differs from its checksum; index {Path('fees.md').resolve()} again" in done.out
    assert one_line(done).startswith("fees.md: its text differs")
    assert run("index", "fees.md", "--corpus", "harbour").out.startswith("harbour: 1 added")


def test_stats_are_shown(run: Run) -> None:
    shown = run("index", "stats", "--corpus", "harbour")
    assert (shown.code, shown.err) == (0, "")
    assert [line.split()[:2] for line in shown.out.splitlines()[1:4]] == [
        ["generation", "1"],
        ["embedder", "hashing-64"],
        ["dimension", "64"],
    ]
    assert list(run("index", "stats", "--corpus", "harbour", "--json").json) == names(Stats)


def test_an_index_is_rebuilt_for_other_settings_without_its_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TEXTS:
        Path(name).unlink()
    assert run("index", "rebuild", "--corpus", "harbour").out.startswith("harbour: 0 added, 0 updated, 2 unchanged")
    monkeypatch.setenv("SELFROUTE_CHUNKING__TOKENS", "100")
    assert run("index", "rebuild", "--corpus", "harbour", "--json").json["updated"] == 2
    assert run("documents", "show", "fees.md", "--corpus", "harbour", "--json").json["info"]["chunking"] == rule(100)


# documents


def test_documents_are_listed_and_shown(run: Run) -> None:
    rows = run("documents", "list", "--corpus", "harbour").out.splitlines()
    assert [row.split()[0] for row in rows] == ["document", "fees.md", "handbook.md"]
    assert rows[1].split()[-1] == str(Path("fees.md").resolve())
    listed = run("documents", "list", "--corpus", "harbour", "--json").json
    assert [list(row) for row in listed] == [names(DocumentInfo)] * 2
    shown = run("documents", "show", "fees.md", "--corpus", "harbour")
    assert shown.out.splitlines()[0] == "document fees.md"
    assert TEXTS["fees.md"] in shown.out
    one = run("documents", "show", "fees.md", "--corpus", "harbour", "--json").json
    assert one["document"]["text"] == TEXTS["fees.md"]
    assert [chunk["text"] for chunk in one["chunks"]] == [TEXTS["fees.md"].strip()]


def test_a_document_is_deleted_and_its_file_stays(run: Run) -> None:
    done = run("documents", "delete", "fees.md", "--corpus", "harbour")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1].split()[:3] == ["harbour", "1", "1"]
    assert Path("fees.md").exists()
    left = run("documents", "delete", "handbook.md", "--corpus", "harbour", "--json").json
    assert (list(left), left["documents"]) == (names(Listed), 0)
    asked = run("ask", "Who approves night work?", "--corpus", "harbour")
    assert one_line(asked) == ("corpus 'harbour' holds no documents: run `selfroute index PATH --corpus harbour` first")


# corpora


def test_corpora_are_listed_renamed_and_deleted(run: Run) -> None:
    assert [row["name"] for row in run("corpora", "--json").json] == ["harbour"]
    assert run("corpora", "rename", "harbour", "port") == Done(0, "harbour: renamed to port\n", "")
    assert run("corpora").out.splitlines()[1].split()[0] == "port"
    assert run("corpora", "rename", "port", "quay", "--json").json == {"renamed": "port", "name": "quay"}
    assert run("corpora", "delete", "quay", "--json").json == {"deleted": "quay"}
    assert run("corpora", "--json").json == []
    assert Path("fees.md").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["documents", "list", "--corpus", "harbor"], "no corpus 'harbor'; did you mean 'harbour'? have: harbour"),
        (["documents", "show", "fee.md", "--corpus", "harbour"], "no document 'fee.md' in corpus 'harbour'; did you"),
        (["documents", "delete", "fee.md", "fees.md", "--corpus", "harbour"], "no document 'fee.md' in corpus"),
        (["corpora", "delete", "harbor"], "no corpus 'harbor'; did you mean 'harbour'?"),
        (["corpora", "delete", "harbor", "--yes"], "no corpus 'harbor'; did you mean 'harbour'?"),
        (["corpora", "rename", "harbor", "port"], "no corpus 'harbor'; did you mean 'harbour'?"),
        (["corpora", "rename", "harbour", "harbour"], "there is a corpus 'harbour' already: choose another name"),
        (["corpora", "rename", "harbour", "a/b"], "'a/b' cannot name a corpus"),
        (["corpora", "--json", "delete", "harbour"], "give --config and --json after `corpora delete`"),
        (["index", "verify", "--corpus", "harbor"], "no corpus 'harbor'; did you mean 'harbour'?"),
        (["index", "repair", "--corpus", "harbor"], "no corpus 'harbor'; did you mean 'harbour'?"),
        (["index", "rebuild", "--corpus", "harbor"], "no corpus 'harbor'; did you mean 'harbour'?"),
        (["index", "stats", "--corpus", "harbor"], "no corpus 'harbor'; did you mean 'harbour'?"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(
    run: Run, words: Sequence[str], said: str
) -> None:
    done = run(*words)
    assert (done.code, done.out) == (1, "")
    assert said in one_line(done)
    assert len(run("documents", "list", "--corpus", "harbour", "--json").json) == 2


@pytest.mark.parametrize(("typed", "code", "left"), [("n\n", 1, True), ("\n", 1, True), ("y\n", 0, False)])
def test_whoever_sits_at_a_terminal_is_asked_before_a_corpus_is_deleted(
    run: Run, typed: str, code: int, left: bool
) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    done = process("corpora", "delete", "harbour", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert done.code == code
    assert "delete corpus 'harbour'? [y/N]" in done.err
    assert Path("indexes/harbour").exists() is left


def test_yes_answers_before_it_is_asked(run: Run) -> None:
    ours, theirs = pty.openpty()
    done = process("corpora", "delete", "harbour", "--yes", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert done == (0, "harbour: deleted\n", "")


# doctor


def test_a_healthy_installation_has_nothing_wrong(run: Run) -> None:
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    assert "wrong" not in done.out
    found = {row["name"]: row["said"] for row in run("doctor", "--json").json}
    assert found["corpus harbour"] == "2 documents, 2 chunks"
    assert found["embedder"] == "hashing-64, 64 dimensions, loads and embeds"


def test_the_doctor_ends_with_1_and_one_line_where_something_is_wrong(run: Run) -> None:
    next(Path("indexes/harbour").glob("segment-*")).unlink()
    done = run("doctor")
    assert done.code == 1
    assert one_line(done).startswith("corpus harbour: the index in indexes/harbour is damaged")
    again = run("doctor", "--json")
    assert (again.code, [row["name"] for row in json.loads(again.out) if not row["ok"]]) == (1, ["corpus harbour"])


def test_looking_after_a_corpus_loads_no_model(run: Run) -> None:
    words = ["documents", "list", "--corpus", "harbour"]
    program = (
        f"import sys\nfrom selfroute.cli import app\nsys.argv = {['selfroute', *words]!r}\napp(standalone_mode=False)\n"
        "print('loaded:', *(name for name in ('onnxruntime', 'torch', 'llama_index') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"


def one_line(done: Done) -> str:
    """The message, which must be all that stands on standard error."""
    assert done.err.startswith("selfroute: ")
    assert len(done.err.splitlines()) == 1
    return done.err.removeprefix("selfroute: ").rstrip("\n")


def names(noun: type) -> list[str]:
    return [field.name for field in fields(noun)]
