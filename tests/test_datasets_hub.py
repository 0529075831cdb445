"""A dataset is fetched by its name through Hugging Face `datasets`, here from files, a server and a hub of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from selfroute.errors import MissingExtra, UnreadableFile
from selfroute.evaluation.datasets import Malformed, Sample, open_samples
from selfroute.evaluation.datasets.hub import NAMES, Hub
from selfroute.evaluation.datasets.tasks import DATASETS

RECORD: dict[str, Any] = {"_id": "1", "input": "Who?", "context": "Ann did it.", "answers": ["Ann"], "length": 3}
V2: dict[str, Any] = {
    "_id": "2",
    "question": "Which?",
    "context": "It is the last.",
    "choice_A": "w",
    "choice_B": "x",
    "choice_C": "y",
    "choice_D": "z",
    "answer": "D",
}
CHOICE: dict[str, Any] = {"id": 3, "input": "Who?", "context": "Ann.", "answer": ["Ann"], "options": ["Bob", "Ann"]}


def test_what_is_fetched_by_name_are_the_three_benchmarks() -> None:
    assert len(NAMES) == 21 + 13 + 1 + 12
    assert set(NAMES) < set(DATASETS)


def test_each_benchmark_is_found_in_its_own_layout(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    hub = on_disk(tmp_path)
    assert ids("qasper_e", hub) == ["qasper_e 1"]
    assert ids("hotpotqa", hub) == ["hotpotqa 1"]
    assert ids("longbench-v2", hub) == ["longbench-v2 2"]
    assert ids("longbook_choice_eng", hub) == ["longbook_choice_eng 3"]


def test_a_malformed_row_is_reported_where_it_was_fetched_from(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    hub = on_disk(tmp_path)
    [row] = open_samples("trec", where=hub)
    assert row == Malformed(f"{hub.longbench}:data/trec.jsonl:1", "is not JSON (expecting value after 0 characters)")


def test_a_folder_goes_before_the_hub(tmp_path: Path) -> None:
    (tmp_path / "qasper.jsonl").write_text(json.dumps(RECORD | {"_id": "here"}))
    nowhere = Hub(*[str(tmp_path / "none")] * 3)
    [sample] = open_samples("qasper", folder=tmp_path, where=nowhere)
    assert isinstance(sample, Sample)
    assert sample.id == "here"


def test_a_url_is_fetched_once_and_kept(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with served({"/data.zip": longbench()}) as (url, asked):
        hub = Hub(longbench=f"{url}/data.zip", cache=tmp_path)
        assert ids("qasper_e", hub) == ids("qasper_e", hub) == ["qasper_e 1"]
        assert sum(method == "GET" for method, _ in asked) == 1


@pytest.mark.end_to_end
def test_the_hub_itself_is_asked_for_the_files_by_their_names_and_what_it_gave_is_kept(tmp_path: Path) -> None:
    """In children, since `datasets` reads where the Hub is when it is imported; the second finds no hub."""
    pytest.importorskip("datasets")
    files = {
        "/datasets/zai-org/LongBench/resolve/main/data.zip": longbench(),
        "/datasets/zai-org/LongBench-v2/resolve/main/data.json": json.dumps([V2]).encode(),
        "/datasets/xinrongzhang2022/InfiniteBench/resolve/main/longbook_choice_eng.jsonl": json.dumps(CHOICE).encode(),
    }
    program = """
from selfroute.evaluation.datasets import open_samples
for name in ("qasper_e", "longbench-v2", "longbook_choice_eng"):
    print(*(sample.id for sample in open_samples(name)))
"""
    with served(files) as (url, asked):
        environment = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(tmp_path)}
        assert printed(program, environment) == ["1", "2", "3"]
    assert printed(program, environment) == ["1", "2", "3"]
    fetched = [path.replace(COMMIT, "main") for method, path in asked if method == "GET" and "/resolve/" in path]
    assert sorted(fetched) == sorted(files)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/data.zip", "none/data.zip", "nonsense://data.zip"])
def test_what_cannot_be_fetched_says_what_to_do_instead(tmp_path: Path, url: str) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(UnreadableFile, match=r"cannot be fetched .* name the file or the folder it is in") as raised:
        open_samples("qasper", where=Hub(longbench=url, cache=tmp_path))
    assert str(raised.value).startswith(url)
    assert len(str(raised.value).splitlines()) == 1


def test_a_benchmark_that_lacks_the_dataset_says_so(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    hub = on_disk(tmp_path)
    with pytest.raises(UnreadableFile, match=r"data\.zip:data/musique\.jsonl: there is no such member"):
        list(open_samples("musique", where=hub))


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"selfroute\[datasets\]"):
        open_samples("qasper")


@pytest.mark.end_to_end
def test_the_library_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, selfroute.evaluation.datasets; print({'datasets', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


COMMIT = "0" * 40


def ids(name: str, hub: Hub) -> list[str]:
    return [f"{row.dataset} {row.id}" for row in open_samples(name, where=hub) if isinstance(row, Sample)]


def printed(program: str, environment: Mapping[str, str]) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def longbench() -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("data/qasper_e.jsonl", json.dumps(RECORD | {"dataset": "qasper"}))
        archive.writestr("data/hotpotqa.jsonl", json.dumps(RECORD | {"dataset": "hotpotqa"}))
        archive.writestr("data/trec.jsonl", "broken")
    return content.getvalue()


def on_disk(folder: Path) -> Hub:
    """The three layouts in a folder, under other names than the datasets'."""
    (folder / "data.zip").write_bytes(longbench())
    (folder / "data.json").write_text(json.dumps([V2]))
    (folder / "infinite").mkdir()
    (folder / "infinite" / "longbook_choice_eng.jsonl").write_text(json.dumps(CHOICE))
    return Hub(str(folder / "data.zip"), str(folder / "data.json"), str(folder / "infinite"))


@contextmanager
def served(files: Mapping[str, bytes]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server on this machine that has `files`, and what it was asked for: (method, path).

    It says of every file and repository what the Hub says, as far as its client needs it.
    """
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append((self.command, path))
            content = files.get(path.replace(COMMIT, "main"))
            if content is not None:
                return self._send(200, content)
            if path.startswith("/api/datasets/"):
                about = {"id": path.removeprefix("/api/datasets/"), "sha": COMMIT, "siblings": []}
                return self._send(200, json.dumps(about).encode())
            return self._send(404, b"{}")

        do_HEAD = do_GET  # noqa: N815 (named by the library)

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{md5(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (named by the library)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
