"""The ledger: durable at once, exact to the digit, and never written over what is not its own."""

from __future__ import annotations

import ctypes
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from selfroute.errors import CorruptLedger, HomeNotWritable
from selfroute.ledger import By, Ledger, UsageRow
from selfroute.ledger.schema import MIGRATIONS, metadata
from selfroute.types import Answer, Call, Outcome, Question, Route, Stage, Totals, Usage

EMBED = Call(Stage.EMBED, "embedder", Usage(input_tokens=7), 0.01, cost=Decimal(0))
READ = Call(Stage.READ_CHUNKS, "reader", Usage(input_tokens=100, output_tokens=3), 0.5, cost=Decimal("0.0001"))

WRITER = """
import sys
from pathlib import Path
from typing import Any
from selfroute.ledger import Ledger
from selfroute.types import Call, Question, Stage, Usage

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
ledger = Ledger(path)
for number in range(count):
    ledger.begin(f"{name}-{number}", Question("who?"), "self_route", "harbour")
    ledger.record(f"{name}-{number}", Call(Stage.EMBED, name, Usage(input_tokens=1), 0.0))
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    return Ledger(path)


def test_a_question_stands_in_the_file_as_soon_as_it_is_begun(ledger: Ledger, path: Path) -> None:
    ledger.begin("a", Question("who?"), "self_route", "harbour")
    [row] = in_file(path, "SELECT id, question, policy, corpus, outcome, error FROM questions")
    assert row == ("a", "who?", "self_route", "harbour", None, None)


def test_a_question_is_dated_in_utc(ledger: Ledger, path: Path) -> None:
    before = datetime.now(UTC)
    ledger.begin("a", Question("who?"), "self_route", "harbour")
    [(asked_at,)] = in_file(path, "SELECT asked_at FROM questions")
    asked = datetime.fromisoformat(asked_at)
    assert asked.utcoffset() == UTC.utcoffset(None)
    assert abs((asked - before).total_seconds()) < 60


def test_a_question_without_a_text_is_kept_without_one(ledger: Ledger, path: Path) -> None:
    ledger.begin("a", Question(None), "always_long", "harbour")
    assert in_file(path, "SELECT question FROM questions") == [(None,)]


def test_a_call_stands_in_the_file_as_soon_as_it_is_recorded(ledger: Ledger, path: Path) -> None:
    ledger.begin("a", Question("who?"), "self_route", "harbour")
    ledger.record("a", READ)
    assert in_file(path, "SELECT question, stage, model, cost FROM calls") == [("a", "read_chunks", "reader", "0.0001")]


@pytest.mark.end_to_end
def test_what_a_killed_process_had_recorded_stays(path: Path) -> None:
    child = writer(path, "child", 3)
    told(child)
    assert heard(child) == "done"  # and now it waits for a line that never comes
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert len(in_file(path, "SELECT id FROM questions")) == 3
    assert len(Ledger(path).calls("child-2")) == 1


def test_a_finished_question_has_its_outcome(ledger: Ledger, path: Path) -> None:
    ledger.begin("a", Question("who?"), "self_route", "harbour")
    ledger.finish(answer("a", long=120, saved=-5))
    [row] = in_file(
        path,
        "SELECT answer, outcome, route, coverage, long_context_tokens, saved_tokens, seconds, error FROM questions",
    )
    assert row == ("Olof Berg", "answered", "rag", 0.5, 120, -5, 1.5, None)


def test_a_failed_question_keeps_its_calls_and_says_why(ledger: Ledger, path: Path) -> None:
    ledger.begin("a", Question("who?"), "self_route", "harbour")
    ledger.record("a", EMBED)
    ledger.fail("a", "TimeoutError: too slow")
    assert in_file(path, "SELECT outcome, error FROM questions") == [(None, "TimeoutError: too slow")]
    assert ledger.calls("a") == [EMBED]


def test_finishing_or_failing_one_question_leaves_the_others_alone(ledger: Ledger, path: Path) -> None:
    for name in ("a", "b", "c"):
        ledger.begin(name, Question("who?"), "self_route", "harbour")
    ledger.finish(answer("a"))
    ledger.fail("b", "no")
    assert in_file(path, "SELECT id, outcome, error FROM questions ORDER BY id") == [
        ("a", "answered", None),
        ("b", None, "no"),
        ("c", None, None),
    ]


@pytest.mark.parametrize(
    "call",
    [
        Call(Stage.READ_DOCUMENTS, "m", Usage(5, 4, 3, 2, 1), 1.25, estimated=True, cost=Decimal("0.00000015")),
        Call(Stage.READ_CHUNKS, "m", Usage(), 0.0, cost=None, error="the server said no"),
        Call(Stage.EMBED, "m", Usage(), 0.0, cost=Decimal("12345678901234567890.123456789")),
        Call(Stage.EMBED, "m", Usage(), 0.0, cost=Decimal("0E-9")),
    ],
    ids=["estimated", "failed", "many digits", "free"],
)
def test_a_call_is_read_back_as_it_was_recorded(ledger: Ledger, call: Call) -> None:
    ledger.begin("a", Question("who?"), "self_route", "harbour")
    ledger.record("a", call)
    assert ledger.calls("a") == [call]


def test_calls_are_read_back_in_the_order_of_their_completion(ledger: Ledger) -> None:
    ledger.begin("a", Question("who?"), "self_route", "harbour")
    ledger.begin("b", Question("when?"), "self_route", "harbour")
    for question, call in (("a", READ), ("b", EMBED), ("a", EMBED), ("a", READ)):
        ledger.record(question, call)
    assert ledger.calls("a") == [READ, EMBED, READ]


def test_a_question_that_was_never_asked_has_no_calls(ledger: Ledger) -> None:
    assert ledger.calls("nobody") == []


@pytest.mark.parametrize("by", By)
def test_an_empty_ledger_has_no_sums(ledger: Ledger, by: By) -> None:
    assert ledger.usage(by) == []


def test_usage_sums_what_was_read_and_keeps_embedding_apart(ledger: Ledger) -> None:
    asked(ledger, "a", [EMBED, READ], answer("a", long=150, saved=50))
    asked(ledger, "b", [EMBED, READ, READ], answer("b", long=150, saved=-50))
    [row] = ledger.usage(By.CORPUS)
    assert row == UsageRow(
        key="harbour",
        questions=2,
        calls=5,
        usage=Usage(input_tokens=300, output_tokens=9),
        embedding_tokens=14,
        cost=Decimal("0.0003"),
        long_context_tokens=300,
        saved_tokens=0,
        escalated=0,
    )


def test_usage_counts_what_went_from_chunks_to_documents_as_escalated(ledger: Ledger) -> None:
    whole = replace(READ, stage=Stage.READ_DOCUMENTS)
    asked(ledger, "escalated", [EMBED, READ, whole], replace(answer("escalated"), route=Route.LONG_CONTEXT))
    asked(ledger, "escalated for nothing", [EMBED, READ, whole], answer("escalated for nothing"))
    asked(ledger, "documents alone", [whole], replace(answer("documents alone"), route=Route.LONG_CONTEXT))
    asked(ledger, "chunks alone", [EMBED, READ], answer("chunks alone"))
    assert [(row.key, row.questions, row.escalated) for row in ledger.usage(By.ROUTE)] == [
        ("long_context", 2, 1),
        ("rag", 2, 1),
    ]
    assert [row.escalated for row in ledger.usage(By.MODEL)] == [None, None]


def test_usage_by_corpus_and_by_policy_keeps_each_apart_in_the_order_of_its_name(ledger: Ledger) -> None:
    asked(ledger, "a", [READ], answer("a"), policy="self_route", corpus="harbour")
    asked(ledger, "b", [READ, READ], answer("b"), policy="always_long", corpus="forest")
    assert [(row.key, row.calls) for row in ledger.usage(By.CORPUS)] == [("forest", 2), ("harbour", 1)]
    assert [(row.key, row.calls) for row in ledger.usage(By.POLICY)] == [("always_long", 2), ("self_route", 1)]


def test_usage_by_day_goes_by_the_day_of_the_question(ledger: Ledger, path: Path) -> None:
    for name in ("a", "b", "c"):
        asked(ledger, name, [READ], answer(name))
    in_file(path, "UPDATE questions SET asked_at = '2026-01-31T23:59:59.999+00:00' WHERE id IN ('a', 'b')")
    in_file(path, "UPDATE questions SET asked_at = '2026-02-01T00:00:00.000+00:00' WHERE id = 'c'")
    assert [(row.key, row.questions) for row in ledger.usage(By.DAY)] == [("2026-01-31", 2), ("2026-02-01", 1)]


def test_usage_by_route_counts_what_has_no_route_as_unfinished(ledger: Ledger) -> None:
    asked(ledger, "a", [READ], answer("a", route=Route.LONG_CONTEXT))
    asked(ledger, "b", [READ], answer("b"))
    asked(ledger, "cut off", [EMBED])
    asked(ledger, "failed", [EMBED])
    ledger.fail("failed", "no")
    rows = {row.key: row for row in ledger.usage(By.ROUTE)}
    assert {key: row.questions for key, row in rows.items()} == {"long_context": 1, "rag": 1, "unfinished": 2}
    assert (rows["unfinished"].calls, rows["unfinished"].embedding_tokens) == (2, 14)


def test_a_question_without_calls_is_counted_too(ledger: Ledger) -> None:
    asked(ledger, "a", [])
    [row] = ledger.usage(By.POLICY)
    assert (row.questions, row.calls, row.cost) == (1, 0, Decimal(0))


def test_usage_by_model_counts_a_question_once_for_each_model_that_it_called(ledger: Ledger) -> None:
    asked(ledger, "a", [EMBED, READ, READ], answer("a"))
    asked(ledger, "b", [EMBED], answer("b"))
    embedder, reader = ledger.usage(By.MODEL)
    assert (embedder.key, embedder.questions, embedder.calls, embedder.embedding_tokens) == ("embedder", 2, 2, 14)
    assert (reader.key, reader.questions, reader.calls, reader.usage.input_tokens) == ("reader", 1, 2, 200)


def test_by_model_there_is_no_sum_of_what_belongs_to_questions(ledger: Ledger) -> None:
    asked(ledger, "a", [READ], answer("a", long=150, saved=50))
    [row] = ledger.usage(By.MODEL)
    assert (row.long_context_tokens, row.saved_tokens) == (None, None)


@pytest.mark.parametrize("by", By)
def test_what_a_judge_took_is_never_summed_with_what_questions_cost(ledger: Ledger, by: By) -> None:
    """Not even where one model does both, and the bundled reader's judgement within a question stays the question's."""
    within = Call(Stage.JUDGE, "reader", Usage(input_tokens=40), 0.1, cost=Decimal("0.00004"))
    asked(ledger, "a", [READ, within], answer("a"))
    ledger.begin_judging("b", "who?", "/runs/mine")
    ledger.record("b", Call(Stage.JUDGE, "reader", Usage(input_tokens=1000), 0.1, cost=Decimal(1)))
    ledger.finish_judging("b", "0.5")
    question, judging = ledger.usage(by)
    assert (question.judging, question.questions, question.calls) == (False, 1, 2)
    assert (question.usage.input_tokens, question.cost) == (140 if by is By.MODEL else 100, Decimal("0.00014"))
    assert question.judging_tokens == 40
    assert (judging.judging, judging.questions, judging.calls) == (True, 1, 1)
    assert (judging.usage.input_tokens, judging.cost, judging.saved_tokens) == (1000, Decimal(1), None)
    keys = {By.CORPUS: "/runs/mine", By.POLICY: "judge", By.ROUTE: "judge", By.MODEL: "reader", By.DAY: question.key}
    keys[By.KEY] = "keyless"
    assert judging.key == keys[by]


@pytest.mark.parametrize("by", By)
def test_what_an_evaluation_read_is_never_summed_with_what_users_asked(ledger: Ledger, by: By) -> None:
    """Its questions have no savings, and are read both ways without having escalated."""
    asked(ledger, "a", [READ], answer("a", long=150, saved=50))
    ledger.begin("b", Question("who?"), "evaluation", "evaluation:1")
    for stage in (Stage.READ_CHUNKS, Stage.READ_DOCUMENTS):
        ledger.record("b", Call(stage, "reader", Usage(input_tokens=1000), 0.1, cost=Decimal(1)))
    ledger.finish_reading("b", "Olof", Route.LONG_CONTEXT)
    question, read = ledger.usage(by)
    assert (question.evaluation, question.questions, question.calls, question.escalated) == (
        False,
        1,
        1,
        None if by is By.MODEL else 0,
    )
    assert (question.usage.input_tokens, question.cost) == (100, Decimal("0.0001"))
    assert (read.evaluation, read.judging, read.questions, read.calls) == (True, False, 1, 2)
    assert (read.usage.input_tokens, read.cost) == (2000, Decimal(2))
    assert (read.long_context_tokens, read.saved_tokens, read.escalated) == (None, None, None)


def test_a_judgement_stands_in_the_file_from_its_beginning_to_its_verdict(ledger: Ledger, path: Path) -> None:
    ledger.begin_judging("a", None, "/runs/mine")
    told = "SELECT question, policy, corpus, run, answer, error FROM questions"
    assert in_file(path, told) == [(None, "judge", "/runs/mine", "/runs/mine", None, None)]
    ledger.finish_judging("a", "D")
    assert in_file(path, told) == [(None, "judge", "/runs/mine", "/runs/mine", "D", None)]


def test_usage_can_be_of_some_days_of_one_corpus_or_of_one_key(ledger: Ledger, path: Path) -> None:
    for id_, corpus, key in (("a", "harbour", None), ("b", "harbour", "mine"), ("c", "forest", "mine")):
        ledger.begin(id_, Question("who?"), "self_route", corpus, key)
        ledger.record(id_, READ)
    in_file(path, "UPDATE questions SET asked_at = '2026-01-30T23:59:59.999+00:00' WHERE id = 'a'")
    in_file(path, "UPDATE questions SET asked_at = '2026-01-31T00:00:00.000+00:00' WHERE id = 'b'")
    in_file(path, "UPDATE questions SET asked_at = '2026-02-01T00:00:00.000+00:00' WHERE id = 'c'")

    def found(by: By = By.DAY, **within: Any) -> dict[str, tuple[int, int]]:
        return {row.key: (row.questions, row.calls) for row in ledger.usage(by, **within)}

    assert found(first=date(2026, 1, 31)) == {"2026-01-31": (1, 1), "2026-02-01": (1, 1)}
    assert found(last=date(2026, 1, 31)) == {"2026-01-30": (1, 1), "2026-01-31": (1, 1)}
    assert found(first=date(2026, 1, 31), last=date(2026, 1, 31)) == {"2026-01-31": (1, 1)}
    assert found(By.CORPUS, corpus="harbour") == {"harbour": (2, 2)}
    assert found(By.CORPUS, key="mine") == {"forest": (1, 1), "harbour": (1, 1)}
    assert found(By.KEY) == {"mine": (2, 2), "keyless": (1, 1)}
    assert found(By.MODEL, key="mine", corpus="forest") == {"reader": (1, 1)}
    assert found(corpus="nope") == {}


def test_costs_are_summed_without_binary_rounding(ledger: Ledger) -> None:
    calls = [Call(Stage.EMBED, "m", Usage(), 0.0, cost=Decimal(cost)) for cost in ("0.1", "0.2", "0.00000015")]
    asked(ledger, "a", calls)
    assert ledger.usage(By.POLICY)[0].cost == Decimal("0.30000015")


def test_one_unknown_cost_makes_the_sum_of_its_group_unknown_and_no_other(ledger: Ledger) -> None:
    asked(ledger, "a", [READ, Call(Stage.READ_CHUNKS, "unpriced", Usage(1), 0.0)], corpus="harbour")
    asked(ledger, "b", [READ], corpus="forest")
    assert {row.key: row.cost for row in ledger.usage(By.CORPUS)} == {"forest": Decimal("0.0001"), "harbour": None}
    assert {row.key: row.cost for row in ledger.usage(By.MODEL)} == {"reader": Decimal("0.0002"), "unpriced": None}


def test_a_new_ledger_is_opened_again_with_what_it_holds(ledger: Ledger, path: Path) -> None:
    asked(ledger, "a", [READ], answer("a"))
    assert Ledger(path).usage(By.POLICY) == ledger.usage(By.POLICY)


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
def test_a_file_of_each_older_version_is_brought_up_to_date(path: Path, version: int) -> None:
    with sqlite3.connect(path) as older:
        for statement in [s for statements in MIGRATIONS[:version] for s in statements]:
            older.execute(statement)
        older.execute(f"PRAGMA user_version = {version}")
    asked(Ledger(path), "a", [READ], answer("a"))
    assert in_file(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]


def test_the_tables_that_the_code_knows_are_those_that_the_migrations_make(ledger: Ledger, path: Path) -> None:
    for table in metadata.sorted_tables:
        made = in_file(path, f"SELECT name, pk OR \"notnull\" FROM pragma_table_info('{table.name}')")
        assert made == [(column.name, int(not column.nullable)) for column in table.columns]


def test_a_file_of_a_newer_version_is_refused_and_left_alone(ledger: Ledger, path: Path) -> None:
    in_file(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(CorruptLedger, match="a newer selfroute wrote it"):
        Ledger(path)
    assert in_file(path, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]


@pytest.mark.parametrize("content", [b"this is no database at all, only text", b"\0" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(CorruptLedger, match="move it away") as refused:
        Ledger(path)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    in_file(path, "CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(CorruptLedger, match="another program wrote it"):
        Ledger(path)
    assert path.read_bytes() == before


def test_another_programs_database_of_the_same_version_is_refused_before_a_question_is_asked(path: Path) -> None:
    in_file(path, "CREATE TABLE bookmarks (url TEXT)")
    in_file(path, f"PRAGMA user_version = {len(MIGRATIONS)}")
    with pytest.raises(CorruptLedger, match="no such table"):
        Ledger(path).begin("a", Question("who?"), "self_route", "harbour")


def test_an_empty_file_is_a_ledger_to_begin(path: Path) -> None:
    path.touch()
    asked(Ledger(path), "a", [READ])
    assert len(in_file(path, "SELECT id FROM calls")) == 1


@pytest.mark.parametrize("name", ["what?", "50%20", "a#b", "with space", "överblick"])
def test_the_ledger_is_written_where_it_was_asked_for_whatever_the_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "ledger.sqlite"
    asked(Ledger(path), "a", [READ])
    assert in_file(path, "SELECT id FROM questions") == [("a",)]


def test_threads_write_to_one_ledger_at_once(ledger: Ledger) -> None:
    def work(number: int) -> None:
        asked(ledger, f"q{number}", [EMBED, READ], answer(f"q{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    [row] = ledger.usage(By.ROUTE)
    assert (row.key, row.questions, row.calls) == ("rag", 40, 80)


@pytest.mark.end_to_end
def test_processes_begin_and_write_one_ledger_at_once(path: Path) -> None:
    children = [writer(path, name, 20) for name in ("one", "two")]
    for child in children:
        told(child)
    assert [heard(child) for child in children] == ["done", "done"]
    for child in children:
        child.communicate("\n")
        assert child.returncode == 0
    assert {row.key: row.calls for row in Ledger(path).usage(By.MODEL)} == {"one": 20, "two": 20}


@pytest.mark.end_to_end
def test_sums_are_of_one_moment_while_another_process_writes(ledger: Ledger, path: Path) -> None:
    child = writer(path, "child", 150)
    told(child)
    while not (rows := ledger.usage(By.MODEL)) or rows[0].calls < 150:
        assert all(row.questions == row.calls for row in rows)
        assert child.poll() is None
    child.communicate("\n")
    assert child.returncode == 0


def test_a_ledger_below_a_file_is_refused_and_the_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeNotWritable, match="set SELFROUTE_LEDGER to a file elsewhere"):
        Ledger(tmp_path / "file" / "ledger.sqlite")


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(HomeNotWritable, match="set SELFROUTE_LEDGER to a file elsewhere"):
        Ledger(tmp_path)


@pytest.mark.end_to_end
@pytest.mark.parametrize("there", [True, False], ids=["an old ledger", "no ledger yet"])
def test_a_read_only_folder_is_refused_and_the_setting_is_named(path: Path, there: bool) -> None:
    if there:
        asked(Ledger(path), "a", [READ])
        path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        refused = ran_without_power(
            "from selfroute.ledger import Ledger, Path; from selfroute.types import Question\n"
            f"Ledger(Path({str(path)!r})).begin('b', Question('who?'), 'self_route', 'harbour')"
        )
    finally:
        path.parent.chmod(0o700)
    assert refused.returncode == 1
    last = refused.stderr.splitlines()[-1]
    assert last.startswith(f"selfroute.errors.HomeNotWritable: cannot write to {path}")
    assert "set SELFROUTE_LEDGER to a file elsewhere" in last


def asked(
    ledger: Ledger,
    id_: str,
    calls: Sequence[Call],
    finished: Answer | None = None,
    policy: str = "self_route",
    corpus: str = "harbour",
) -> None:
    ledger.begin(id_, Question("who?"), policy, corpus)
    for call in calls:
        ledger.record(id_, call)
    if finished is not None:
        ledger.finish(finished)


def answer(id_: str, route: Route = Route.RAG, long: int = 0, saved: int = 0) -> Answer:
    return Answer(
        id=id_,
        question="who?",
        answer="Olof Berg",
        outcome=Outcome.ANSWERED,
        likely_absent=None,
        route=route,
        policy="self_route",
        path=(),
        corpus="harbour",
        confidence=None,
        coverage=0.5,
        citations=(),
        unsupported=False,
        cut_off=False,
        calls=(),
        totals=Totals(Usage(), 0, False, None, 1.5),
        long_context_tokens=long,
        long_context_cost=None,
        saved_tokens=saved,
        warnings=(),
        explain={},
    )


def in_file(path: Path, statement: str) -> list[tuple[object, ...]]:
    """What another connection to the file finds."""
    connection = sqlite3.connect(path)
    with connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A process that begins to write when it is told to, says so when it has, and then waits for a line."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert heard(child) == "ready"
    return child


def told(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def heard(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def ran_without_power(program: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that file permissions bind, even if the tests run as root."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, preexec_fn=_without_power())


def _without_power() -> Callable[[], None] | None:
    if os.geteuid() != 0:
        return None
    prctl = ctypes.CDLL(None).prctl
    if prctl(23, 8) != 1:  # PR_CAPBSET_READ, CAP_SETPCAP
        pytest.skip("permissions do not bind root here, and it cannot give that up")

    def give_up() -> None:
        for power in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            prctl(24, power, 0, 0, 0)  # PR_CAPBSET_DROP

    return give_up


def test_what_was_read_of_a_corpus_lately_is_told_newest_first(ledger: Ledger) -> None:
    long = Call(Stage.READ_DOCUMENTS, "reader", Usage(input_tokens=1000, cached_input_tokens=900), 0.5)
    for id_, corpus in (("a", "harbour"), ("b", "forest"), ("c", "harbour")):
        ledger.begin(id_, Question("who?"), "self_route", corpus)
    ledger.record("a", Call(Stage.READ_DOCUMENTS, "reader", Usage(input_tokens=999), 0.5))
    ledger.record("b", Call(Stage.READ_DOCUMENTS, "reader", Usage(input_tokens=5), 0.5))
    ledger.record("c", READ)
    ledger.record("c", Call(Stage.READ_DOCUMENTS, "reader", Usage(input_tokens=7), 0.5, error="cut off"))
    ledger.record("c", Call(Stage.READ_DOCUMENTS, "another", Usage(input_tokens=8), 0.5))
    ledger.record("c", long)
    assert ledger.read("harbour", "reader", 300) == [long.usage, Usage(input_tokens=999)]
    assert ledger.read("harbour", "reader", -1) == []


def test_what_is_written_at_once_is_all_there_and_what_cannot_be_fails_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.begin("taken", Question("who?"), "self_route", "harbour")
    names = [f"q{number}" if number % 5 else "taken" for number in range(100)]

    def begin(name: str) -> str | None:
        try:
            ledger.begin(name, Question("who?"), "self_route", "harbour")
        except CorruptLedger as error:
            return str(error)
        return None

    with ThreadPoolExecutor(16) as pool:
        failed = [name for name, error in zip(names, pool.map(begin, names), strict=True) if error]
    assert failed == ["taken"] * 20
    assert sum(row.questions for row in ledger.usage(By.DAY)) == 81


def test_what_rewriting_took_is_told_apart_from_reading_and_is_its_models_own(ledger: Ledger) -> None:
    took = Usage(input_tokens=1000, output_tokens=50)
    ledger.begin("a", Question("who?"), "self_route", "harbour")
    ledger.record("a", Call(Stage.REWRITE, "small", took, 0.1))
    [by_day], [by_model] = ledger.usage(By.DAY, last=date.max), ledger.usage(By.MODEL)
    assert (by_day.usage, by_day.rewrite_tokens, by_day.judging_tokens) == (Usage(), 1050, 0)
    assert by_model.usage == took
