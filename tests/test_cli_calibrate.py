"""`selfroute calibrate`: from a run to a router that `calibrated` uses, with nothing read anew."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from commands import in_process, process

from selfroute.routing.score import read_router

pytestmark = pytest.mark.end_to_end

needs_scikit_learn = pytest.mark.skipif(find_spec("sklearn") is None, reason="needs the extra `calibrate`")

FILL = "Boats of many kinds are moored along the quay, and the wind often turns in the afternoon. "
CONFIG = """
embedder: {kind: hashing}
chunking: {tokens: 60}
retrieval: {k: 2}
prices: {hashing-64: {input: 0, output: 0}}
"""
Run = Callable[..., tuple[int, str, str]]
Made = Callable[..., None]
Once = Callable[[str, Callable[[Path], None]], Path]


def records(documents: int) -> list[dict[str, object]]:
    return [
        {
            "_id": f"{document}-{n}",
            "input": asked,
            "context": f"Port {document}.\n\nThe harbour master is Olof Berg.\n\n{FILL * 12}\n\nThe ferry is Solveig.",
            "answers": [answer],
            "doc_id": f"port-{document}",
        }
        for document in range(documents)
        for n, (asked, answer) in enumerate(
            [("Who is the harbour master?", "Olof Berg"), ("Which ferry is there?", "Solveig"), ("Who?", "nobody")]
        )
    ]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name in [name for name in os.environ if name.startswith("SELFROUTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG)
    monkeypatch.setenv("SELFROUTE_CONFIG", "config.yaml")
    return lambda *words: in_process(monkeypatch, capsys, *words)


@pytest.fixture
def made(run: Run, once: Once) -> Callable[..., None]:
    """Puts a run over so many documents into the working folder, with its dataset."""

    def copied(documents: int, policies: str = "always_rag,always_long", *more: str) -> None:
        def make(folder: Path) -> None:
            (folder / "config.yaml").write_text(CONFIG)
            (folder / "made.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records(documents)))
            words = ("eval", "made.jsonl", "--policies", policies, *more)
            done = process(*words, folder=folder, SELFROUTE_CONFIG="config.yaml")
            assert (done.code, done.err) == (0, "")

        name = "-".join(["calibrate", str(documents), policies, *more])
        shutil.copytree(once(name, make), Path.cwd(), dirs_exist_ok=True)

    return copied


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@needs_scikit_learn
def test_a_run_becomes_a_router_with_a_card_which_the_policy_uses(run: Run, made: Made) -> None:
    made(14)
    before = contents(Path("runs/made"))
    code, out, err = run("calibrate", "runs/made", "--json")
    assert (code, err) == (0, "")
    told: dict[str, Any] = json.loads(out)
    assert (told["rows"], told["left_out"], [rule["rule"] for rule in told["rules"]]) == (42, 0, ["bundled"])
    assert contents(Path("runs/made")) == before
    assert read_router(Path("router.json")).about["documents"] == 14
    assert "| bundled | 42 | 14 |" in Path("router.md").read_text()

    Path("config.yaml").write_text(CONFIG + "routing: {model: router.json}\n")
    Path("port.md").write_text(str(records(1)[0]["context"]))
    answer = json.loads(
        run("ask", "Who is the harbour master?", "--file", "port.md", "--policy", "calibrated", "--json")[1]
    )
    [decision] = answer["explain"]["decisions"]
    assert decision["rule"] == "bundled"
    assert set(decision["features"]) == {"declined", "judge_score", "judge_confidence"}
    assert (decision["by"], decision["dial"]["share"]) == ("share", 0.11)
    assert answer["warnings"] == []
    asked = ("ask", "Who is the harbour master?", "--file", "port.md", "--policy", "calibrated", "--k", "1", "--json")
    assert "fitted on k 2 (here 1)" in json.loads(run(*asked)[1])["warnings"][0]
    assert [call["stage"] for call in answer["calls"]][:3] == ["embed", "embed", "read_chunks"]


@needs_scikit_learn
def test_the_table_says_what_comes_of_a_share(run: Run, made: Made) -> None:
    made(14)
    code, out, _ = run("calibrate", "runs/made", "--out", "mine.json")
    assert code == 0
    assert "mine.json fitted on 42 questions; name it under routing.model; mine.md" in out
    assert "all of documents that were not fitted" in out


@needs_scikit_learn
def test_a_router_that_cannot_be_written_is_told_with_what_to_do(run: Run, made: Made) -> None:
    made(14)
    code, _, err = run("calibrate", "runs/made", "--out", "nowhere/router.json")
    assert code == 1
    assert err == (
        "selfroute: cannot write to nowhere/router.json (no such file or directory): make it writable or set --out to "
        "another file\n"
    )


@needs_scikit_learn
def test_too_few_questions_are_refused_with_what_to_do(run: Run, made: Made) -> None:
    made(2)
    code, _, err = run("calibrate", "runs/made")
    assert code == 1
    assert "6 questions were read both ways, too few to fit on" in err
    assert "always_rag and always_long" in err
    assert not Path("router.json").exists()


@needs_scikit_learn
def test_what_was_not_read_both_ways_is_left_out_and_not_read_now(run: Run, made: Made) -> None:
    made(14, "always_rag")
    code, _, err = run("calibrate", "runs/made")
    assert code == 1
    assert "0 questions were read both ways" in err


@needs_scikit_learn
def test_a_run_is_not_written_to(run: Run, made: Made) -> None:
    """Not cut where another process is writing, and not given a file that it lacks."""
    made(14)
    readings = Path("runs/made/readings.jsonl")
    with readings.open("ab") as file:
        file.write(b'{"key": "half a li')
    before = contents(Path("runs/made"))
    assert run("calibrate", "runs/made")[0] == 0
    assert contents(Path("runs/made")) == before
    readings.unlink()
    assert "0 questions were read both ways" in run("calibrate", "runs/made")[2]
    assert not readings.exists()


@needs_scikit_learn
def test_a_run_that_is_named_twice_counts_once(run: Run, made: Made, tmp_path: Path) -> None:
    made(7)
    Path("linked").symlink_to(tmp_path / "runs" / "made")
    code, _, err = run("calibrate", "runs/made", "./runs/../runs/made", str(tmp_path / "runs" / "made"), "linked")
    assert code == 1
    assert "21 questions were read both ways, too few to fit on" in err


@needs_scikit_learn
def test_runs_that_share_a_question_are_refused_and_named(run: Run, made: Made) -> None:
    made(7)
    shutil.copytree("runs/made", "runs/copy")
    code, _, err = run("calibrate", "runs/made", "runs/copy")
    assert code == 1
    assert "runs/made and runs/copy both read '0-0' of made, which would count twice: name only one of them" in err
    assert not Path("router.json").exists()


@needs_scikit_learn
def test_runs_of_other_questions_are_fitted_together(run: Run, made: Made) -> None:
    made(14)
    shutil.copy("made.jsonl", "others.jsonl")
    assert run("eval", "others.jsonl", "--policies", "always_rag,always_long")[0] == 0
    told = json.loads(run("calibrate", "runs/made", "runs/others", "--json")[1])
    assert told["rows"] == 84


@needs_scikit_learn
def test_a_run_from_another_folder_is_told_where_to_stand(
    run: Run, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(14)
    monkeypatch.setenv("SELFROUTE_CONFIG", str(tmp_path / "config.yaml"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    code, _, err = run("calibrate", "../runs/made")
    assert code == 1
    assert (
        "made.jsonl: there is no such file, and ../runs/made was read from it: run this from the folder that "
        "`selfroute eval` was run in"
    ) in err


@needs_scikit_learn
def test_recorded_answers_that_are_missed_are_told_in_the_same_way(run: Run, made: Made) -> None:
    made(14)
    path = Path("runs/made/run.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"replay": "gone/answers.jsonl"}))
    err = run("calibrate", "runs/made")[2]
    assert "gone/answers.jsonl: no such file or directory, and runs/made was read from it: run this from the" in err


@needs_scikit_learn
def test_other_settings_than_the_runs_are_refused_and_named(run: Run, made: Made) -> None:
    made(14)
    Path("config.yaml").write_text(CONFIG.replace("tokens: 60", "tokens: 50"))
    code, _, err = run("calibrate", "runs/made")
    assert code == 1
    assert "was read with other chunking.tokens: give the settings of that run with --config" in err


@needs_scikit_learn
def test_of_a_run_at_several_k_one_is_chosen_and_told(run: Run, made: Made) -> None:
    made(14, "always_rag,always_long", "--k", "1,3")
    code, _, err = run("calibrate", "runs/made")
    assert code == 1
    assert "was read at k = 1, 3, and the settings say 2: choose one with --k" in err
    assert run("calibrate", "runs/made", "--k", "3")[0] == 0
    assert read_router(Path("router.json")).about["k"] == 3
    assert "Chunks were the 3 best" in Path("router.md").read_text()
    code, _, err = run("calibrate", "runs/made", "--k", "7")
    assert code == 1
    assert "was not read at k = 7: it has 1, 3" in err


@pytest.mark.skipif(find_spec("sklearn") is not None, reason="needs an installation without the extra `calibrate`")
def test_what_fits_is_missed_before_anything_is_gathered(run: Run) -> None:
    code, _, err = run("calibrate", "runs/none")
    assert code == 1
    assert "scikit-learn is not installed" in err


@needs_scikit_learn
def test_a_folder_that_is_no_run_is_refused(run: Run) -> None:
    code, _, err = run("calibrate", ".")
    assert code == 1
    assert "there is no run.json" in err


def test_a_router_that_cannot_be_used_stops_before_anything_is_read(run: Run) -> None:
    Path("config.yaml").write_text(CONFIG + "routing: {model: none.json}\n")
    Path("port.md").write_text("The harbour master is Olof Berg.")
    code, _, err = run("ask", "Who?", "--file", "port.md")
    assert code == 1
    assert "cannot read none.json: no such file or directory" in err
