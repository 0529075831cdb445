"""The command line with models behind endpoints: the same answers, runs and accounts, what would be read, and no key
in anything that is shown or kept."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from commands import Command, Done, in_process, modules_after
from stub_openai import Asked, Plan, StubOpenAI

pytestmark = pytest.mark.end_to_end

KEY = "sk-secret-0123456789abcdef"
WHO = "Who is the harbour master?"
FAR = "Who paints the lighthouse?"
ABSENT = "How tall is Mount Everest?"
HARBOUR = (
    "The harbour master of Norrvik is Olof Berg, who has held the post since 1998.\n\n"
    + "The town lies between two hills. Boats of many kinds are moored along the quay.\n\n" * 30
    + "The tower in the west is painted by Siri Dahl every spring.\n"
)
KNOWN = {WHO: ("Olof Berg", "is Olof Berg"), FAR: ("Siri Dahl", "painted by Siri Dahl")}
CONFIG = """
embedder: {{kind: hashing}}
chunking: {{tokens: 60}}
retrieval: {{k: 1}}
reader: {{kind: chat, chunks: {chunks}, documents: large, window: 6000}}
endpoints:
  small: {{base_url: {url}, model: small, window: 8000, api_key_env: MY_KEY, max_output_tokens: 500}}
  large: {{base_url: {url}, model: large, window: 8000, api_key_env: MY_KEY, max_output_tokens: 500, retries: 0}}
prices:
  small: {{input: 1, output: 4, cached_input: 0.1}}
  large: {{input: 10, output: 40}}
  hashing-64: {{input: 0, output: 0}}
  selfroute/minilm-l6-reader-int8: {{input: 0, output: 0}}
"""


Run = Callable[..., Done]


def knowing(asked: Asked) -> Plan:
    """A model that knows what stands in the text it is shown."""
    question = asked.prompt.rsplit("Question: ", 1)[1]
    answer, quote = KNOWN.get(question, ("", "nowhere"))
    found = quote in asked.prompt
    reply = {"answerable": found, "answer": answer if found else "", "quotes": [quote] if found else []}
    return Plan(json.dumps(reply), cached=8)


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    with StubOpenAI(knowing) as running:
        running.keys = {KEY}
        yield running


@pytest.fixture
def folder(stub: StubOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("SELFROUTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MY_KEY", KEY)
    (tmp_path / "harbour.md").write_text(HARBOUR)
    (tmp_path / "mine.yaml").write_text(CONFIG.format(url=stub.url, chunks="small"))
    rows = [
        {"input": question, "context": HARBOUR, "answers": [answer], "_id": str(number)}
        for number, (question, answer) in enumerate([(WHO, "Olof Berg"), (FAR, "Siri Dahl"), (ABSENT, "unanswerable")])
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def main(*words: str, config: str = "mine.yaml") -> Done:
        return Done(*in_process(monkeypatch, capsys, *words, "--config", config))

    return main


def test_one_model_reads_chunks_and_another_reads_documents(run: Run, stub: StubOpenAI) -> None:
    near, far, absent = (run("ask", q, "--file", "harbour.md", "--json").json for q in (WHO, FAR, ABSENT))
    assert [(a["answer"], a["outcome"], a["route"]) for a in (near, far, absent)] == [
        ("Olof Berg", "answered", "rag"),
        ("Siri Dahl", "answered", "long_context"),
        (None, "not_in_document", "long_context"),
    ]
    assert [call["model"] for call in far["calls"]] == ["hashing-64", "hashing-64", "small", "large"]
    [citation] = far["citations"]
    assert HARBOUR[citation["start"] : citation["end"]] == citation["text"] == "painted by Siri Dahl"
    assert [answer["unsupported"] for answer in (near, far, absent)] == [False, False, False]
    assert [asked.body["model"] for asked in stub.asked] == ["small", "small", "large", "small", "large"]


def test_an_answer_says_what_counted_its_tokens(run: Run, stub: StubOpenAI) -> None:
    for counts, name in ((False, "tiktoken o200k_base, an approximation"), (True, "the server's own tokenizer")):
        stub.counts = counts
        explain = run("ask", WHO, "--file", "harbour.md", "--json").json["explain"]
        assert explain["counted_by"] == {"read_chunks": name, "read_documents": name}


def test_a_server_that_finds_a_prompt_too_long_is_asked_once_more_with_less_of_it(run: Run, stub: StubOpenAI) -> None:
    too_long = {"message": "This model's maximum context length is 900 tokens", "code": "context_length_exceeded"}
    stub.answer = lambda asked: Plan(status=400, error=too_long) if asked.number == 1 else knowing(asked)
    answer = run("ask", WHO, "--file", "harbour.md", "--policy", "always_long", "--json").json
    first, second = (len(asked.prompt) for asked in stub.asked)
    assert second < first
    assert answer["answer"] == "Olof Berg"
    assert answer["coverage"] < 1
    assert any("read once more, with less of it" in warning for warning in answer["warnings"])
    assert [call["error"] is None for call in answer["calls"]] == [True, True, False, True]


@pytest.mark.parametrize(
    ("strategy", "calls", "whole"),
    [("fill", 1, False), ("middle", 1, False), ("windows", 3, True), ("refuse", 0, False)],
)
def test_documents_over_the_window_are_read_by_the_strategy_that_is_set(
    run: Run, folder: Path, stub: StubOpenAI, strategy: str, calls: int, whole: bool
) -> None:
    (folder / "long.md").write_text(HARBOUR + "\n\n" + "Wind and tide were noted by the watch. " * 900)
    config = (folder / "mine.yaml").read_text().replace("window: 6000}", f"window: 4000, overflow: {strategy}}}")
    (folder / "long.yaml").write_text(config)
    answer = run("ask", WHO, "--file", "long.md", "--policy", "always_long", "--json", config="long.yaml").json
    assert len([call for call in answer["calls"] if call["stage"] == "read_documents"]) == calls
    assert (answer["coverage"] == 1) == whole
    assert any("exceeds the reader's window" in warning for warning in answer["warnings"])
    assert answer["outcome"] == ("insufficient" if strategy == "refuse" else "answered")


def test_the_account_of_an_answer_is_the_providers_with_its_price(run: Run, stub: StubOpenAI) -> None:
    answer = run("ask", FAR, "--file", "harbour.md", "--json").json
    for model, price in (("small", (1, 4, "0.1")), ("large", (10, 40, "10"))):
        [call] = [call for call in answer["calls"] if call["model"] == model]
        charged = stub.charged_by[model]
        assert call["usage"] == dict(charged)
        cached, plain = charged["cached_input_tokens"], charged["input_tokens"] - charged["cached_input_tokens"]
        cost = (plain * price[0] + charged["output_tokens"] * price[1] + cached * Decimal(price[2])) / 1_000_000
        assert Decimal(call["cost"]) == cost
    assert answer["totals"]["usage"]["input_tokens"] - answer["totals"]["embedding_tokens"] == sum(
        charged["input_tokens"] for charged in stub.charged_by.values()
    )


def test_an_endpoint_that_answers_a_question_returns_its_usage_and_a_decline_no_citation(run: Run) -> None:
    answer = run("ask", ABSENT, "--file", "harbour.md", "--json").json
    assert answer["citations"] == []
    assert answer["totals"]["usage"]["input_tokens"] > 0
    assert answer["totals"]["usage"]["output_tokens"] > 0


def test_the_bundled_reader_can_judge_the_chunks_in_front_of_a_paid_model(
    run: Run, folder: Path, stub: StubOpenAI
) -> None:
    (folder / "both.yaml").write_text(CONFIG.format(url=stub.url, chunks="extractive"))
    answer = run("ask", ABSENT, "--file", "harbour.md", "--json", config="both.yaml").json
    assert [call["model"] for call in answer["calls"]][2:] == ["selfroute/minilm-l6-reader-int8", "large"]
    assert [asked.body["model"] for asked in stub.asked] == ["large"]


def test_a_run_is_made_and_scored_as_with_the_bundled_reader(run: Run, folder: Path, stub: StubOpenAI) -> None:
    summary = run("eval", "mine.jsonl", "--json").json
    [by_policy] = summary.values()
    assert {policy: cell["score"] for policy, cell in by_policy.items()} == {
        "always_rag": pytest.approx(200 / 3),
        "self_route": 100.0,
        "always_long": 100.0,
    }
    assert len(stub.asked) == 6  # each question once from chunks and once from the document, for three policies
    rows = [json.loads(line) for line in (folder / "runs/mine/rows.jsonl").read_text().splitlines()]
    charged = sum(charged["input_tokens"] for charged in stub.charged_by.values())
    alone = sum(r["usage"]["input_tokens"] for r in rows if r["policy"] in ("always_rag", "always_long"))
    assert alone == charged
    record = json.loads((folder / "runs/mine/run.json").read_text())
    assert record["read"]["input_tokens"] == charged
    assert all(Decimal(row["cost"]) > 0 for row in rows)
    again = run("eval", "mine.jsonl", "--json").json
    assert again == summary
    assert len(stub.asked) == 6


def test_a_report_shows_what_each_stage_took_and_the_span_that_the_chunks_missed(
    run: Run, folder: Path, stub: StubOpenAI
) -> None:
    assert run("eval", "mine.jsonl", "--policies", "always_rag,always_long").code == 0
    made = folder / "runs/mine"
    told, page = (made / "report.md").read_text(), (made / "report.html").read_text()
    charged = stub.charged_by["small"]
    assert (
        f"| always_rag | read_chunks | 3 | 0 | {charged['input_tokens']} | {charged['cached_input_tokens']} |" in told
    )
    assert f"**{FAR}** (mine, 1), lost 100: no chunk held the span." in told
    assert "“painted by Siri Dahl”" in told
    assert "<mark>painted by Siri Dahl</mark>" in page
    assert "On 1 no chunk held what the document&#39;s answer cites, on 0 one did" in page


GRADES = {"Olof Berg": 1.0, "Siri Dahl": 0.5}


def judging(asked: Asked) -> Plan:
    """As `knowing`, and as a judge of its own answers; it cannot bear to judge Everest."""
    if asked.body["model"] != "judge":
        return knowing(asked)
    if "why the passages failed" in " ".join(asked.prompt.split()):
        return Plan(json.dumps({"reason": "it stands elsewhere", "letter": "D"}))
    answer = asked.prompt.split("answer ===\n")[1].split("\n")[0]
    return Plan(json.dumps({"reason": "by the reference", "grade": GRADES[answer]}))


@pytest.fixture
def judged(folder: Path, stub: StubOpenAI) -> StubOpenAI:
    """A third model judges."""
    stub.answer = judging
    told = CONFIG.format(url=stub.url, chunks="small").replace(
        "prices:\n",
        f"  judge: {{base_url: {stub.url}, model: judge, window: 8000, api_key_env: MY_KEY, retries: 0}}\n"
        "judge: judge\nprices:\n  judge: {input: 100, output: 200}\n",
    )
    (folder / "mine.yaml").write_text(told)
    return stub


def test_a_judge_grades_a_run_and_is_in_no_token_share(run: Run, folder: Path, judged: StubOpenAI) -> None:
    done = run("eval", "mine.jsonl", "--judge")
    assert (done.code, done.err) == (0, "")
    assert "judged: 3 now, 0 before" in done.out  # two answers, and why the chunks failed the far one
    asked = [one.body["model"] for one in judged.asked]
    assert asked.count("judge") == 3
    rows = [json.loads(line) for line in (folder / "runs/mine/rows.jsonl").read_text().splitlines()]
    charged = judged.charged_by
    alone = sum(r["usage"]["input_tokens"] for r in rows if r["policy"] in ("always_rag", "always_long"))
    assert alone == charged["small"]["input_tokens"] + charged["large"]["input_tokens"]
    told = (folder / "runs/mine/report.md").read_text()
    # Far is a wrong decline of always_rag; Everest is declined rightly by all.
    assert "| always_rag | 66.7 | - | 66.7 |" in told
    assert "| always_long | 83.3 | - | 100.0 |" in told
    assert f"{charged['judge']['input_tokens']:,} input tokens" in told
    assert "| D | it is implicit: the whole document must be understood | 1 | 100.0% |" in told
    cost = sum(
        Decimal(charged["judge"][side]) * price for side, price in (("input_tokens", 100), ("output_tokens", 200))
    )
    assert f"cost $ {(cost / 1_000_000).normalize():f}." in told
    # And in the ledger, apart from what questions cost: none was asked here but by the evaluation.
    [spent] = json.loads(run("usage", "--by", "corpus", "--json").out)
    assert (spent["judging"], spent["key"]) == (True, str((folder / "runs/mine").resolve()))
    assert (spent["questions"], spent["calls"]) == (3, 3)
    assert spent["usage"]["input_tokens"] == charged["judge"]["input_tokens"]
    assert Decimal(spent["cost"]) == cost / 1_000_000


def test_attempts_of_a_judge_that_failed_are_in_the_ledger_too(run: Run, folder: Path, judged: StubOpenAI) -> None:
    assert run("eval", "mine.jsonl").code == 0
    judged.answer = lambda asked: Plan(status=500)
    (folder / "mine.yaml").write_text((folder / "mine.yaml").read_text().replace("retries: 0", "retries: 1"))
    before = len(judged.asked)
    assert run("report", "runs/mine", "--judge").code == 1
    [spent] = json.loads(run("usage", "--by", "model", "--json").out)
    assert (spent["key"], spent["judging"]) == ("judge", True)
    assert (spent["questions"], spent["calls"]) == (3, len(judged.asked) - before)
    assert len(judged.asked) - before == 6  # each was tried twice


def test_nothing_is_judged_twice_and_a_finished_run_can_be_judged_later(
    run: Run, folder: Path, judged: StubOpenAI
) -> None:
    assert run("eval", "mine.jsonl").code == 0
    assert "No judge was asked." in (folder / "runs/mine/report.md").read_text()
    done = run("report", "runs/mine", "--judge")
    assert (done.code, done.err) == (0, "")
    before = len(judged.asked)
    again = run("report", "runs/mine", "--judge")
    assert "judged: 0 now, 3 before" in again.out
    assert len(judged.asked) == before
    assert "judge graded the answers in words" in (folder / "runs/mine/report.md").read_text()


def test_a_judge_that_fails_gives_no_grade_and_is_told(run: Run, folder: Path, judged: StubOpenAI) -> None:
    judged.answer = lambda asked: Plan("I like it.") if asked.body["model"] == "judge" else knowing(asked)
    done = run("eval", "mine.jsonl", "--judge")
    assert done.code == 1
    assert "3 could not be judged (grades.jsonl says why); run again to retry" in done.out
    told = (folder / "runs/mine/report.md").read_text()
    assert "2 answers have no grade, 2 of them because the judge failed." in told
    grades = [json.loads(line) for line in (folder / "runs/mine/grades.jsonl").read_text().splitlines()]
    assert [grade["value"] for grade in grades] == [None] * 3
    judged.answer = judging
    assert run("eval", "mine.jsonl", "--judge").code == 0
    assert "| always_long | 83.3 |" in (folder / "runs/mine/report.md").read_text()


def test_a_judge_whose_key_is_refused_ends_the_judging_in_one_line_and_no_key(
    run: Run, folder: Path, judged: StubOpenAI
) -> None:
    assert run("eval", "mine.jsonl").code == 0
    judged.keys = {"another"}
    done = run("report", "runs/mine", "--judge")
    assert done.code == 1
    assert "endpoint 'judge'" in done.err
    assert len(done.err.splitlines()) == 1
    assert KEY not in done.err + (folder / "runs/mine/grades.jsonl").read_text()


def test_a_judge_changes_nothing_that_rows_depend_on(run: Run, folder: Path, judged: StubOpenAI) -> None:
    run("eval", "mine.jsonl")
    (folder / "mine.yaml").write_text((folder / "mine.yaml").read_text().replace("judge: judge\n", ""))
    assert run("eval", "mine.jsonl").code == 0


def test_a_judge_that_is_no_endpoint_is_refused_by_name(run: Run, folder: Path, judged: StubOpenAI) -> None:
    (folder / "mine.yaml").write_text((folder / "mine.yaml").read_text().replace("judge: judge\n", "judge: nobody\n"))
    done = run("eval", "mine.jsonl", "--judge")
    assert done.code == 1
    assert "the judge is 'nobody', which is not under 'endpoints'; have: judge, large, small" in done.err


def test_a_run_in_other_words_does_not_go_on(run: Run, folder: Path) -> None:
    run("eval", "mine.jsonl")
    path = folder / "runs/mine/run.json"
    record = json.loads(path.read_text())
    record["made_with"]["prompts"] = "other words"
    path.write_text(json.dumps(record))
    done = run("eval", "mine.jsonl")
    assert done.code == 1
    assert "holds a run with other prompts" in done.err


def test_a_run_goes_on_with_more_patience_as_its_error_advises(run: Run, folder: Path, stub: StubOpenAI) -> None:
    told, config = stub.answer, folder / "mine.yaml"
    stub.answer = lambda asked: Plan(status=429)
    done = run("eval", "mine.jsonl", "--policies", "always_long")
    assert done.code == 1
    stub.answer = told
    config.write_text("deadline: 500\n" + config.read_text().replace("retries: 0", "retries: 2, timeout: 90"))
    assert run("eval", "mine.jsonl", "--policies", "always_long").code == 0
    rows = [json.loads(line) for line in (folder / "runs/mine/rows.jsonl").read_text().splitlines()]
    assert {row["id"] for row in rows if row["error"] is None} == {row["id"] for row in rows}


@pytest.mark.parametrize("status", [200, 500])
def test_a_failure_in_odd_characters_is_one_line_and_its_call_is_in_the_ledger(
    run: Run, folder: Path, stub: StubOpenAI, status: int
) -> None:
    body = json.dumps({"error": {"message": f"broken \ud83d\x00 {KEY}", "code": 500}}).encode()
    stub.answer = lambda asked: Plan(status=status, body=body)
    done = run("ask", WHO, "--file", "harbour.md", "--policy", "always_long")
    assert done.code == 1
    assert "broken \ufffd\ufffd [key]" in done.err
    assert "Traceback" not in done.err
    with sqlite3.connect(next(folder.rglob("ledger.sqlite"))) as ledger:
        told = "\n".join(ledger.iterdump())
    assert "broken \ufffd\ufffd [key]" in told


def test_a_question_that_an_endpoint_fails_is_a_row_with_its_error(run: Run, folder: Path, stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(status=400, error={"message": f"no {KEY}"})
    done = run("eval", "mine.jsonl", "--policies", "always_long")
    assert done.code == 1
    rows = [json.loads(line) for line in (folder / "runs/mine/rows.jsonl").read_text().splitlines()]
    assert all(row["error"].startswith("RequestRejected: endpoint 'large' (") for row in rows)
    assert KEY not in kept(folder)


def test_confidence_is_told_where_the_endpoint_tells_odds_and_null_elsewhere(
    run: Run, folder: Path, stub: StubOpenAI
) -> None:
    reply = json.dumps({"answerable": True, "answer": "Olof Berg", "quotes": []})
    odds = (('{"answerable": ', {}), ("true", {"true": math.log(0.9), "false": math.log(0.1)}), (", ...", {}))
    stub.answer = lambda asked: Plan(reply, odds=odds if asked.body.get("logprobs") else ())
    without = run("ask", WHO, "--file", "harbour.md", "--json").json
    (folder / "mine.yaml").write_text(
        (folder / "mine.yaml").read_text().replace("retries: 0", "retries: 1, logprobs: true")
    )
    told = run("ask", WHO, "--file", "harbour.md", "--policy", "always_long", "--json").json
    assert (without["confidence"], told["confidence"]) == (None, pytest.approx(0.9))


# Routing and refusals: what users of comparable systems complain about.


@pytest.mark.parametrize(
    "reply",
    [
        "Unanswerable.",
        '"unanswerable"',
        "```json\n" + json.dumps({"answerable": False, "answer": "", "quotes": []}) + "\n```",
        '{"answerable": false, "answer": "", "quo',
        "{'answerable': False, 'answer': ''}",
        "Das ist nicht zu finden:\n" + json.dumps({"answerable": False}),
        "Die Frage kann nicht beantwortet werden.",
        "无法回答。",
        "回答できません。",
    ],
)
def test_a_refusal_routes_whatever_its_punctuation_its_language_or_the_state_of_its_json(
    run: Run, stub: StubOpenAI, reply: str
) -> None:
    stub.answer = lambda asked: Plan(reply) if asked.body["model"] == "small" else knowing(asked)
    answer = run("ask", FAR, "--file", "harbour.md", "--json").json
    assert answer["path"] == ["retrieve", "read_chunks", "read_documents"]
    assert answer["answer"] == "Siri Dahl"


@pytest.mark.parametrize("reply", ['{"route": "long_context"}', '{"answerab', "{", ""])
def test_a_broken_reply_of_a_small_model_is_an_error_and_no_route(run: Run, stub: StubOpenAI, reply: str) -> None:
    stub.answer = lambda asked: Plan(reply)
    done = run("ask", FAR, "--file", "harbour.md")
    assert done.code == 1
    assert "model 'small'): the reply" in done.err
    assert "turn json_schema off for it" in done.err
    assert [asked.body["model"] for asked in stub.asked] == ["small"]


def test_a_refusal_returns_no_grounding(run: Run, stub: StubOpenAI) -> None:
    reply = {"answerable": False, "answer": "Olof Berg", "quotes": ["is Olof Berg"]}
    stub.answer = lambda asked: Plan(json.dumps(reply))
    answer = run("ask", ABSENT, "--file", "harbour.md", "--json").json
    assert (answer["outcome"], answer["answer"], answer["citations"]) == ("not_in_document", None, [])
    assert answer["unsupported"] is False


def test_a_right_refusal_has_credit_and_a_wrong_one_is_counted_apart(run: Run, stub: StubOpenAI) -> None:
    decline = Plan(json.dumps({"answerable": False, "answer": "", "quotes": []}))
    stub.answer = lambda asked: decline if FAR in asked.prompt else knowing(asked)
    [by_policy] = run("eval", "mine.jsonl", "--policies", "self_route", "--json").json.values()
    cell = by_policy["self_route"]
    assert (cell["unanswerable_score"], cell["answerable_score"]) == (100.0, 50.0)
    assert cell["declines"] == {
        "answered": 1,
        "right_answers": 1,
        "right_declines": 1,
        "wrong_declines": 1,
        "missed_declines": 0,
    }


def test_which_model_answered_is_in_the_account(run: Run) -> None:
    run("ask", FAR, "--file", "harbour.md")
    rows = run("usage", "--by", "model", "--json").json
    assert [row["key"] for row in rows] == ["hashing-64", "large", "small"]


# Conversations.


def test_a_question_with_earlier_turns_is_rewritten_read_and_shown(run: Run, folder: Path, stub: StubOpenAI) -> None:
    def answer(asked: Asked) -> Plan:
        return Plan(WHO) if "Last question: Who is he?" in asked.prompt else knowing(asked)

    stub.answer = answer
    (folder / "turns.json").write_text(json.dumps([{"question": "Is there a harbour master?", "answer": "yes"}]))
    words = ("ask", "Who is he?", "--file", "harbour.md", "--history", "turns.json")
    told = run(*words, "--json").json
    assert (told["question"], told["explain"]["rewritten"], told["answer"]) == ("Who is he?", WHO, "Olof Berg")
    assert [call["stage"] for call in told["calls"]] == ["embed", "rewrite", "embed", "read_chunks"]
    assert told["totals"]["rewrite_tokens"] == told["calls"][1]["usage"]["input_tokens"] > 0
    assert told["totals"]["usage"]["input_tokens"] - told["totals"]["embedding_tokens"] == stub.charged["input_tokens"]
    assert f"asked as {WHO}\n" in run(*words).out
    (folder / "off.yaml").write_text((folder / "mine.yaml").read_text() + "rewriter: null\n")
    off = run(*words, "--json", config="off.yaml").json
    assert (off["explain"]["rewritten"], len(off["warnings"])) == (None, 1)


def test_the_bundled_reader_takes_the_last_question_as_it_is_and_says_so(run: Run, folder: Path) -> None:
    (folder / "none.yaml").write_text("{}\n")
    (folder / "turns.json").write_text(json.dumps([{"question": "Is there a harbour master?", "answer": None}]))
    done = run("ask", WHO, "--file", "harbour.md", "--history", "turns.json", config="none.yaml")
    assert done.code == 0
    assert "warning  the question was used as it is, without the earlier turns: name an endpoint" in done.out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "turns.json: no such file or directory"),
        ("[{", "turns.json: is no JSON"),
        ("[" * 100_000, "turns.json: is no JSON"),
        ("{}", "turns.json: it must be a list of turns"),
        ('[{"question": "Who?"}]', 'turns.json: turn 1 has no answer: write it under "answer"'),
    ],
)
def test_a_history_that_cannot_be_used_is_told_in_one_line(
    run: Run, folder: Path, stub: StubOpenAI, content: str | None, said: str
) -> None:
    if content is not None:
        (folder / "turns.json").write_text(content)
    done = run("ask", WHO, "--file", "harbour.md", "--history", "turns.json")
    assert done.code == 1
    assert done.err.startswith(f"selfroute: {said}")
    assert len(done.err.splitlines()) == 1
    assert stub.asked == []


# What would be read.


def test_a_dry_run_says_what_would_be_read_and_cost_and_asks_nobody(run: Run, stub: StubOpenAI) -> None:
    done = run("ask", FAR, "--file", "harbour.md", "--dry-run")
    assert (done.code, done.err, stub.asked) == (0, "", [])
    assert "read_chunks" in done.out
    assert "read_documents (if the first declines)" in done.out
    assert "Nothing was asked; what a reader writes comes on top." in done.out


@pytest.mark.parametrize("policy", ["self_route", "always_rag", "always_long"])
def test_what_a_dry_run_says_is_what_is_read(run: Run, policy: str) -> None:
    words = ("ask", ABSENT, "--file", "harbour.md", "--policy", policy, "--json")
    forecast, answer = run(*words, "--dry-run").json, run(*words).json
    read = answer["totals"]["usage"]["input_tokens"] - answer["totals"]["embedding_tokens"]
    assert forecast["most_tokens"] == pytest.approx(read, rel=0.01)
    assert forecast["long_context_tokens"] == pytest.approx(answer["long_context_tokens"], rel=0.01)
    assert [move for move, _ in forecast["moves"]] == answer["path"][1:]
    prices = {"read_chunks": 1, "read_documents": 10}
    assert Decimal(forecast["most_cost"]) == sum(
        Decimal(estimate["tokens"] * prices[move]) / 1_000_000 for move, estimate in forecast["moves"]
    )


def test_a_dry_run_needs_no_key_and_leaves_no_ledger_and_no_home(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY")
    assert run("ask", WHO, "--file", "harbour.md", "--dry-run").code == 0
    assert run("ask", WHO, "--corpus", "none", "--dry-run").code == 1
    assert not (folder / "indexes").exists()
    assert run("index", "harbour.md", "--corpus", "port").code == 0
    before = sorted((folder / "indexes").rglob("*"))
    assert run("ask", WHO, "--corpus", "port", "--dry-run").code == 0
    assert sorted((folder / "indexes").rglob("*")) == before
    assert not (folder / "indexes/ledger.sqlite").exists()


def test_a_dry_run_works_with_the_bundled_reader_and_is_exact_there(run: Run, folder: Path) -> None:
    (folder / "none.yaml").write_text("retrieval: {k: 2}\n")
    words = ("ask", ABSENT, "--file", "harbour.md", "--json")
    forecast, answer = run(*words, "--dry-run", config="none.yaml").json, run(*words, config="none.yaml").json
    read = answer["totals"]["usage"]["input_tokens"] - answer["totals"]["embedding_tokens"]
    assert (forecast["most_tokens"], forecast["most_cost"]) == (read, "0")
    assert forecast["least_tokens"] == answer["calls"][2]["usage"]["input_tokens"]


def test_an_unknown_price_is_unknown_before_as_it_is_after(run: Run, folder: Path) -> None:
    config = (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").write_text(config.replace("  large: {input: 10, output: 40}\n", ""))
    forecast = run("ask", FAR, "--file", "harbour.md", "--dry-run", "--json").json
    answer = run("ask", FAR, "--file", "harbour.md", "--json").json
    assert (forecast["most_cost"], forecast["long_context_cost"]) == (None, None)
    assert forecast["least_cost"] is not None
    assert (answer["totals"]["cost"], answer["long_context_cost"]) == (None, None)


# Keys and errors.


@pytest.mark.parametrize("words", [("ask", WHO, "--file", "harbour.md"), ("eval", "mine.jsonl")])
def test_a_key_that_is_not_set_is_told_in_one_line_before_anything_is_done(
    run: Run, folder: Path, stub: StubOpenAI, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("MY_KEY")
    done = run(*words)
    assert done.code == 1
    assert done.err == "selfroute: endpoint 'small' needs a key: set the environment variable MY_KEY to it\n"
    assert stub.asked == []
    assert not (folder / "runs").exists()


def test_a_refused_key_is_told_in_one_line_that_does_not_show_it(
    run: Run, stub: StubOpenAI, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "sk-wrong-9876543210fedcba"
    monkeypatch.setenv("MY_KEY", other)
    done = run("ask", WHO, "--file", "harbour.md")
    assert done.code == 1
    assert done.err.startswith(f"selfroute: endpoint 'small' ({stub.url}, model 'small'): answered 401: ")
    assert len(done.err.splitlines()) == 1
    assert other not in done.out + done.err + kept(folder)


def test_the_key_is_in_nothing_that_is_shown_logged_or_kept(
    run: Run, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [
        run("ask", FAR, "--file", "harbour.md"),
        run("ask", FAR, "--file", "harbour.md", "--json"),
        run("ask", FAR, "--file", "harbour.md", "--dry-run", "--json"),
        run("eval", "mine.jsonl"),
        run("usage", "--json"),
    ]
    assert [done.code for done in shown] == [0] * 5
    assert KEY not in "".join(done.out + done.err for done in shown)
    assert KEY not in caplog.text
    assert (folder / "runs/mine/run.json").exists()
    assert (folder / "indexes/ledger.sqlite").exists()
    assert KEY not in kept(folder)


@pytest.mark.parametrize("key", ["hunter2hunter2", "some.other/form+of=key"])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_key_that_looks_like_none_is_in_nothing_although_the_server_repeats_it(
    run: Run,
    folder: Path,
    stub: StubOpenAI,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str,
    status: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", key)
    stub.keys = {key}
    error = {"message": f"not with {key}, nor {json.dumps(key)}", "code": 400}
    body = json.dumps({"error": error}).encode()
    stub.answer = lambda asked: Plan(status=status, error=error, body=body if status == 200 else None)
    config = (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").write_text(config.replace("tokens: 500}", "tokens: 500, retries: 0}"))
    shown = [
        run("ask", WHO, "--file", "harbour.md"),
        run("ask", WHO, "--file", "harbour.md", "--json"),
        run("ask", WHO, "--file", "harbour.md", "--policy", "always_long"),
        run("eval", "mine.jsonl"),
        run("usage", "--json"),
        run("doctor"),
    ]
    assert [done.code for done in shown] == [1, 1, 1, 1, 0, 1]
    said = "".join(done.out + done.err for done in shown)
    assert "not with [key], nor" in said
    assert {f"Bearer {key}"} == {asked.headers["authorization"] for asked in stub.asked}
    assert "not with [key]" in (folder / "runs/mine/rows.jsonl").read_text()
    for place in (said, caplog.text, kept(folder)):
        assert key not in place


SIGNALS = pytest.mark.parametrize(
    ("number", "ignored", "code"),
    [
        (signal.SIGINT, (), 130),
        (signal.SIGTERM, (), 143),
        (signal.SIGTERM, (signal.SIGINT,), 143),  # what a script starts in the background ignores interruptions
    ],
    ids=["interrupted", "terminated", "terminated in the background"],
)


@SIGNALS
def test_a_signal_ends_the_call_and_leaves_it_in_the_ledger(
    folder: Path,
    stub: StubOpenAI,
    wait_until: Callable[[Callable[[], bool]], None],
    number: signal.Signals,
    ignored: tuple[signal.Signals, ...],
    code: int,
) -> None:
    stub.answer = lambda asked: Plan(stalls=True)
    with Command("ask", WHO, "--file", "harbour.md", "--config", "mine.yaml", ignored=ignored) as child:
        wait_until(lambda: len(stub.stalled) == 1)
        child.send_signal(number)
        out, err = child.communicate()
        assert (child.returncode, out, err.strip()) == (code, "", "")
    wait_until(lambda: stub.gone == 1)
    connection = sqlite3.connect(folder / "indexes/ledger.sqlite")
    [call] = connection.execute("SELECT input_tokens, estimated, error FROM calls WHERE stage = 'read_chunks'")
    [question] = connection.execute("SELECT outcome, error FROM questions")
    connection.close()
    assert call == (stub.charged["input_tokens"], 1, "abandoned")
    assert question == (None, "CancelledError: ")


@SIGNALS
def test_a_signal_ends_a_run_with_its_calls_recorded_and_the_next_start_goes_on(
    run: Run,
    folder: Path,
    stub: StubOpenAI,
    wait_until: Callable[[Callable[[], bool]], None],
    number: signal.Signals,
    ignored: tuple[signal.Signals, ...],
    code: int,
) -> None:
    told = stub.answer
    stub.answer = lambda asked: told(asked) if asked.number == 1 else Plan(stalls=True)
    words = ("eval", "mine.jsonl", "--policies", "always_long", "--concurrency", "1")
    with Command(*words, "--config", "mine.yaml", ignored=ignored) as child:
        wait_until(lambda: len(stub.stalled) == 1)
        child.send_signal(number)
        out, err = child.communicate()
        assert (child.returncode, out) == (code, "")
    assert err == "selfroute: stopped; what is done is in runs/mine: run the same again to go on\n"
    kept = [json.loads(line) for line in (folder / "runs/mine/readings.jsonl").read_text().splitlines()]
    assert [[call["error"] for call in one["calls"]] for one in kept] == [[None], ["abandoned"]]
    stub.answer = told
    assert run(*words).code == 0
    read = json.loads((folder / "runs/mine/run.json").read_text())["read"]
    assert read["input_tokens"] == stub.charged["input_tokens"]
    assert len(stub.asked) == 4


def test_a_window_that_replies_fill_is_refused(run: Run, folder: Path) -> None:
    config = (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").write_text(config.replace("max_output_tokens: 500}", "max_output_tokens: 7900}"))
    done = run("ask", WHO, "--file", "harbour.md")
    assert "endpoint 'small' has a window of 8000 tokens" in done.err
    assert "lower its max_output_tokens or reasoning_tokens" in done.err


@pytest.mark.slow
def test_help_and_the_bundled_reader_load_no_client(folder: Path) -> None:
    assert "openai" not in modules_after("index", "harbour.md", "--corpus", "port")
    for words in (["--help"], ["ask", "--help"], ["ask", WHO, "--corpus", "port"]):
        loaded = modules_after(*words)
        assert not {"openai", "httpx", "httpx2", "tenacity", "tiktoken", "selfroute.prompts"} & loaded, words


@pytest.mark.slow
def test_a_chat_reader_loads_the_client_when_it_asks_and_not_when_it_does_not(folder: Path) -> None:
    words = ("ask", WHO, "--file", "harbour.md", "--config", "mine.yaml")
    assert "openai" in modules_after(*words)
    assert "openai" not in modules_after(*words, "--dry-run")


def kept(folder: Path) -> str:
    """All bytes of all files that were written, but for those that the test wrote."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    assert files
    return "".join(path.read_bytes().decode("latin-1") for path in files)
