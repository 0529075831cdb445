"""A run is judged once: equal answers together, declines not at all, failures again, and what was spent is kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from boards import declined, failed, row

from selfroute.errors import CorruptLedger, EndpointTimeout, KeyRejected, RunBusy, SelfrouteError, UnreadableFile
from selfroute.evaluation.datasets import Sample, open_samples
from selfroute.evaluation.grades import failed_by_chunks, gradable, read_grades
from selfroute.evaluation.judge import Asked, Verdict
from selfroute.evaluation.judging import Judged, judge_run
from selfroute.evaluation.plan import asked_hash
from selfroute.evaluation.rows import Row, Rows
from selfroute.evaluation.texts import Where
from selfroute.index.files import only_writer
from selfroute.ledger import By, Ledger
from selfroute.prices import Price, Prices
from selfroute.types import Call, Record, Stage, Usage

PRICES = Prices({"judge": Price(Decimal(1), Decimal(2))})
SHA = "0" * 64


@dataclass
class ScriptedJudge:
    """Grades an answer by its number of words that are in the reference; fails for those of `fails`."""

    name: str = "judge words"
    fails: dict[str, SelfrouteError] = field(default_factory=dict)
    asked: list[tuple[str, Asked]] = field(default_factory=list)

    async def grade(self, asked: Asked, record: Record) -> Verdict:
        await self._called("grade", asked, record)
        words = asked.answer.split()
        return Verdict(sum(word in asked.references[0].split() for word in words) / len(words), "counted")

    async def why(self, asked: Asked, record: Record) -> Verdict:
        await self._called("why", asked, record)
        return Verdict("D", "the whole of it")

    async def _called(self, kind: str, asked: Asked, record: Record) -> None:
        self.asked.append((kind, asked))
        error = self.fails.get(asked.answer)
        told = None if error is None else str(error)
        await record(Call(Stage.JUDGE, "judge", Usage(100, output_tokens=10), 0.1, error=told))
        if error is not None:
            raise error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run about two questions: the first answered in two ways, the second declined and then made up."""
    source = tmp_path / "made.jsonl"
    records = [
        {"_id": "0", "input": "Who?", "answers": ["Siri Dahl"], "context": "Siri Dahl did."},
        {"_id": "1", "input": "How tall?", "answers": ["unanswerable"], "context": "Siri Dahl did."},
    ]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    samples = [sample for sample in open_samples(source) if isinstance(sample, Sample)]
    from selfroute.evaluation.texts import _sha256

    asked = {s.id: asked_hash(replace(s, context=_sha256(s.context))) for s in samples}
    rows = [
        row("0", "always_rag", 50.0, prediction="Siri Berg", asked=asked["0"]),
        row("0", "self_route", 50.0, prediction="Siri Berg", asked=asked["0"]),
        row("0", "always_long", 100.0, prediction="Siri Dahl", asked=asked["0"]),
        declined("1", "always_rag", 100.0, answerable=False, asked=asked["1"]),
        row("1", "always_long", 0.0, prediction="tall", answerable=False, asked=asked["1"]),
    ]
    return run_of(tmp_path / "run", rows, source)


def run_of(folder: Path, rows: Sequence[Row], source: Path) -> Path:
    folder.mkdir()
    made = Rows(folder, {})
    for one in rows:
        made.append(one)
    made.close()
    (folder / "run.json").write_text(json.dumps({"sources": [str(source)]}))
    return folder


def judge(folder: Path, judge: ScriptedJudge) -> Judged:
    return judge_run(folder, judge, PRICES, ledger_of(folder), Where(), concurrency=2)


def ledger_of(folder: Path) -> Ledger:
    return Ledger(folder.parent / "ledger.sqlite")


def test_equal_answers_are_judged_once_and_declines_not_at_all(folder: Path) -> None:
    scripted = ScriptedJudge()
    assert judge(folder, scripted) == Judged(3, failed=0, known=0, unseen=0, problems=(), k=5, others=0)
    assert sorted((kind, asked.answer) for kind, asked in scripted.asked) == [
        ("grade", "Siri Berg"),
        ("grade", "Siri Dahl"),
        ("grade", "tall"),
    ]
    assert {asked.answer: asked.answerable for _, asked in scripted.asked}["tall"] is False


def test_a_grade_is_kept_with_f1_recall_reason_and_priced_calls(folder: Path) -> None:
    judge(folder, ScriptedJudge())
    [made] = [grade for grade in read_grades(folder) if grade.value == 0.5]
    assert (made.f1, made.recall, made.reason, made.error) == (0.5, 0.5, "counted", None)
    [call] = made.calls
    assert (call.stage, call.usage.input_tokens, call.cost) == (Stage.JUDGE, 100, Decimal("0.00012"))


def test_nothing_is_judged_twice_but_by_another_judge(folder: Path) -> None:
    judge(folder, ScriptedJudge())
    again = ScriptedJudge()
    assert judge(folder, again) == Judged(0, failed=0, known=3, unseen=0, problems=(), k=5, others=0)
    assert again.asked == []
    assert judge(folder, ScriptedJudge(name="judge other-words")).made == 3


def test_a_failure_is_recorded_with_its_calls_gives_no_grade_and_is_tried_again(folder: Path) -> None:
    error = EndpointTimeout("endpoint 'judge'", "no reply")
    assert judge(folder, ScriptedJudge(fails={"tall": error})).failed == 1
    [kept] = [grade for grade in read_grades(folder) if grade.error is not None]
    assert kept.value is None
    assert kept.error == f"EndpointTimeout: {error}"
    assert [call.error for call in kept.calls] == [str(error)]
    again = ScriptedJudge()
    assert judge(folder, again) == Judged(1, failed=0, known=2, unseen=0, problems=(), k=5, others=0)


def test_what_every_request_would_meet_ends_the_judging_and_keeps_what_was_done(folder: Path) -> None:
    refused = KeyRejected("endpoint 'judge'", "it is refused")
    with pytest.raises(KeyRejected):
        judge_run(folder, ScriptedJudge(fails={"tall": refused}), PRICES, ledger_of(folder), Where(), concurrency=1)
    kept = read_grades(folder)
    assert [grade.value for grade in kept] == [0.5, 1.0, None]
    [spent] = ledger_of(folder).usage(By.ROUTE)
    assert (spent.questions, spent.calls) == (3, 3)


def test_every_call_of_a_judge_is_in_the_ledger_under_its_run_with_what_it_took(folder: Path) -> None:
    error = EndpointTimeout("endpoint 'judge'", "no reply")
    judge(folder, ScriptedJudge(fails={"tall": error}))
    [spent] = ledger_of(folder).usage(By.CORPUS)
    assert (spent.key, spent.judging, spent.questions, spent.calls) == (str(folder.resolve()), True, 3, 3)
    assert (spent.usage, spent.cost) == (Usage(300, output_tokens=30), Decimal("0.00036"))
    with sqlite3.connect(folder.parent / "ledger.sqlite") as kept:
        asked = kept.execute("SELECT question, answer, error FROM questions ORDER BY question, answer").fetchall()
        calls = kept.execute("SELECT stage, error FROM calls ORDER BY error").fetchall()
    assert asked == [("How tall?", None, f"EndpointTimeout: {error}"), ("Who?", "0.5", None), ("Who?", "1.0", None)]
    assert calls == [("judge", None), ("judge", None), ("judge", str(error))]


def test_what_a_judge_took_that_broke_halfway_stays_in_the_ledger(folder: Path) -> None:
    """Its calls are written down; then it breaks, by no error of ours, before it says anything."""

    class Broken(ScriptedJudge):
        async def grade(self, asked: Asked, record: Record) -> Verdict:
            await self._called("grade", asked, record)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        judge(folder, Broken())
    [spent] = ledger_of(folder).usage(By.POLICY)
    assert (spent.key, spent.judging) == ("judge", True)
    assert spent.calls == len([call for grade in read_grades(folder) for call in grade.calls]) > 0


def test_without_a_ledger_nothing_is_judged(folder: Path) -> None:
    ledger = ledger_of(folder)
    with sqlite3.connect(folder.parent / "ledger.sqlite") as kept:
        kept.execute("DROP TABLE questions")
    scripted = ScriptedJudge()
    with pytest.raises(CorruptLedger):
        judge_run(folder, scripted, PRICES, ledger, Where(), concurrency=1)
    assert scripted.asked == []


def test_of_several_k_the_answers_at_one_are_judged_and_which_is_told(folder: Path) -> None:
    rows = Rows(folder, {})
    [first] = [r for r in rows.done.values() if (r.id, r.policy) == ("0", "always_rag")]
    rows.append(replace(first, k=50, prediction="Siri Holm", score=0.0))
    rows.append(replace(first, prediction="Siri Berg", score=0.0))
    rows.close()
    scripted = ScriptedJudge()
    made = judge(folder, scripted)
    assert (made.k, made.others) == (5, 1)
    assert sorted((kind, asked.answer) for kind, asked in scripted.asked) == [
        ("grade", "Siri Berg"),
        ("grade", "Siri Dahl"),
        ("grade", "tall"),
        ("why", "Siri Berg"),
    ]


def test_answers_whose_question_is_not_at_hand_are_passed_over_and_told(folder: Path) -> None:
    (folder / "run.json").write_text(json.dumps({"sources": ["gone.jsonl"]}))
    made = judge(folder, ScriptedJudge())
    assert (made.made, made.unseen) == (0, 3)
    assert made.problems == ("gone.jsonl: there is no such file",)


def test_a_run_that_is_being_written_is_not_judged(folder: Path) -> None:
    with only_writer(folder, RunBusy(folder)), pytest.raises(RunBusy):
        judge(folder, ScriptedJudge())


def test_grades_of_another_version_are_refused_with_their_line(folder: Path) -> None:
    (folder / "grades.jsonl").write_text('{"kind": "mark"}\n')
    with pytest.raises(UnreadableFile, match="line 1 is no grade of this version"):
        read_grades(folder)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"value": 7.0}, "its 'value' is 7.0"),
        ({"value": "A"}, "its 'value' is 'A'"),
        ({"value": float("nan")}, "its 'value' is not a number"),
        ({"value": True}, "its 'value' is True"),
        ({"kind": "why", "value": "F"}, "its 'value' is 'F'"),
        ({"kind": "why", "value": 0.5}, "its 'value' is 0.5"),
        ({"judge": ""}, "its 'judge' is ''"),
        ({"judge": None}, "its 'judge' is None"),
        ({"f1": float("inf")}, "its 'f1' is inf"),
        ({"calls": None}, "its 'calls' is None"),
        ({"calls": ["a"]}, "a call of it is 'a'"),
        ({"calls": [{"stage": "judge"}]}, "of a call of it, it has no 'model'"),
    ],
)
def test_an_odd_value_of_a_grade_is_told_with_file_and_line(folder: Path, odd: dict[str, object], told: str) -> None:
    judge(folder, ScriptedJudge())
    path = folder / "grades.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[1] |= odd
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UnreadableFile, match="line 2 is no grade of this version") as refused:
        read_grades(folder)
    assert str(path) in str(refused.value)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("cost", "Infinity"), ("cost", 0.5), ("seconds", None), ("usage", {"input_tokens": -1}), ("usage", [])],
)
def test_an_odd_value_of_a_judges_call_is_told(folder: Path, name: str, value: object) -> None:
    judge(folder, ScriptedJudge())
    path = folder / "grades.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["calls"][0][name] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UnreadableFile, match=f"line 1 .*of a call of it, its '{name}' is"):
        read_grades(folder)


def test_why_retrieval_failed_is_asked_where_the_document_was_right(tmp_path: Path) -> None:
    rows = [row("0", "always_rag", 0.0), row("0", "always_long"), row("1"), row("1", "always_long")]
    rows += [declined("2", "always_rag", 0.0), row("2", "always_long")]
    rows += [row("3", "always_rag", 0.0, answerable=False), row("3", "always_long", answerable=False)]
    assert [r.id for r in failed_by_chunks(rows)] == ["0", "2"]


@pytest.mark.parametrize(
    ("one", "is_so"),
    [
        (row(), True),
        (row(metric="rouge"), True),
        (row(metric="multiple_choice"), False),
        (row(metric="code_sim"), False),
        (declined("0", "always_rag", 0.0), False),
        (failed("0", "always_rag"), False),
    ],
)
def test_only_answers_in_words_are_judged(one: Row, is_so: bool) -> None:
    assert gradable(one) is is_so
