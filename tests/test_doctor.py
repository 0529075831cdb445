"""The doctor finds what is wrong, one check at a time, and says how to mend it; a check that fails stops no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from stub_openai import Plan, StubOpenAI

from selfroute import settings
from selfroute.doctor import CHECKS, Check, Subject, examined
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import InvalidSettings
from selfroute.indexer import Indexer
from selfroute.settings import Settings


def test_every_library_and_every_extra_is_told_with_its_version(home: Path) -> None:
    found = checked(home)
    assert found["faiss-cpu"].ok
    assert found["numpy"].said[0].isdigit()
    assert {name for name in found if name.startswith("extra ")} >= {"extra chinese", "extra train"}
    assert "extra dev" not in found
    assert found["selfroute"].said.startswith("selfroute 0.")


def test_settings_that_cannot_be_read_are_wrong_and_the_rest_is_told(home: Path) -> None:
    def load() -> Settings:
        raise InvalidSettings("setting 'colour' is none")

    found = {check.name: check for check in examined(load)}
    assert (found["settings"].ok, found["settings"].said) == (False, "setting 'colour' is none")
    assert found["numpy"].ok


def test_an_embedder_that_does_not_load_is_wrong_and_stops_no_other_check(home: Path) -> None:
    found = checked(home, embedder={"kind": "sentence", "model": None})
    assert not found["embedder"].ok
    assert "name its model under 'embedder.model'" in found["embedder"].said
    assert found["reader"].ok
    assert found["corpora"].ok


def test_all_corpora_are_told_where_the_embedder_does_not_load(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.")
    for name in ("east", "west"):
        Indexer(home, HashingEmbedder(), 100).index([tmp_path / "a.txt"], name)
    found = checked(home, embedder={"kind": "sentence", "model": None})
    assert [found[f"corpus {name}"].ok for name in ("east", "west")] == [True, True]
    assert "corpora" not in found
    assert "corpus east, splitting" not in found  # nothing could be rebuilt
    assert "corpus east, splitting" in checked(home)


def test_the_embedder_is_loaded_once_for_all_corpora(home: Path) -> None:
    subject = Subject(settings.load(home=home, base={"embedder": {"kind": "hashing"}}))
    assert isinstance(subject.embedder, HashingEmbedder)
    assert subject.embedder is subject.embedder


def test_chunks_that_the_embedder_would_cut_are_wrong(home: Path) -> None:
    found = checked(home, embedder={"kind": "onnx"}, chunking={"tokens": 100_000})
    assert not found["embedder"].ok
    assert "lower it" in found["embedder"].said


def test_each_corpus_is_opened(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.")
    for name, dimension in (("whole", 64), ("torn", 64), ("other", 8)):
        Indexer(home, HashingEmbedder(dimension), 100).index([tmp_path / "a.txt"], name)
    (home / "torn" / "manifest.json").unlink()
    found = checked(home)
    assert found["corpus whole"] == Check("corpus whole", True, "1 documents, 1 chunks")
    assert not found["corpus torn"].ok
    assert "run `selfroute index repair --corpus torn`" in found["corpus torn"].said
    assert found["corpus other"].said == (
        "was made with the embedder 'hashing-8', the settings name 'hashing-64': "
        "run `selfroute index rebuild --corpus other`"
    )


def test_a_ledger_is_opened_only_where_there_is_one(home: Path) -> None:
    assert checked(home)["ledger"].said.endswith("is made by the first question")
    assert not home.exists()
    home.mkdir()
    (home / "ledger.sqlite").write_bytes(b"no database" * 999)
    assert not checked(home)["ledger"].ok
    assert "move it away" in checked(home)["ledger"].said


@pytest.mark.end_to_end
def test_a_home_that_may_not_be_written_is_wrong(
    open_home: Path, processes: ForkServerContext, as_nobody: Callable[[], None]
) -> None:
    open_home.chmod(0o555)
    process = processes.Process(target=_may_not_write, args=(as_nobody, open_home))
    process.start()
    process.join()
    assert process.exitcode == 0


def _may_not_write(as_nobody: Callable[[], None], home: Path) -> None:
    loaded = settings.load(home=home)
    [disk] = [check for check in CHECKS if check.__name__ == "_disk"]
    as_nobody()
    found = {check.name: check for check in disk(Subject(loaded))}
    assert found["disk"].ok
    assert not found["home"].ok
    assert "permission denied" in found["home"].said


@pytest.mark.end_to_end
def test_an_endpoint_is_asked_and_each_finding_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-mine-0123456789")
    with StubOpenAI(lambda asked: Plan('{"answerable": true, "answer": "yes", "quotes": []}')) as stub:
        stub.keys = {"sk-mine-0123456789"}
        stub.models = [{"id": "small", "object": "model", "created": 0, "owned_by": "x", "max_model_len": 4096}]
        found = checked(home, **behind(stub.url))
    assert found["reader"].said == "small is set"
    told = {name: check.ok for name, check in found.items() if name.startswith("endpoint ")}
    names = ("reachable", "model", "window", "key", "reply", "usage", "json_schema", "spent")
    assert told == {f"endpoint mine, {name}": name != "window" for name in names}
    assert "set window: 4096 for it" in found["endpoint mine, window"].said
    assert "sk-mine" not in repr(found)


@pytest.mark.end_to_end
@pytest.mark.parametrize(("usage", "how"), [("reported", ""), ("none", " (estimated)")])
def test_what_the_check_of_an_endpoint_took_and_cost_is_told_and_stands_in_no_ledger(
    home: Path, monkeypatch: pytest.MonkeyPatch, usage: Any, how: str
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-mine-0123456789")
    with StubOpenAI(lambda asked: Plan('{"answerable": true, "answer": "yes", "quotes": []}', usage=usage)) as stub:
        unknown = checked(home, **behind(stub.url))["endpoint mine, spent"]
        once = Counter(stub.charged)
        priced = checked(home, **behind(stub.url), prices={"small": {"input": 2, "output": 10}})
    took = f"this check took {once['input_tokens']} tokens in and {once['output_tokens']} out{how}: "
    assert unknown == Check("endpoint mine, spent", True, took + "its price is unknown")
    cost = Decimal(once["input_tokens"] * 2 + once["output_tokens"] * 10) / 1_000_000
    assert priced["endpoint mine, spent"].said == f"{took}$ {cost.normalize():f}"
    assert not home.exists()


def test_an_endpoint_that_is_not_there_or_has_no_key_is_wrong_with_what_to_do(home: Path) -> None:
    found = checked(home, **behind("http://127.0.0.1:9/v1"))
    [wrong] = [check for name, check in found.items() if name.startswith("endpoint ")]
    assert not wrong.ok
    assert wrong.said.count("set the environment variable MY_KEY to it") == 1
    assert wrong.said.endswith("set the environment variable MY_KEY to it")
    assert found["disk"].ok


@pytest.mark.end_to_end
def test_what_to_do_is_said_once_and_what_is_not_known_is_said_to_be(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-mine-0123456789")
    with StubOpenAI(lambda asked: Plan(status=500)) as stub:
        stub.models = None
        found = checked(home, **behind(stub.url))
    assert found["endpoint mine, reply"].said.endswith("answered 500: as planned: see what the server's log says")
    assert found["endpoint mine, model"] == Check(
        "endpoint mine, model", True, "not known: the server does not list its models"
    )


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_an_engine_in_this_process_is_not_started_and_its_missing_extra_is_named(home: Path) -> None:
    own = {"kind": "vllm", "model": "some/model", "window": 8000}
    found = checked(home, reader={"kind": "chat", "chunks": "own"}, endpoints={"own": own})
    assert found["reader"].said == "some/model is set"
    assert not found["endpoint own, library"].ok
    assert found["endpoint own, library"].said.endswith("run `pip install 'selfroute[vllm]'`")


def behind(url: str) -> dict[str, object]:
    endpoint = {"base_url": url, "model": "small", "window": 8000, "api_key_env": "MY_KEY"}
    return {"reader": {"kind": "chat", "chunks": "mine", "documents": "mine"}, "endpoints": {"mine": endpoint}}


def checked(home: Path, **over: object) -> dict[str, Check]:
    given = {"embedder": {"kind": "hashing"}} | over
    return {check.name: check for check in examined(lambda: settings.load(home=home, base=given))}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
