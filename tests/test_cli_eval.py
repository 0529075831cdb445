"""`selfroute eval` and `selfroute compare` as they are used: what they print, what they refuse, and how they stop."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Command, Done, in_process, modules_after, process

from selfroute.errors import RunBusy
from selfroute.index.files import only_writer

pytestmark = pytest.mark.end_to_end

FILL = "Boats of many kinds are moored along the quay, and the wind often turns in the afternoon. "
HARBOUR = f"""The harbour master of Norrvik is Olof Berg, who has held the post since 1998.

{FILL * 30}

The ferry Solveig carries up to 240 passengers and 38 cars.
"""
QUESTIONS = [
    ("Who is the harbour master of Norrvik?", ["Olof Berg"]),
    ("How many passengers does the ferry Solveig carry?", [240]),
    ("How tall is Mount Everest?", ["unanswerable"]),
]
COLUMNS = [
    *("dataset", "policy", "score", "95 %", "n", "failed", "n/a", "escalated", "answerable", "unanswerable"),
    *("tokens", "of long", "cost $"),
]
OF_A_RUN = {"runs", "empty", "cut", "run.json", "readings.jsonl", "rows.jsonl"}
"""What a run leaves that was refused when it had begun."""
CONFIG = """
embedder: {kind: hashing}
chunking: {tokens: 60}
retrieval: {k: 3}
prices: {hashing-64: {input: 0, output: 0}}
"""


Run = Callable[..., Done]
Once = Callable[[str, Callable[[Path], None]], Path]


def records(documents: int = 2) -> list[dict[str, object]]:
    return [
        {"_id": f"{document}-{n}", "input": asked, "context": f"Port {document}.\n\n{HARBOUR}", "answers": answers}
        for document in range(documents)
        for n, (asked, answers) in enumerate(QUESTIONS)
    ]


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def made(folder: Path) -> None:
    """A dataset, a configuration and a finished run in `runs/made`."""
    (folder / "config.yaml").write_text(CONFIG)
    written(folder / "made.jsonl", records())
    done = process("eval", "made.jsonl", "--config", "config.yaml", folder=folder)
    assert (done.code, done.err) == (0, "")


@pytest.fixture
def folder(once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a dataset that was run."""
    for name in [name for name in os.environ if name.startswith("SELFROUTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SELFROUTE_CONFIG", "config.yaml")
    shutil.copytree(once("run", made), tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, which is quicker than a new one."""

    def main(*words: str) -> Done:
        return in_process(monkeypatch, capsys, *words)

    return main


def table(done: Done) -> list[list[str]]:
    """The cells of each line, with the head first; two spaces or more stand between them."""
    return [re.split(" {2,}", line.strip()) for line in done.out.splitlines()]


def cells(summary: dict[str, dict[str, dict[str, Any]]]) -> list[list[str]]:
    """The lines of the table as `summary.json` has them."""
    return [
        [
            dataset,
            policy,
            f"{cell['score']:.2f}",
            f"{cell['low']:.1f} to {cell['high']:.1f}",
            *(str(cell[name]) for name in ("n", "failed", "na")),
            f"{cell['escalated']:.1%}",
            *(f"{cell[name]:.2f}" for name in ("answerable_score", "unanswerable_score")),
            f"{cell['input_tokens']:,}",
            f"{cell['token_share']:.1%}",
            cell["cost"],
        ]
        for dataset, by in summary.items()
        for policy, cell in by.items()
    ]


def test_a_run_ends_in_a_table_of_what_stands_in_its_summary(run: Run, folder: Path) -> None:
    done = run("eval", "made.jsonl")
    assert (done.code, done.err) == (0, "")
    head, *lines = table(done)[:4]
    assert head == COLUMNS
    assert lines == cells(json.loads((folder / "runs" / "made" / "summary.json").read_text()))
    assert [line[1] for line in lines] == ["always_rag", "self_route", "always_long"]


def test_the_bundled_reader_answers_declines_and_escalates(run: Run) -> None:
    by = run("eval", "made.jsonl", "--json").json["made"]
    assert by["always_long"]["declines"] == {
        "answered": 4,
        "right_answers": 4,
        "right_declines": 2,
        "wrong_declines": 0,
        "missed_declines": 0,
    }
    assert by["always_rag"]["token_share"] < by["self_route"]["token_share"]
    assert 0 < by["self_route"]["escalated"] < 1


def test_json_is_what_stands_in_the_summary(run: Run, folder: Path) -> None:
    done = run("eval", "made.jsonl", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == json.loads((folder / "runs" / "made" / "summary.json").read_text())


def test_a_second_start_reads_nothing_and_a_folder_takes_more(run: Run, folder: Path) -> None:
    rows = (folder / "runs" / "made" / "rows.jsonl").read_bytes()
    readings = (folder / "runs" / "made" / "readings.jsonl").read_bytes()
    run("eval", "made.jsonl")
    assert (folder / "runs" / "made" / "rows.jsonl").read_bytes() == rows
    done = run("eval", "made.jsonl", "--policies", "always_rag, self_route", "--k", "1,3")
    assert done.code == 0
    assert [line[1] for line in table(done)[1:6]] == [
        *("always_rag@1", "always_rag@3", "self_route@1", "self_route@3"),
        "always_long@3",  # of the first start
    ]
    assert (folder / "runs" / "made" / "readings.jsonl").read_bytes().startswith(readings)


def test_a_limit_and_another_folder(run: Run, folder: Path) -> None:
    done = run("eval", "made.jsonl", "--limit", "1", "--policies", "always_rag", "--out", "elsewhere/deep")
    assert done.code == 0
    assert table(done)[1][4] == "1"
    assert "1 rows in elsewhere/deep" in done.out
    assert "scored strict" in done.out
    assert len((folder / "elsewhere" / "deep" / "rows.jsonl").read_text().splitlines()) == 1


def test_several_datasets_have_their_mean_below_the_table(run: Run, folder: Path) -> None:
    written(folder / "other.jsonl", records(1)[:1])
    done = run("eval", "made.jsonl", "other.jsonl", "--policies", "always_long", "--out", "both")
    assert [line[:2] for line in table(done)[1:3]] == [["made", "always_long"], ["other", "always_long"]]
    assert "mean over datasets: always_long 100.00" in done.out


def test_a_dataset_is_found_by_its_name(run: Run, folder: Path) -> None:
    (folder / "data").mkdir()
    written(folder / "data" / "qasper.jsonl", records(1)[:1])
    done = run("eval", "qasper", "--data", "data", "--policies", "always_long")
    assert (done.code, done.err) == (0, "")
    assert (folder / "runs" / "qasper" / "rows.jsonl").exists()


def test_a_run_ends_with_a_report_that_can_be_made_again(run: Run, folder: Path) -> None:
    done = run("eval", "made.jsonl")
    assert "report: runs/made/report.html" in done.out
    made = folder / "runs" / "made"
    first = (made / "report.html").read_bytes()
    assert (made / "report" / "plane.png").stat().st_size > 5_000
    (made / "report.html").unlink()
    again = run("report", "runs/made")
    assert (again.code, again.out, again.err) == (0, "report: runs/made/report.html\n", "")
    assert (made / "report.html").read_bytes() == first


def test_several_runs_have_a_report_each_or_one_together(run: Run, folder: Path) -> None:
    written(folder / "other.jsonl", records(1)[:1])
    run("eval", "other.jsonl", "--policies", "always_rag")
    each = run("report", "runs/made", "runs/other", "--json")
    assert each.json == ["runs/made/report.html", "runs/other/report.html"]
    both = run("report", "runs/made", "runs/other", "--out", "both")
    assert (both.code, both.out) == (0, "report: both/report.html\n")
    assert "7 questions of 2 datasets" in (folder / "both" / "report.md").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["report", "nowhere"], "nowhere/rows.jsonl: there is no such file: name the folder of a run of"),
        (["report", "runs/made", "--judge"], "no judge is named: name an endpoint under 'judge' in the settings"),
        (["eval", "made.jsonl", "--judge"], "no judge is named: name an endpoint under 'judge' in the settings"),
    ],
)
def test_a_report_that_cannot_be_made_is_told_in_one_line(run: Run, words: list[str], told: str) -> None:
    done = run(*words)
    assert done.code == 1
    assert told in one_line(done)


@pytest.mark.slow
def test_asking_and_the_command_line_load_neither_matplotlib_nor_jinja(folder: Path) -> None:
    (folder / "harbour.md").write_text(HARBOUR)
    loaded = modules_after("ask", QUESTIONS[0][0], "--file", "harbour.md", "--config", "config.yaml")
    assert "selfroute.engine" in loaded
    assert not {"matplotlib", "selfroute.evaluation.report"} & loaded


def test_what_a_reader_cannot_do_is_counted_apart_and_no_failure(run: Run, folder: Path) -> None:
    written(folder / "gov_report.jsonl", [{"context": HARBOUR, "answers": ["A port."], "input": ""}])
    done = run("eval", "gov_report.jsonl")
    assert (done.code, done.err) == (0, "")
    assert table(done)[1] == ["gov_report", "always_rag", "-", "-", "0", "0", "1", "-", "-", "-", "0", "-", "0"]


def test_malformed_rows_are_named_and_the_exit_code_is_1(run: Run, folder: Path) -> None:
    rows = records(1)
    del rows[1]["answers"]
    written(folder / "bad.jsonl", rows)
    done = run("eval", "bad.jsonl", "--policies", "always_rag")
    assert (done.code, done.err) == (1, "")
    assert table(done)[1][4] == "2"
    assert "malformed: bad.jsonl:2: has no answers" in done.out


def test_failed_rows_are_counted_and_the_exit_code_is_1(run: Run, folder: Path) -> None:
    """The recorded model was asked one of two questions."""
    rows = records(1)[:2]
    written(folder / "two.jsonl", rows)
    said = {"model": "gpt", "doc_id": "p", "input": rows[0]["input"], "rag": "Olof Berg", "long": "Olof Berg"}
    written(folder / "two.jsonl", [row | {"doc_id": "p"} for row in rows])
    written(folder / "said.jsonl", [said])
    (folder / "two.yaml").write_text("files: [two.jsonl]\nreplay: said.jsonl\npolicies: [always_rag]\n")
    done = run("eval", "two.yaml")
    assert (done.code, done.err) == (1, "")
    assert table(done)[1][:7] == ["gpt", "always_rag", "50.00", "-", "2", "1", "0"]
    assert "1 failed, scored 0 (rows.jsonl says why); run again to retry them" in done.out
    assert "tokens and costs simulated" in done.out
    assert run("eval", "two.yaml", "--json").code == 1


def test_control_characters_of_a_dataset_do_not_reach_the_terminal(run: Run, folder: Path) -> None:
    row = records(1)[0] | {"_id": "a\nb/../\x1b[31m", "dataset": "red\x1b[31m[bold]"}
    written(folder / "odd.jsonl", [row, row])
    done = run("eval", "odd.jsonl", "--policies", "always_rag", "--out", "odd")
    assert done.code == 1
    assert "\x1b" not in done.out
    assert table(done)[1][0] == "red\\x1b[31m[bold]"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["eval", "missing.jsonl"], "missing.jsonl: there is no such file"),
        (["eval", "runs"], "no dataset 'runs'"),
        (["eval", "./runs"], "is a folder"),
        (["eval", "qaspr"], "no dataset 'qaspr'; did you mean qasper"),
        (["eval", "made.jsonl", "qaspr"], "no dataset 'qaspr'"),
        (["eval", ""], "no dataset ''"),
        (["eval", "made.jsonl", "--k", "1,many"], "--k is '1,many': give whole numbers, as 1,5,10"),
        (["eval", "made.jsonl", "--k", "0"], "k must be at least 1"),
        (["eval", "made.jsonl", "--mode", "loose"], "mode is 'loose'; have: strict, fixed"),
        (["eval", "made.jsonl", "--policies", "always_rag,best"], "no policy 'best'; have: "),
        (["eval", "made.jsonl", "suite.yaml"], "suite.yaml is a suite: run it alone"),
        (["eval", "suite.yaml", "suite.yaml"], "suite.yaml is a suite: run it alone"),
        (["eval", "none.yaml"], "cannot read none.yaml: no such file"),
        (["eval", "broken.yaml"], "broken.yaml is not YAML"),
        (["eval", "unknown.yaml"], "suite unknown.yaml, polices: extra inputs are not permitted"),
        (["eval", "setting.yaml"], "chunks"),
        (["eval", "empty.jsonl"], "empty.jsonl: holds no records"),
        (["eval", "cut.jsonl.gz"], "is cut off"),
        (["eval", "made.jsonl", "--longbench", "runs"], "name a LongBench checkout"),
        (["eval", "qasper", "--data", "nowhere"], "nowhere: there is no such folder"),
        (["eval", "made.jsonl", "--mode", "fixed"], "runs/made holds a run with other mode: name another folder"),
        (
            ["eval", "made.jsonl", "--config", "small.yaml"],
            "runs/made holds a run with other settings.chunking.tokens:",
        ),
        (["eval", "made.jsonl", "--out", "foreign"], "run.json: cannot be read"),
        (
            ["eval", "made.jsonl", "--out", "made.jsonl"],
            "cannot write to made.jsonl (file exists): make it writable or",
        ),
        (["compare", "runs/made", "nowhere"], "nowhere/rows.jsonl: there is no such file: name the folder of a run"),
        (["compare", "empty", "runs/made"], "empty/rows.jsonl: there is no such file: name the folder of a run"),
        (["compare", "runs/made", "made.jsonl"], "made.jsonl/rows.jsonl: there is no such file"),
        (
            ["compare", "runs/made", "begun"],
            "begun/rows.jsonl: holds no rows: run `selfroute eval` with the same --out",
        ),
        (["compare", "runs/made", "foreign"], "foreign/rows.jsonl: line 1 is not a row of this version"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(run: Run, folder: Path, words: list[str], told: str) -> None:
    prepare(folder)
    before = {path for path in folder.rglob("*") if path.name != ".lock"}
    done = run(*words)
    assert (done.code, done.out) == (1, "")
    assert told in one_line(done)
    left = {path for path in folder.rglob("*") if path.name != ".lock"} - before
    assert {path.name for path in left} <= OF_A_RUN


def test_a_run_that_cannot_begin_leaves_no_folder(run: Run, folder: Path) -> None:
    for words in (["missing.jsonl"], ["qaspr"], [""], ["made.jsonl", "qaspr", "--out", "new"]):
        run("eval", *words)
    assert [path.name for path in (folder / "runs").iterdir()] == ["made"]
    assert not (folder / "new").exists()


def test_a_folder_in_which_a_run_is_under_way_is_not_entered(run: Run, folder: Path) -> None:
    with only_writer(folder / "runs" / "made", RunBusy(folder)):
        done = run("eval", "made.jsonl")
    assert done.code == 1
    assert "another process is running an evaluation in runs/made: wait for it to end" in one_line(done)


def test_a_folder_that_cannot_be_written_is_told_with_what_to_do(folder: Path) -> None:
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0o500)
    words = ("eval", "made.jsonl", "--out", "closed")
    done = process(*words, folder=folder, powerless=True, SELFROUTE_CONFIG="config.yaml")
    assert done.code == 1
    assert "cannot write to closed (permission denied): make it writable or set --out" in one_line(done)


def test_two_runs_are_set_side_by_side(run: Run, folder: Path) -> None:
    run("eval", "made.jsonl", "--limit", "4", "--out", "runs/short")
    done = run("compare", "runs/made", "runs/short")
    assert (done.code, done.err) == (0, "")
    _, head, *lines = table(done)
    assert head == ["dataset", "policy", "k", "n", "left", "right", "difference", "95 %", "tokens left", "right"]
    assert [line[:7] for line in lines[:-1]] == [
        ["made", policy, "3", "4", "100.00", "100.00", "+0.00"]
        for policy in ("always_rag", "self_route", "always_long")
    ]
    assert lines[-1] == ["left out: 6 only left scored, 0 only right"]
    shown = run("compare", "runs/made", "runs/short", "--json").json
    assert [(row["policy"], row["n"], row["difference"], row["only_left"]) for row in shown] == [
        (policy, 4, 0.0, 2) for policy in ("always_rag", "self_route", "always_long")
    ]


def test_what_one_run_has_alone_is_told_and_counted(run: Run, folder: Path) -> None:
    written(folder / "other.jsonl", records(1))
    run("eval", "made.jsonl", "other.jsonl", "--policies", "always_rag", "--k", "3,1", "--out", "runs/more")
    done = run("compare", "runs/made", "runs/more")
    assert (done.code, done.err) == (0, "")
    assert [line[:4] for line in table(done)[2:3]] == [["made", "always_rag", "3", "6"]]
    assert done.out.splitlines()[3:] == [
        "left out: 12 only left scored, 12 only right",
        "only left: self_route, always_long at k = 3 of made (12)",
        "only right: always_rag at k = 1 of made (6)",
        "only right: always_rag at k = 1, 3 of other (6)",
    ]
    shown = run("compare", "runs/made", "runs/more", "--json").json
    assert [
        (row["dataset"], row["policy"], row["k"], row["n"], row["only_left"], row["only_right"]) for row in shown
    ] == [
        ("made", "always_rag", 3, 6, 0, 0),
        ("made", "self_route", 3, 0, 6, 0),
        ("made", "always_long", 3, 0, 6, 0),
        ("made", "always_rag", 1, 0, 0, 6),
        ("other", "always_rag", 1, 0, 0, 3),
        ("other", "always_rag", 3, 0, 0, 3),
    ]


def test_runs_with_nothing_in_common_are_not_compared(run: Run, folder: Path) -> None:
    written(folder / "other.jsonl", records(1)[:1])
    run("eval", "other.jsonl", "--policies", "always_rag")
    done = run("compare", "runs/made", "runs/other")
    assert (done.code, done.out) == (1, "")
    assert "have no scored question under the same policy and k in common" in one_line(done)


def test_a_terminal_sees_how_far_a_run_is(folder: Path) -> None:
    ours, theirs = pty.openpty()
    with Command("eval", "made.jsonl", stderr=theirs, SELFROUTE_CONFIG="config.yaml", COLUMNS="150") as command:
        os.close(theirs)
        command.communicate()
        seen = os.read(ours, 100_000).decode()
        os.close(ours)
        assert command.returncode == 0
    assert "18/18" in seen
    assert "score 100.00" in seen


def test_an_interruption_ends_it_with_130_and_the_next_start_goes_on(
    folder: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    lengths = [1, 100, 100]  # the second is still being read when the first is done
    asked = [row | {"context": HARBOUR + FILL * length} for row, length in zip(records(1), lengths, strict=True)]
    written(folder / "long.jsonl", asked)
    words = ["eval", "long.jsonl", "--policies", "always_long", "--concurrency", "1"]
    rows = folder / "runs" / "long" / "rows.jsonl"
    with Command(*words, SELFROUTE_CONFIG="config.yaml") as child:
        wait_until(lambda: (rows.exists() and rows.stat().st_size > 0) or child.poll() is not None)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate()
        assert child.returncode == 130
    assert (out, err) == ("", "selfroute: stopped; what is done is in runs/long: run the same again to go on\n")
    done = [json.loads(line)["id"] for line in rows.read_text().splitlines()]
    assert 0 < len(done) < 3
    again = process(*words, folder=folder, SELFROUTE_CONFIG="config.yaml")
    assert (again.code, again.err) == (0, "")
    assert [json.loads(line)["id"] for line in rows.read_text().splitlines()] == [row["_id"] for row in asked]
    assert "3 rows in runs/long; 3 readings took" in again.out


def prepare(folder: Path) -> None:
    """Files that are wrong in one way each."""
    (folder / "suite.yaml").write_text("files: [made.jsonl]\n")
    (folder / "broken.yaml").write_text("files: [\n")
    (folder / "unknown.yaml").write_text("files: [made.jsonl]\npolices: [always_rag]\n")
    (folder / "setting.yaml").write_text("files: [made.jsonl]\nsettings: {chunks: 3}\n")
    (folder / "small.yaml").write_text(CONFIG.replace("60", "50"))
    (folder / "empty.jsonl").write_text("\n")
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress((folder / "made.jsonl").read_bytes())[:-20])
    (folder / "empty").mkdir()
    (folder / "foreign").mkdir()
    (folder / "foreign" / "run.json").write_text("running\n")
    (folder / "foreign" / "rows.jsonl").write_text('{"distance": 7}\n')
    (folder / "begun").mkdir()
    (folder / "begun" / "rows.jsonl").touch()


def one_line(done: Done) -> str:
    """The message, which must be all that stands on standard error."""
    assert done.err.startswith("selfroute: ")
    assert done.err.endswith("\n")
    assert len(done.err.splitlines()) == 1
    return done.err.removeprefix("selfroute: ").rstrip("\n")
