"""A report is written whole from any rows, stands alone, is the same for the same rows, and says what is missing."""

from __future__ import annotations

import csv
import io
import json
import lzma
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from boards import declined, escalated, failed, hit, row, three, unable, use
from PIL import Image

from selfroute.errors import BadInput, HomeNotWritable, UnreadableFile
from selfroute.evaluation.plan import asked_hash
from selfroute.evaluation.report import write_report
from selfroute.evaluation.report.page import Column, Table
from selfroute.evaluation.report.renderings import csv_of
from selfroute.evaluation.rows import Row, Rows, read_rows
from selfroute.evaluation.texts import Where, find_texts

pytestmark = pytest.mark.end_to_end

SCORES = [(100.0, 0.0, False), (0.0, 100.0, True), (40.0, 70.0, False), (0.0, 0.0, True), (55.0, 50.0, False)]


def run(folder: Path, *rows: Row, record: dict[str, object] | None = None) -> Path:
    """A run's folder that holds these rows."""
    folder.mkdir(parents=True)
    made = Rows(folder, {})
    for one in rows:
        made.append(one)
    made.close()
    if record is not None:
        (folder / "run.json").write_text(json.dumps(record))
    return folder


def full(**values: object) -> list[Row]:
    """Rows from which every section has something to show, but for k."""
    sure = [
        replace(r, confidence=0.7, stages=(use(),), hits=(hit(0, 9),), citations=()) for r in three(SCORES, **values)
    ]
    absent = [replace(r, id=f"absent-{r.id}", answerable=False) for r in sure]
    return [*sure, *absent]


def reported(folder: Path) -> tuple[str, str]:
    """(HTML, Markdown)."""
    page = write_report([folder], folder)
    assert page == folder / "report.html"
    return page.read_text(), (folder / "report.md").read_text()


def test_a_report_is_a_page_its_markdown_tables_and_pictures(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", *full())
    html, markdown = reported(folder)
    for text in (html, markdown):
        titles = [
            *("Scores, tokens and cost", "Over k", "Quality over tokens", "Questions with and without an answer"),
            *("Declines and escalations", "Answers from chunks and from documents"),
            *("Tokens, cost, latency and failures", "The worst losses", "What a judge says"),
        ]
        assert all(title in text for title in titles)
    pictures = {path.stem for path in (folder / "report").glob("*.png")}
    assert pictures == {"scores", "plane", "absence", "declines", "reliability", "overlap", "latency"}
    tables = {path.stem for path in (folder / "report").glob("*.csv")}
    assert {"scores", "plane", "absence", "declines", "calibration", "reliability", "overlap", "stages"} <= tables
    assert set(re.findall(r"\]\(report/(\w+)\.png\)", markdown)) == pictures


def test_the_page_stands_alone_without_scripts_and_other_hosts(tmp_path: Path) -> None:
    rows = [replace(r, prediction='<img src="https://evil.example/x.png">') for r in full()]
    html, markdown = reported(run(tmp_path / "run", *rows))
    sources = re.findall(r"""(?:src|href|url|srcset|action)\s*[=(]\s*["']?([^"'\s>)]+)""", html)
    assert sources
    assert all(source.startswith(("data:image/png;base64,", "#s")) for source in sources if "&#34;" not in source)
    assert "<script" not in html
    assert "&lt;img" in html
    assert not re.search(r"(?<!\\)<img", markdown)
    assert html.count("<img ") == 7


def test_every_picture_is_one_with_something_drawn(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", *full(), *[replace(r, k=10) for r in full()])
    reported(folder)
    pictures = list((folder / "report").glob("*.png"))
    assert "k" in {path.stem for path in pictures}
    for path in pictures:
        with Image.open(path) as image:
            assert min(image.size) > 150
            assert sum(count > 0 for count in image.convert("L").histogram()) > 20, path.name


def test_equal_rows_give_equal_files(tmp_path: Path) -> None:
    made = []
    for name in ("one", "other"):
        reported(run(tmp_path / name, *full(), record={"suite": "made", "sources": []}))
        paths = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        made.append({path.relative_to(tmp_path / name): path.read_bytes() for path in paths})
    assert made[0] == made[1]


def test_figures_in_a_table_are_those_of_the_rows(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", *three(SCORES))
    _, markdown = reported(folder)
    with (folder / "report" / "scores.csv").open() as file:
        [rag, hybrid, long] = [line for line in csv.DictReader(file) if line["dataset"] == "made"]
    assert (rag["score"], hybrid["score"], long["score"]) == ("39", "59", "44")
    assert (rag["n"], hybrid["from chunks"], hybrid["tokens"], long["cost $"]) == ("5", "0.6", "0.5", "2.5")
    assert re.search(
        r"\| made \| self_route \| 59\.0 \| [\d.]+ to [\d.]+ \| 5 \| 0 \| 0 \| 60\.0% \| 50\.0% \|", markdown
    )


def test_a_table_of_an_earlier_report_that_is_no_longer_made_goes(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", *full())
    reported(folder)
    (folder / "report" / "notes.txt").write_text("mine")
    (folder / "rows.jsonl").unlink()
    rows = Rows(folder, {})
    rows.append(row("0"))
    rows.close()
    reported(folder)
    assert not (folder / "report" / "plane.png").exists()
    assert (folder / "report" / "notes.txt").read_text() == "mine"


def test_packed_rows_are_reported_as_they_are(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", *three(SCORES))
    rows = read_rows(folder)
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "rows.jsonl.xz").write_bytes(lzma.compress((folder / "rows.jsonl").read_bytes()))
    assert read_rows(packed) == rows
    assert "self_route" in reported(packed)[0]


def test_packed_rows_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", *three(SCORES))
    (folder / "rows.jsonl.xz").write_bytes(lzma.compress((folder / "rows.jsonl").read_bytes())[:-9])
    (folder / "rows.jsonl").unlink()
    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        write_report([folder], folder)


def test_a_folder_without_rows_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="name the folder of a run"):
        write_report([tmp_path], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", ["report", "report.md", "report.html"])
def test_a_report_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path, taken: str) -> None:
    """Its own remedy: nothing is half done that would be kept, as of a run."""
    out = tmp_path / "out"
    if taken == "report":
        out.write_text("a file, where a folder is wanted")
    else:
        (out / taken).mkdir(parents=True)
    with pytest.raises(HomeNotWritable, match=r"set --out of `selfroute report` to a folder with room$"):
        write_report([run(tmp_path / "made", *full())], out)


def test_rows_of_another_version_are_refused_with_their_line(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", row("0"))
    values = json.loads((folder / "rows.jsonl").read_text())
    del values["metric"]
    (folder / "rows.jsonl").write_text(json.dumps(values) + "\n")
    with pytest.raises(UnreadableFile, match="line 1 is not a row of this version"):
        write_report([folder], folder)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("confidence", float("nan"), "its 'confidence' is not a number"),
        ("confidence", 1.5, "its 'confidence' is 1.5"),
        ("usage", {}, "its 'usage' is {}"),
        ("usage", {"input_tokens": None}, "its 'usage' is {'input_tokens': None}"),
        ("usage", {"input_tokens": 10**400}, "its 'usage' is"),
        ("seconds", None, "its 'seconds' is None"),
        ("seconds", float("inf"), "its 'seconds' is inf"),
        ("dataset", None, "its 'dataset' is None"),
        ("cost", "Infinity", "its 'cost' is 'Infinity'"),
        ("cost", "NaN", "its 'cost' is 'NaN'"),
        ("cost", 0.5, "its 'cost' is 0.5"),
        ("score", float("nan"), "its 'score' is not a number"),
        ("score", 100.5, "its 'score' is 100.5"),
        ("cost", "1E+30", "its 'cost' is '1E+30'"),
        ("k", "5", "its 'k' is '5'"),
        ("k", 0, "its 'k' is 0"),
        ("answerable", "yes", "its 'answerable' is 'yes'"),
        ("outcome", "guessed", "its 'outcome' is 'guessed'"),
        ("route", 7, "its 'route' is 7"),
        ("path", "retrieve", "its 'path' is 'retrieve'"),
        ("doc_id", ["a"], "its 'doc_id' is ['a']"),
        ("hits", [{"document": "doc-0"}], "its 'hits' is"),
        ("hits", "none", "its 'hits' is 'none'"),
        ("stages", [{"stage": "guess"}], "its 'stages' is"),
    ],
)
def test_an_odd_value_of_a_row_is_told_with_file_and_line(tmp_path: Path, name: str, value: object, told: str) -> None:
    folder = run(tmp_path / "run", *full())
    path = folder / "rows.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[2][name] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UnreadableFile, match="line 3 is not a row of this version") as refused:
        write_report([folder], folder)
    assert str(path) in str(refused.value)
    assert told in str(refused.value)


@pytest.mark.parametrize("line", ["[" * 100_000, "7", '"a"', "{", '{"id": "\xff"'])
def test_a_line_that_is_no_object_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    folder = run(tmp_path / "run", row("0"))
    with (folder / "rows.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UnreadableFile, match="line 2 is not"):
        write_report([folder], folder)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"made_with": "the best settings"}, "its 'made_with' is 'the best settings'"),
        ({"made_with": {"settings": []}}, r"of its 'made_with', its 'settings' is \[\]"),
        ({"made_with": {"settings": {"reader": "chat"}}}, "of its 'settings', its 'reader' is 'chat'"),
        ({"made_with": {"settings": {"reader": {"chunks": 7}}}}, "of its 'settings', its 'reader' is"),
        ({"made_with": {"mode": 7}}, "of its 'made_with', its 'mode' is 7"),
        ({"versions": ["1"]}, "its 'versions' is"),
        ({"suite": 7}, "its 'suite' is 7"),
        ({"sources": "a.jsonl"}, "its 'sources' is 'a.jsonl'"),
        ({"sources": [None]}, r"its 'sources' is \[None\]"),
        ({"malformed": 3}, "its 'malformed' is 3"),
        ({"replay": 1.5}, "its 'replay' is 1.5"),
    ],
)
def test_an_odd_value_of_the_record_is_told_with_its_file(tmp_path: Path, record: dict[str, object], told: str) -> None:
    folder = run(tmp_path / "run", *full(), record=record)
    with pytest.raises(UnreadableFile, match=told) as refused:
        write_report([folder], folder)
    assert "run.json" in str(refused.value)


def test_a_record_without_entries_is_one_of_another_version(tmp_path: Path) -> None:
    _, markdown = reported(run(tmp_path / "run", *full(), record={"made_with": None}))
    assert "selfroute of unknown version, reader unknown" in markdown


def test_where_every_question_failed_nothing_is_said_to_lack_rows(tmp_path: Path) -> None:
    policies = ("always_rag", "self_route", "always_long")
    _, markdown = reported(run(tmp_path / "run", *(failed(id_, policy) for id_ in "01" for policy in policies)))
    assert "6 rows failed" in markdown
    assert "at the same k, of questions that they read and did not fail at" in markdown
    assert "cannot be told without questions that self_route read and did not fail at" in markdown
    assert markdown.count("This needs rows of both always_rag and always_long") == 3
    assert "left out" not in markdown


def test_what_the_k_do_not_share_is_left_out_of_the_curve_and_counted(tmp_path: Path) -> None:
    rows = [*three(SCORES), *[replace(r, k=10) for r in three(SCORES[:2])]]
    folder = run(tmp_path / "run", *rows)
    _, markdown = reported(folder)
    assert (
        "Over the 2 questions that were scored at every k by all policies asked there; 3 that were not are left out."
    ) in markdown
    assert re.search(r"\| 10 \| self_route \| 100\.0 \| [^|]+ \| 2 \|", markdown)
    assert (folder / "report" / "k.png").exists()


def test_a_policy_that_scored_few_at_a_k_is_said_to_be_left_out_there(tmp_path: Path) -> None:
    every = three(SCORES)
    later = [replace(r, k=10) for r in every if r.policy != "self_route" or r.id == "0"]
    _, markdown = reported(run(tmp_path / "run", *every, *later))
    assert "; self_route at k = 10 scored only 1 of those asked at every k and is left out." in markdown


def test_k_that_share_no_questions_are_said_to_and_have_no_picture(tmp_path: Path) -> None:
    rows = [*three(SCORES), *[replace(r, k=10, dataset="other") for r in three(SCORES)]]
    folder = run(tmp_path / "run", *rows)
    _, markdown = reported(folder)
    assert "No question was scored at every k (5, 10) by all policies that were asked there" in markdown
    assert "together. It" not in markdown
    assert not list((folder / "report").glob("k.*"))


def test_questions_that_a_constant_failed_at_are_left_out_of_what_compares_the_two_and_counted(tmp_path: Path) -> None:
    rows = [failed(r.id, r.policy) if (r.id, r.policy) == ("1", "always_long") else r for r in three(SCORES)]
    _, markdown = reported(run(tmp_path / "run", *rows))
    assert markdown.count("1 questions that always_rag or always_long failed at are left out") == 2
    assert "Of 4 questions" in markdown
    assert "Of 1 declines of the chunks" in markdown


def test_one_policy_says_what_is_missing_for_the_rest(tmp_path: Path) -> None:
    _, markdown = reported(run(tmp_path / "run", row("0"), row("1", score=50.0)))
    assert markdown.count("This needs rows of both always_rag and always_long at the same k") == 3
    assert "there is no curve: run with several" in markdown
    assert "A loss is against another policy: this needs rows of two." in markdown
    assert "All are answerable, so there is no curve over their share." in markdown
    assert "No answer tells its confidence, so there is no reliability diagram." in markdown
    assert "There is no run.json here: which settings and versions made these rows is not known." in markdown
    assert "2 rows do not say what each stage took" in markdown
    assert "No judge was asked." in markdown


def test_failed_and_na_rows_are_told_with_their_reasons(tmp_path: Path) -> None:
    rows = three(SCORES)
    rows += [failed("7", "always_rag"), row("7", "self_route"), row("7", "always_long")]
    rows += [unable("8", policy) for policy in ("always_rag", "self_route", "always_long")]
    _, markdown = reported(run(tmp_path / "run", *rows))
    assert "1 rows failed: they score 0 and stay in every average." in markdown
    assert "| always_rag | failed | 1 | EndpointTimeout: too slow |" in markdown
    assert "| always_rag | n/a | 1 | no such shape |" in markdown


def test_a_run_of_which_nothing_has_a_score_is_reported_all_the_same(tmp_path: Path) -> None:
    rows = [unable("0", policy) for policy in ("always_rag", "self_route", "always_long")]
    _, markdown = reported(run(tmp_path / "run", *rows))
    assert "| made | self_route | - | - | 0 | 0 | 1 | - | - | 0.5 |" in markdown
    assert "No question was scored by all policies." in markdown


def test_an_unfinished_run_is_said_to_be_one(tmp_path: Path) -> None:
    record = {"suite": "dev", "sources": [], "finished": None, "malformed": [{}, {}]}
    _, markdown = reported(run(tmp_path / "run", row("0"), record=record))
    assert "not finished: figures are of the rows so far; 2 malformed rows were left out" in markdown


def test_a_run_that_took_no_time_is_drawn_too(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", *[replace(r, seconds=0.0) for r in three(SCORES)])
    reported(folder)
    assert (folder / "report" / "latency.png").exists()


def test_simulated_runs_say_so_and_have_no_latency(tmp_path: Path) -> None:
    _, markdown = reported(run(tmp_path / "run", *three(SCORES, simulated=True)))
    assert "Recorded answers were replayed: tokens and costs are estimates, and there is no latency." in markdown
    assert "latency.png" not in markdown


def test_the_cost_of_what_was_not_asked_is_no_unknown_price(tmp_path: Path) -> None:
    rows = [row("0", dataset="one"), row("0", "always_long", dataset="one"), row("1", dataset="other", cost=None)]
    folder = run(tmp_path / "run", *rows)
    _, markdown = reported(folder)
    assert "| other | always_long | - | - | 0 | 0 | 0 | - | - | - |" in markdown
    assert re.search(r"\| other \| always_rag \| .* \| unknown \|", markdown)
    with (folder / "report" / "scores.csv").open() as file:
        assert {line["cost $"] for line in csv.DictReader(file) if line["dataset"] == "other"} == {""}


@pytest.mark.parametrize("routed", [True, False])
def test_the_gaps_of_single_datasets_are_a_table_where_something_routes(tmp_path: Path, routed: bool) -> None:
    rows = [replace(r, dataset=name) for name in ("one", "other") for r in three(SCORES)]
    folder = run(tmp_path / "run", *[r for r in rows if routed or r.policy != "self_route"])
    _, markdown = reported(folder)
    assert (folder / "report" / "gaps.csv").exists() == routed
    assert ("| dataset | policy | n | better constant |" in markdown) == routed


def test_a_gap_whose_interval_holds_zero_is_said_to(tmp_path: Path) -> None:
    scores = [(100.0, 0.0, False), (0.0, 100.0, True), (0.0, 100.0, False), (0.0, 0.0, True), (100.0, 0.0, True)]
    _, markdown = reported(run(tmp_path / "run", *three(scores * 4)))
    assert re.search(r"self_route closes -?\d+% of the gap \(-\d+% to \d+%\)\. The interval includes zero", markdown)


def test_several_runs_make_one_report_and_the_same_question_twice_is_refused(tmp_path: Path) -> None:
    one, other = run(tmp_path / "one", row("0")), run(tmp_path / "other", row("0", "always_long"))
    write_report([one, other], tmp_path / "both")
    assert "1 questions of 1 datasets by always_rag, always_long" in (tmp_path / "both" / "report.md").read_text()
    with pytest.raises(BadInput, match="both asked '0' of made by always_rag"):
        write_report([one, run(tmp_path / "third", row("0"))], tmp_path / "all")


def test_names_and_answers_are_neither_markup_nor_formulas_nor_control_characters(tmp_path: Path) -> None:
    rows = [replace(r, dataset="$x_{1$|a\x1b[31m", prediction="**bold** | \x1b[0m\x00") for r in three(SCORES)]
    folder = run(tmp_path / "run", *rows)
    html, markdown = reported(folder)
    assert "\x1b" not in html + markdown
    assert r"\|" in markdown
    assert "**bold**" not in markdown
    table = Table("t", (Column("a"), Column("b", "score")), (("=1+1", -0.5),))
    assert csv_of(table) == "a,b\n'=1+1,-0.5\n"


def test_a_pair_is_two_columns_of_a_csv_file() -> None:
    table = Table("t", (Column("95 %", "interval"),), (((1.5, None),),))
    assert list(csv.reader(io.StringIO(csv_of(table)))) == [["95 % low", "95 % high"], ["1.5", ""]]


def dataset(folder: Path) -> Path:
    path = folder / "made.jsonl"
    record = {
        "_id": "0",
        "input": "Who painted it?",
        "answers": ["Siri Dahl"],
        "context": "It was painted by Siri Dahl.",
    }
    path.write_text(json.dumps(record) + "\n")
    return path


def lost(asked: str) -> list[Row]:
    rows = [row("0", "always_rag", 0.0, hits=(hit(0, 10),)), escalated("0", 0.0), row("0", "always_long")]
    return [replace(r, asked=asked, dataset="made") for r in rows]


def hash_of(path: Path) -> str:
    from selfroute.evaluation.datasets import Sample, open_samples
    from selfroute.evaluation.texts import _sha256

    [sample] = open_samples(path)
    assert isinstance(sample, Sample)
    return asked_hash(replace(sample, context=_sha256(sample.context)))


def test_the_worst_losses_have_the_texts_of_the_dataset(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    record = {"suite": "made", "sources": [str(path)]}
    html, markdown = reported(run(tmp_path / "run", *lost(hash_of(path)), record=record))
    assert "Who painted it?" in markdown
    assert "reference: Siri Dahl" in markdown
    assert "<mark>Siri Dahl</mark>" in html
    assert "It was pai</blockquote>" in html.replace("\n", "")


def test_a_report_without_texts_holds_no_words_of_a_dataset_or_an_answer(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    folder = run(tmp_path / "run", *lost(hash_of(path)), record={"suite": "made", "sources": [str(path)]})
    page = write_report([folder], folder, texts=False).read_text()
    told = (folder / "report.md").read_text()
    for words in ("Who painted it?", "Siri Dahl", "It was", "answer 100"):
        assert words not in page + told
    assert "lost 100: the document was read, and the span was not taken" in told
    assert "- missed: characters 18 to 27" in told
    assert "- chunks, best first: 0 to 10" in told
    assert "- always_rag, 0: answered" in told


def test_a_question_that_was_changed_since_is_not_shown_beside_its_answers(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    record = {"suite": "made", "sources": [str(path)]}
    _, markdown = reported(run(tmp_path / "run", *lost("another"), record=record))
    assert "Who painted it?" not in markdown
    assert "Not at hand: 1 questions are asked otherwise in their dataset now" in markdown


def test_a_dataset_that_is_gone_is_told_and_no_failure(tmp_path: Path) -> None:
    record = {"suite": "made", "sources": ["gone/made.jsonl"]}
    _, markdown = reported(run(tmp_path / "run", *lost("any"), record=record))
    assert "Not at hand: gone/made.jsonl: there is no such file" in markdown


def test_texts_of_recorded_answers_are_found_under_every_model(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    wanted = {("gpt", "made/0"): ""}
    found = find_texts({"sources": [str(path)], "replay": "said.jsonl"}, wanted, Where())
    assert found.problems == ("1 questions are asked otherwise in their dataset now, or were asked with other prompts",)


@pytest.mark.slow
def test_a_report_over_ten_thousand_rows_takes_seconds(tmp_path: Path) -> None:
    rows = [
        replace(r, id=f"{n}-{r.id}", doc_id=f"doc-{n}", dataset=f"set-{n % 9}")
        for n in range(3334 // len(SCORES))
        for r in three(SCORES)
    ]
    folder = run(tmp_path / "run", *rows)
    began = time.perf_counter()
    reported(folder)
    assert time.perf_counter() - began < 30


def test_declines_are_shown_as_such(tmp_path: Path) -> None:
    rows = [declined("0", "always_rag", 0.0), declined("0", "self_route", 0.0), row("0", "always_long")]
    _, markdown = reported(run(tmp_path / "run", *rows))
    assert "- always_rag, 0: declined" in markdown
