"""A run is one row a question, policy and k, whatever happens on the way, and reads nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import BadInput, HomeNotWritable, InvalidSettings, RunBusy, UnknownPolicy, UnreadableFile
from selfroute.evaluation.datasets import DATASETS
from selfroute.evaluation.datasets.tasks import LONGBENCH
from selfroute.evaluation.evaluator import Evaluator, Progress, Result
from selfroute.evaluation.rows import Row, read_rows
from selfroute.evaluation.suite import Suite
from selfroute.index.files import only_writer
from selfroute.policies import POLICIES
from selfroute.prices import Price, Prices
from selfroute.readers.scripted import KnowingReader

COLOURS = ("red", "green", "blue", "white", "black", "amber", "grey", "violet")
NEAR, FAR = 3, 25
"""Buoys that a document tells of, and remarks in it that answer nothing."""


def buoys(document: int) -> dict[str, str]:
    """Question -> answer of one document."""
    colours = [f"{COLOURS[part]}-{document}-{part}" for part in range(NEAR - 1)] + ["ultramarine"]
    return {f"What is the colour of buoy {document}-{part}?": colour for part, colour in enumerate(colours)}


def text(document: int) -> str:
    """The last buoy is not named where its colour stands, so that its chunk is not among the best."""
    told = [f"The colour of buoy {key.split()[-1][:-1]} is {value}." for key, value in buoys(document).items()]
    told[-1] = f"One more floats far outside, painted {list(buoys(document).values())[-1]}."
    filling = [f"Remark {n} of fairway {document}: " + "tide and wind were noted by the watch " * 4 for n in range(FAR)]
    return "\n\n".join([*filling[:10], told[0], *filling[10:20], told[2], *filling[20:], told[1]])


def records(documents: int) -> list[dict[str, object]]:
    """LongBench records, one question more a document than it answers."""
    made: list[dict[str, object]] = []
    for document in range(documents):
        asked = [*((question, [answer]) for question, answer in buoys(document).items())]
        asked.append((f"Who owns buoy {document}-0?", ["unanswerable"]))
        made += [
            {"_id": f"{document}-{n}", "input": q, "context": text(document), "answers": a, "doc_id": f"d{document}"}
            for n, (q, a) in enumerate(asked)
        ]
    return made


def written(path: Path, documents: int = 3) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records(documents)), encoding="utf-8")
    return path


def known(documents: int = 50) -> dict[str, str]:
    return {question: answer for document in range(documents) for question, answer in buoys(document).items()}


def evaluator(
    home: Path, reader: KnowingReader | None = None, identity: Mapping[str, object] | None = None
) -> Evaluator:
    return Evaluator(
        reader=reader or KnowingReader(known()),
        embedder=HashingEmbedder(),
        chunk_tokens=40,
        chunk_words=None,
        prices=Prices({"knowing": Price(Decimal(1), Decimal(1)), "hashing-64": Price(Decimal(0), Decimal(0))}),
        policies={name: make() for name, make in POLICIES.items()},
        k=2,
        cache=home / "cache.sqlite",
        identity=identity or {"settings": {"k": 2}},
    )


def run(folder: Path, source: Path, reader: KnowingReader | None = None, **suite: object) -> Result:
    return evaluator(folder.parent, reader).run(replace(Suite("made", (str(source),)), **suite), folder)  # type: ignore[arg-type]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return written(tmp_path / "made.jsonl")


def test_there_is_one_row_a_question_policy_and_k(tmp_path: Path, source: Path) -> None:
    result = run(tmp_path / "run", source, ks=(1, 4))
    rows = read_rows(tmp_path / "run")
    assert len(rows) == len({row.key for row in rows}) == 12 * 3 * 2 == result.rows
    assert set(result.summary["made"]) == {f"{policy}@{k}" for policy in Suite("", ()).policies for k in (1, 4)}


def test_every_arm_is_read_once_however_many_policies(tmp_path: Path, source: Path) -> None:
    result = run(tmp_path / "run", source)
    assert result.readings == 12 * 2
    spent = sum(row.usage["input_tokens"] for row in read_rows(tmp_path / "run") if row.policy != "self_route")
    assert result.read.input_tokens == spent


def test_a_policy_is_charged_what_it_would_have_cost_alone(tmp_path: Path, source: Path) -> None:
    run(tmp_path / "run", source)
    by = {(row.id, row.policy): row for row in read_rows(tmp_path / "run")}
    escalated = [key for key, row in by.items() if key[1] == "self_route" and row.route == "long_context"]
    assert escalated
    for id_, _ in escalated:
        alone = [by[id_, policy].usage["input_tokens"] for policy in ("always_rag", "always_long")]
        assert by[id_, "self_route"].usage["input_tokens"] == sum(alone)
        assert by[id_, "self_route"].cost == Decimal(sum(alone)) / 1_000_000


def test_a_decline_scores_where_the_document_holds_no_answer(tmp_path: Path, source: Path) -> None:
    result = run(tmp_path / "run", source)
    cell = result.summary["made"]["always_long"]
    assert (cell.score, cell.answerable_score, cell.unanswerable_score) == (100.0, 100.0, 100.0)
    assert (cell.declines.right_declines, cell.declines.missed_declines, cell.declines.answered) == (3, 0, 9)
    short = result.summary["made"]["always_rag"]
    assert short.declines.wrong_declines > 0


def test_a_failing_reader_costs_its_questions_and_no_others(tmp_path: Path, source: Path) -> None:
    lost = next(iter(buoys(1)))
    result = run(tmp_path / "run", source, KnowingReader(known(), fails=frozenset([lost])))
    rows = read_rows(tmp_path / "run")
    failed = [row for row in rows if row.error]
    assert {(row.id, row.score, row.error) for row in failed} == {("1-0", 0.0, "RuntimeError: asked to fail")}
    assert len(failed) == result.failed == 3
    cell = result.summary["made"]["always_long"]
    assert (cell.n, cell.failed) == (12, 1)
    assert cell.score == pytest.approx(100 * 11 / 12)


def test_what_a_failed_question_used_is_on_its_row(tmp_path: Path, source: Path) -> None:
    lost = next(iter(buoys(1)))
    run(tmp_path / "run", source, KnowingReader(known(), fails=frozenset([lost])))
    assert all(row.usage["input_tokens"] > 0 for row in read_rows(tmp_path / "run") if row.error)


def test_failed_questions_are_tried_again_and_nothing_else_is(tmp_path: Path, source: Path) -> None:
    lost = next(iter(buoys(1)))
    run(tmp_path / "run", source, KnowingReader(known(), fails=frozenset([lost])))
    whole = run(tmp_path / "whole", source)
    again = run(tmp_path / "run", source)
    assert again.failed == 0
    assert timeless(tmp_path / "run") == timeless(tmp_path / "whole")
    assert again.readings == whole.readings


def test_a_second_start_does_nothing_and_leaves_the_rows_as_they_are(tmp_path: Path, source: Path) -> None:
    first = run(tmp_path / "run", source)
    before = (tmp_path / "run" / "rows.jsonl").read_bytes()
    again = run(tmp_path / "run", source, KnowingReader({}, fails=frozenset(known())))  # any reading would fail
    assert (tmp_path / "run" / "rows.jsonl").read_bytes() == before
    assert again.summary == first.summary


def test_a_folder_takes_further_policies_k_and_datasets(tmp_path: Path, source: Path) -> None:
    run(tmp_path / "run", source, policies=("always_rag",))
    more = run(tmp_path / "run", source, policies=("self_route", "always_rag"), ks=(2, 3))
    assert {(row.policy, row.k) for row in read_rows(tmp_path / "run")} == {
        ("always_rag", 2),
        ("always_rag", 3),
        ("self_route", 2),
        ("self_route", 3),
    }
    other = written(tmp_path / "other.jsonl", 1)
    run(tmp_path / "run", other, policies=("always_rag",))
    assert {row.dataset for row in read_rows(tmp_path / "run")} == {"made", "other"}
    assert more.rows == 48


def test_a_question_whose_record_was_changed_is_asked_anew_and_no_other_is(tmp_path: Path, source: Path) -> None:
    before = run(tmp_path / "run", source)
    lines = source.read_text().splitlines()
    source.write_text("\n".join([lines[0].replace("red-0-0", "crimson"), *lines[1:]]))  # context and answer
    again = run(tmp_path / "run", source, KnowingReader({next(iter(buoys(0))): "crimson"}))
    rows = {(row.id, row.policy): row for row in read_rows(tmp_path / "run")}
    assert len(rows) == again.rows == before.rows
    assert rows["0-0", "always_long"].prediction == "crimson"
    assert again.summary["made"]["always_long"].score == 100.0
    assert again.readings == before.readings + 2


def test_a_changed_reference_is_judged_anew_without_a_reading(tmp_path: Path, source: Path) -> None:
    before = run(tmp_path / "run", source)
    source.write_text(source.read_text().replace('"answers": ["red-0-0"]', '"answers": ["scarlet"]'))
    again = run(tmp_path / "run", source, KnowingReader({}, fails=frozenset(known())))  # any reading would fail
    assert again.summary["made"]["always_long"].score == pytest.approx(100 * 11 / 12)
    assert again.readings == before.readings


def test_other_prompts_are_other_questions(tmp_path: Path) -> None:
    tables, file = tmp_path / "LongBench", tmp_path / "qasper.jsonl"
    tables.mkdir()
    file.write_text(json.dumps(records(1)[0]) + "\n")
    suite = Suite("made", (str(file),), ("always_long",))
    evaluator(tmp_path).run(suite, tmp_path / "run")
    names = [name for name, known in DATASETS.items() if known.task.name in LONGBENCH]
    for table, value in (("dataset2prompt.json", "Read: {context} {input}"), ("dataset2maxlen.json", 7)):
        (tables / table).write_text(json.dumps(dict.fromkeys(names, value)))
    official = evaluator(tmp_path).run(suite, tmp_path / "run", longbench=tables)
    assert (official.rows, official.readings) == (1, 2)


def test_a_file_that_is_named_twice_is_asked_once(tmp_path: Path, source: Path) -> None:
    result = evaluator(tmp_path).run(Suite("made", (str(source), str(source))), tmp_path / "run")
    assert (result.rows, result.malformed) == (12 * 3, ())


def test_what_two_datasets_share_is_read_once(tmp_path: Path, source: Path) -> None:
    """As LongBench and its -E split do; all questions are in flight at a time."""
    other = written(tmp_path / "other.jsonl")
    suite = Suite("made", (str(source), str(other)))
    slow = KnowingReader(known(), seconds=0.01)
    result = evaluator(tmp_path, slow).run(suite, tmp_path / "run", concurrency=24)
    assert (result.rows, result.readings) == (24 * 3, 12 * 2)
    assert len((tmp_path / "run" / "readings.jsonl").read_text().splitlines()) == 12 * 2


@pytest.mark.parametrize("name", ["all.zip", "all.ZIP"])
def test_a_limit_is_each_datasets_own_in_an_archive(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for dataset in ("one", "two"):
            archive.writestr(f"{dataset}.jsonl", "\n".join(map(json.dumps, records(1))))
    run(tmp_path / "run", tmp_path / name, policies=("always_rag",), limit=1)
    assert [(row.dataset, row.id) for row in read_rows(tmp_path / "run")] == [("one", "0-0"), ("two", "0-0")]


def test_a_folder_does_not_take_rows_of_other_settings(tmp_path: Path, source: Path) -> None:
    run(tmp_path / "run", source)
    other = evaluator(tmp_path, identity={"settings": {"k": 3}})
    with pytest.raises(InvalidSettings, match=r"holds a run with other settings\.k"):
        other.run(Suite("made", (str(source),)), tmp_path / "run")


def test_two_runs_cannot_be_in_one_folder_at_a_time(tmp_path: Path, source: Path) -> None:
    (tmp_path / "run").mkdir()
    with only_writer(tmp_path / "run", BadInput("taken")), pytest.raises(RunBusy, match="wait for it to end"):
        run(tmp_path / "run", source)


def test_a_task_that_the_reader_cannot_do_is_not_applicable_and_never_zero(tmp_path: Path) -> None:
    file = tmp_path / "gov_report.jsonl"
    file.write_text(json.dumps({"_id": "1", "input": "", "context": text(0), "answers": ["A summary."]}) + "\n")
    result = run(tmp_path / "run", file)
    rag, long = result.summary["gov_report"]["always_rag"], result.summary["gov_report"]["always_long"]
    assert (rag.score, rag.n, rag.na, rag.failed) == (None, 0, 1, 0)
    assert (long.n, long.na) == (1, 0)
    [row] = [row for row in read_rows(tmp_path / "run") if row.policy == "always_rag"]
    assert row.na is not None
    assert "no query" in row.na


def test_malformed_rows_are_named_counted_and_out_of_the_average(tmp_path: Path, source: Path) -> None:
    lines = source.read_text().splitlines()
    lines[1:1] = ["{", json.dumps({"_id": "x", "input": "q?", "context": "", "answers": ["a"]})]
    source.write_text("\n".join(lines))
    result = run(tmp_path / "run", source)
    assert [row.place.rsplit(":", 1)[1] for row in result.malformed] == ["2", "3"]
    assert result.summary["made"]["always_long"].n == 12
    told = json.loads((tmp_path / "run" / "run.json").read_text())["malformed"]
    assert [row["reason"] for row in told] == [row.reason for row in result.malformed]


def test_a_file_that_is_cut_off_is_an_error_and_no_average(tmp_path: Path, source: Path) -> None:
    import gzip

    cut = tmp_path / "made.jsonl.gz"
    cut.write_bytes(gzip.compress(source.read_bytes())[:-30])
    with pytest.raises(UnreadableFile, match="cut"):
        run(tmp_path / "run", cut)
    assert not (tmp_path / "run" / "summary.json").exists()


def test_an_empty_file_and_an_unknown_policy_are_refused(tmp_path: Path, source: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    with pytest.raises(BadInput, match="holds no"):
        run(tmp_path / "run", empty)
    with pytest.raises(UnknownPolicy, match="always_wrong"):
        run(tmp_path / "run", source, policies=("always_wrong",))


def test_a_limit_takes_the_first_questions_of_each_source(tmp_path: Path, source: Path) -> None:
    other = written(tmp_path / "other.jsonl")
    evaluator(tmp_path).run(Suite("made", (str(source), str(other)), limit=2), tmp_path / "run")
    assert {(row.dataset, row.id) for row in read_rows(tmp_path / "run")} == {
        (dataset, id_) for dataset in ("made", "other") for id_ in ("0-0", "0-1")
    }


def test_progress_rises_to_the_end_and_counts_what_an_earlier_start_did(tmp_path: Path, source: Path) -> None:
    run(tmp_path / "run", source, policies=("always_rag",))
    heard: list[Progress] = []
    evaluator(tmp_path).run(Suite("made", (str(source),)), tmp_path / "run", progress=heard.append)
    assert (heard[0].done, heard[0].total) == (12, 36)
    assert [now.done for now in heard] == list(range(12, 37))
    assert heard[-1].score == pytest.approx(sum(row.score or 0 for row in read_rows(tmp_path / "run")) / 36)


def test_documents_are_embedded_once_for_all_runs(tmp_path: Path, source: Path) -> None:
    run(tmp_path / "one", source)
    counted = Counting()
    replace(evaluator(tmp_path), embedder=counted).run(Suite("made", (str(source),)), tmp_path / "two")
    assert counted.chunks == 0
    assert counted.queries > 0


class Counting(HashingEmbedder):
    """Counts what it embeds; every query of the fixture ends with a question mark."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = self.chunks = 0

    def embed(self, texts: Sequence[str]):  # type: ignore[no-untyped-def]
        self.queries += sum(text.endswith("?") for text in texts)
        self.chunks += sum(not text.endswith("?") for text in texts)
        return super().embed(texts)


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_evaluator import evaluator, KnowingReader, known
from selfroute.evaluation.suite import Suite
folder = Path({folder!r})
suite = Suite("made", ({source!r},), ks={ks!r})
evaluator(folder.parent, KnowingReader(known(), seconds=0.003)).run(suite, folder, concurrency=3)
"""


def child(folder: Path, source: Path, limit: str = "", ks: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    program = limit + CHILD.format(here=str(Path(__file__).parent), folder=str(folder), source=str(source), ks=ks)
    return subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_twenty_kills_and_a_last_start_end_in_the_rows_of_an_uninterrupted_run(tmp_path: Path) -> None:
    """SIGKILL once the rows have grown by a random number of bytes, so that it falls at any place in the work."""
    source = written(tmp_path / "made.jsonl", 20)
    whole, killed = tmp_path / "a" / "whole", tmp_path / "a" / "killed"
    assert child(whole, source).wait(120) == 0
    size = (whole / "rows.jsonl").stat().st_size
    rng = random.Random(7)
    kills = 0
    for _ in range(20):
        process = child(killed, source)
        before = _size(killed)
        target = before + rng.randint(0, size // 15)
        while process.poll() is None and _size(killed) <= target:
            time.sleep(0)  # gives way to the child; the condition is the file's size
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 15  # the others had ended before the signal came
    assert child(killed, source).wait(120) == 0
    assert timeless(killed) == timeless(whole)
    keys = [row.key for row in read_rows(killed)]
    assert len(keys) == len(set(keys)) == 20 * 4 * 3


def _size(folder: Path) -> int:
    try:
        return (folder / "rows.jsonl").stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.end_to_end
def test_a_full_disk_ends_the_run_with_what_is_done_kept(tmp_path: Path, source: Path) -> None:
    """A limit on the size of files stands in for a full disk: the write is cut short in the same way."""
    full = (
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))\n"
    )
    run(tmp_path / "warm", source, policies=("always_rag",), limit=1)  # the cache is made outside of the limit
    process = child(tmp_path / "run", source, full, ks=(2, 3, 4))
    _, told = process.communicate(timeout=60)
    assert process.returncode != 0
    assert HomeNotWritable.__name__.encode() in told
    kept = read_rows(tmp_path / "run")
    assert 0 < len(kept) < 12 * 3 * 3
    run(tmp_path / "run", source, ks=(2, 3, 4))
    run(tmp_path / "whole", source, ks=(2, 3, 4))
    assert timeless(tmp_path / "run") == timeless(tmp_path / "whole")


def timeless(folder: Path) -> list[Row]:
    """The rows without the seconds that they really took."""
    return [replace(row, seconds=0.0) for row in read_rows(folder)]


def test_an_interrupt_leaves_rows_and_the_next_start_goes_on(tmp_path: Path) -> None:
    source = written(tmp_path / "made.jsonl", 10)
    heard = threading.Event()

    def interrupt(now: Progress) -> None:
        if now.done == 20 and not heard.is_set():
            heard.set()
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        evaluator(tmp_path).run(Suite("made", (str(source),)), tmp_path / "run", progress=interrupt)
    assert 20 <= len(read_rows(tmp_path / "run")) < 120
    run(tmp_path / "run", source)
    assert len(read_rows(tmp_path / "run")) == 120


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_file_larger_than_memory_is_evaluated_in_flat_memory(tmp_path: Path) -> None:
    """Peak memory of a child process is the same for 2 and for 200 MB, of which 10 questions are asked."""
    peaks = [_peak(tmp_path, megabytes) for megabytes in (2, 200)]
    assert peaks[1] < peaks[0] + 30_000, peaks


def _peak(tmp_path: Path, megabytes: int) -> int:
    """Peak resident memory in KiB."""
    source = tmp_path / f"{megabytes}.jsonl"
    record = {"input": "What is the colour of buoy 0-0?", "answers": ["red-0-0"], "context": text(0) * 30}
    line = json.dumps(record)
    with source.open("w") as file:
        for number in range(megabytes * 1_000_000 // len(line)):
            file.write(json.dumps(record | {"_id": str(number)}) + "\n")
    program = (
        "import resource\n"
        + CHILD.format(
            here=str(Path(__file__).parent), folder=str(tmp_path / f"run-{megabytes}"), source=str(source), ks=()
        ).replace('Suite("made", (', 'Suite(limit=10, name="made", sources=(')
        + "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    source.unlink()
    assert len(read_rows(tmp_path / f"run-{megabytes}")) == 30
    return int(done.stdout)
