"""A dataset is opened by path or by name and streamed; what is wrong with a row is reported with its place."""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from data import data, needs_data

from selfroute.errors import UnknownDataset, UnreadableFile
from selfroute.evaluation.datasets import Malformed, Sample, open_samples

RECORD: dict[str, Any] = {"_id": "1", "input": "Who?", "context": "Ann did it.", "answers": ["Ann"], "length": 3}
V2: dict[str, Any] = {
    "_id": "1",
    "question": "Which?",
    "context": "It is the last.",
    "length": "short",
    "choice_A": "w",
    "choice_B": "x",
    "choice_C": "y",
    "choice_D": "z",
    "answer": "D",
}
DEV = {
    "covidqa": (250, 43, 250),
    "lara_32k_financial_hallu": (59, 15, 0),
    "lara_32k_financial_location": (74, 15, 74),
    "lara_32k_financial_reasoning": (58, 15, 58),
    "lara_32k_paper_hallu": (27, 10, 0),
    "lara_32k_paper_location": (27, 10, 27),
    "lara_32k_paper_reasoning": (27, 10, 27),
    "qmsum": (150, 35, 150),
    "squad_long": (300, 6, 147),
    "timeqa": (250, 118, 207),
}


def test_a_file_is_a_stream_of_samples(tmp_path: Path) -> None:
    first, second = open_samples(lines(tmp_path / "made.jsonl", RECORD, RECORD | {"_id": "2", "input": ""}))
    assert isinstance(first, Sample)
    assert isinstance(second, Sample)
    assert (first.id, first.question.text, first.answers, first.dataset) == ("1", "Who?", ("Ann",), "made")
    assert (second.id, second.question.text, second.doc_id) == ("2", None, first.doc_id)


def test_malformed_rows_are_reported_with_file_and_line_and_do_not_stop_the_stream(tmp_path: Path) -> None:
    file = tmp_path / "made.jsonl"
    good = json.dumps(RECORD).encode()
    file.write_bytes(
        b"\xef\xbb\xbf" + good + b"\r\n\r\n"
        b"{\r"
        b"[]\n"
        b'"caf\xe9"\r\n'
        b'{"_id": "2", "input": "Who?", "context": "", "answers": ["Ann"]}\n'
        b'{"_id": "3", "input": "Who?", "context": "Ann.", "answers": []}\n'
        b'{"_id": "4", "input": "Who?", "context": "Ann."}\r' + good.replace(b'"1"', b'"5"')
    )
    first, *malformed, last = open_samples(file)
    assert isinstance(first, Sample)
    assert isinstance(last, Sample)
    assert (first.id, last.id) == ("1", "5")
    assert malformed == [
        Malformed(f"{file}:3", "is not JSON (expecting property name enclosed in double quotes after 2 characters)"),
        Malformed(f"{file}:4", "is not a JSON object"),
        Malformed(f"{file}:5", "holds bytes that are not UTF-8 (0xe9 after 4 characters)"),
        Malformed(f"{file}:6", "its context is empty"),
        Malformed(f"{file}:7", "has no answers"),
        Malformed(f"{file}:8", "has no answers"),
    ]


def test_an_id_that_comes_twice_is_malformed_the_second_time(tmp_path: Path) -> None:
    file = lines(tmp_path / "made.jsonl", RECORD, RECORD | {"_id": "2"}, RECORD | {"_id": 1, "input": "When?"})
    first, second, again = open_samples(file)
    assert isinstance(first, Sample)
    assert isinstance(second, Sample)
    assert again == Malformed(f"{file}:3", f"its id '1' was used at line 1 of {file}")


def test_a_malformed_row_does_not_use_up_its_id(tmp_path: Path) -> None:
    bad, good = open_samples(lines(tmp_path / "made.jsonl", RECORD | {"answers": []}, RECORD))
    assert isinstance(bad, Malformed)
    assert isinstance(good, Sample)


def test_one_id_in_two_datasets_is_two_questions(tmp_path: Path) -> None:
    records = [RECORD | {"dataset": "one"}, RECORD | {"dataset": "two"}]
    samples = list(open_samples(lines(tmp_path / "made.jsonl", *records)))
    assert [sample.dataset for sample in samples if isinstance(sample, Sample)] == ["one", "two"]


def test_one_doc_id_for_two_contexts_is_malformed(tmp_path: Path) -> None:
    shared = RECORD | {"doc_id": "report"}
    file = lines(
        tmp_path / "made.jsonl", shared, shared | {"_id": "2"}, shared | {"_id": "3", "context": "Bob did it."}
    )
    *good, bad = open_samples(file)
    assert all(isinstance(sample, Sample) for sample in good)
    assert bad == Malformed(f"{file}:3", f"its doc_id 'report' stands for another context at line 1 of {file}")


def test_a_json_array_is_placed_by_row_and_its_dataset_told_by_its_shape(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text(json.dumps([V2, V2 | {"_id": "2", "answer": "E"}], indent=2))
    good, bad = open_samples(file)
    assert isinstance(good, Sample)
    assert (good.dataset, good.answers, good.question.task.max_output_tokens) == ("longbench-v2", ("D",), 128)
    assert bad == Malformed(f"{file}[1]", "its answer 'E' is not one of A, B, C, D")


def test_a_parquet_file_is_placed_by_row(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    file = tmp_path / "passkey.parquet"
    rows = [{"id": 0, "input": "Key?", "context": "It is 71.", "answer": "71", "options": []}]
    table = pyarrow.Table.from_pylist([*rows, rows[0] | {"id": 1, "context": ""}])
    pytest.importorskip("pyarrow.parquet").write_table(table, file)
    good, bad = open_samples(file)
    assert isinstance(good, Sample)
    assert (good.id, good.answers, good.question.task.name) == ("0", ("71",), "passkey")
    assert bad == Malformed(f"{file}[1]", "its context is empty")


def test_a_whole_zip_is_all_its_datasets(tmp_path: Path) -> None:
    file = official_zip(tmp_path)
    rows = list(open_samples(file))
    samples = [row for row in rows if isinstance(row, Sample)]
    assert [(one.dataset, one.question.task.name, one.question.text) for one in samples] == [
        ("qasper", "qasper", "Who?"),
        ("qasper_e", "qasper", "Who?"),
        ("gov_report", "gov_report", None),
    ]
    assert [row for row in rows if isinstance(row, Malformed)] == [
        Malformed(f"{file}:data/qasper.jsonl:2", "has no question, and every record of 'qasper' asks one")
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.xz", ".json"])
def test_a_name_is_looked_for_in_the_folder(tmp_path: Path, suffix: str) -> None:
    content = json.dumps(RECORD).encode()
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(suffix[-3:], bytes)(content)
    (tmp_path / f"hotpotqa_e{suffix}").write_bytes(packed)
    [sample] = open_samples("hotpotqa_e", folder=tmp_path)
    assert isinstance(sample, Sample)
    assert (sample.dataset, sample.question.task.name) == ("hotpotqa_e", "hotpotqa")


def test_a_name_is_looked_for_in_the_zips_of_the_folder(tmp_path: Path) -> None:
    official_zip(tmp_path)
    [sample] = open_samples("qasper_e", folder=tmp_path)
    assert isinstance(sample, Sample)
    assert sample.dataset == "qasper_e"


def test_a_file_of_ones_own_has_its_name_in_the_folder_too(tmp_path: Path) -> None:
    lines(tmp_path / "minutes.jsonl", RECORD)
    [sample] = open_samples("minutes", folder=tmp_path)
    assert isinstance(sample, Sample)
    assert sample.dataset == "minutes"


def test_an_unknown_name_is_told_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(UnknownDataset, match="no dataset 'hotpot_qa'; did you mean hotpotqa"):
        open_samples("hotpot_qa")
    with pytest.raises(UnknownDataset, match="did you mean longbench-v2"):
        open_samples("LongBench_v2")
    lines(tmp_path / "minutes.jsonl", RECORD)
    with pytest.raises(UnknownDataset, match=r"did you mean minutes\?"):
        open_samples("minute", folder=tmp_path)
    with pytest.raises(UnknownDataset, match=r"no dataset 'zzz'; have: 2wikimqa, .* and \d+ more"):
        open_samples("zzz", folder=tmp_path)


def test_a_set_that_only_a_folder_can_hold_is_unknown_without_it() -> None:
    with pytest.raises(UnknownDataset, match="no dataset 'squad_long'"):
        open_samples("squad_long")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("none.jsonl", "none.jsonl: there is no such file"),
        ("./none", "none: there is no such file"),
        ("folder/", "is a folder"),
        (Path("qasper"), "qasper: there is no such file"),
        ("notes.txt", "notes.txt: files of this kind are not supported"),
    ],
)
def test_what_cannot_be_opened_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | Path, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(UnreadableFile, match=said):
        open_samples(source)


def test_a_folder_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="there is no such folder"):
        open_samples("qasper", folder=tmp_path / "none")


def test_the_samples_before_a_cut_come_before_its_error(tmp_path: Path) -> None:
    file = tmp_path / "made.jsonl.gz"
    content = "".join(json.dumps(RECORD | {"_id": n, "context": f"{n} " * 3000}) + "\n" for n in range(40))
    file.write_bytes(gzip.compress(content.encode())[:-100])
    rows = open_samples(file)
    assert isinstance(next(rows), Sample)
    with pytest.raises(UnreadableFile, match=r"is cut off after line \d+: fetch or copy it again"):
        list(rows)


def test_the_official_prompts_are_used_when_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "dataset2prompt.json").write_text(json.dumps({"qasper": "{context}\n{input}"}))
    (tmp_path / "dataset2maxlen.json").write_text(json.dumps({"qasper": 7}))
    lines(tmp_path / "qasper_e.jsonl", RECORD)
    [ours] = open_samples("qasper_e", folder=tmp_path)
    [theirs] = open_samples("qasper_e", folder=tmp_path, longbench=tmp_path)
    assert isinstance(ours, Sample)
    assert isinstance(theirs, Sample)
    assert (ours.question.task.prompt, ours.question.task.max_output_tokens) == (None, 128)
    assert (theirs.question.task.prompt, theirs.question.task.max_output_tokens) == ("{context}\n{input}", 7)


def test_a_checkout_without_the_tables_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="name a LongBench checkout"):
        open_samples(lines(tmp_path / "made.jsonl", RECORD), longbench=tmp_path)


@needs_data
@pytest.mark.parametrize("name", DEV)
def test_the_development_data_are_read_to_the_last_row(name: str) -> None:
    samples = [row for row in open_samples(name, folder=data("dev")) if isinstance(row, Sample)]
    answerable = sum(sample.answerable for sample in samples)
    assert (len(samples), len({sample.doc_id for sample in samples}), answerable) == DEV[name]
    assert all(sample.question.text and sample.dataset == sample.question.task.name == name for sample in samples)


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".json", ".zip", ".parquet"])
def test_a_file_takes_little_memory_whatever_its_size(tmp_path: Path, suffix: str) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not say how much memory a process has used")
    small, big = large(tmp_path, "small", suffix, 3), large(tmp_path, "big", suffix, 300)
    program = [sys.executable, "-c", PEAK, str(small), str(big)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    count, grown = map(int, done.stdout.split())
    assert count == 300
    assert grown < 32 << 10, f"{grown} KiB more for 60 MB of records"


PEAK = """
import sys
from selfroute.evaluation.datasets import Sample, open_samples

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

def count(path):
    return sum(isinstance(row, Sample) for row in open_samples(path))

count(sys.argv[1])  # what is imported on the way is not what is measured
before = peak()
print(count(sys.argv[2]), peak() - before)
"""


def large(folder: Path, name: str, suffix: str, count: int) -> Path:
    """A file of `count` records with contexts of 200 kB, no two alike."""
    rows = [RECORD | {"_id": str(n), "context": f"{n:06} a word\n" * (200_000 // 14)} for n in range(count)]
    file = folder / f"{name}{suffix}"
    raw = [json.dumps(row).encode() for row in rows]
    if suffix == ".jsonl":
        file.write_bytes(b"\n".join(raw))
    elif suffix == ".jsonl.gz":
        file.write_bytes(gzip.compress(b"\n".join(raw), 1))
    elif suffix == ".json":
        file.write_bytes(b"[" + b",".join(raw) + b"]")
    elif suffix == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("data/large.jsonl", b"\n".join(raw))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), file, row_group_size=20)
    return file


def lines(file: Path, *records: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def official_zip(folder: Path) -> Path:
    """A small one laid out as LongBench's own: the -E variants name the plain dataset in their records."""
    members = {
        "data/qasper.jsonl": [RECORD | {"dataset": "qasper"}, RECORD | {"_id": "2", "input": "", "dataset": "qasper"}],
        "data/qasper_e.jsonl": [RECORD | {"dataset": "qasper"}],
        "data/gov_report.jsonl": [RECORD | {"input": "", "dataset": "gov_report"}],
    }
    with zipfile.ZipFile(folder / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, records in members.items():
            archive.writestr(member, "".join(json.dumps(record) + "\n" for record in records))
    return folder / "data.zip"
