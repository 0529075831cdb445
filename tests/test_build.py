"""Settings become parts: each kind has one, and what could not work is refused before anything is read."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest

from selfroute import build, build_service
from selfroute.engine import Engine
from selfroute.errors import BadInput, HomeNotWritable, InvalidSettings, MissingKey, UnknownPolicy
from selfroute.policies import POLICIES
from selfroute.settings import EmbedderSettings, EndpointSettings, ReaderSettings, Settings, VLLMSettings, load
from selfroute.types import Document, Outcome, Question, Usage

TEXT = (
    "The harbour master of Norrvik is Olof Berg, who has held the post since 1998. "
    "The ferry Solveig carries up to 240 passengers and 38 cars. "
    "The annual herring festival takes place on the second Saturday of August."
)

WITHOUT_LIBRARY = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "sentence_transformers":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Missing())
from selfroute.cli import main
sys.argv = ["selfroute", "ask", "who?", "--corpus", "harbour"]
main()
"""


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SELFROUTE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The defaults, with the embedder for tests."""
    return changed(load(home=tmp_path / "home"), embedder={"kind": "hashing"})


def test_an_engine_that_was_built_to_forecast_asks_nothing_since_it_has_no_ledger(settings: Settings) -> None:
    engine = build.engine(settings, keys=False)
    document = Document("harbour", TEXT, "harbour.md")
    assert asyncio.run(engine.forecast("Who?", corpus=document)).least_tokens > 0
    with pytest.raises(BadInput, match="build it with them to ask"):
        asyncio.run(engine.ask("Who?", corpus=document))
    assert not settings.home.exists()


def test_every_kind_that_settings_allow_can_be_built() -> None:
    assert set(build.EMBEDDERS) == set(get_args(EmbedderSettings.model_fields["kind"].annotation))
    kinds = [one.model_fields["kind"].annotation for one in (EndpointSettings, VLLMSettings)]
    assert set(build.ENDPOINTS) == {name for kind in kinds for name in get_args(kind)}
    assert set(build.READERS) == set(get_args(ReaderSettings.model_fields["kind"].annotation))


def test_the_engine_answers_by_the_settings(settings: Settings) -> None:
    engine = build.engine(changed(settings, retrieval={"k": 2}, chunking={"tokens": 16}))
    answer = asked(engine, "self_route")
    assert (answer.answer, answer.outcome) == ("Olof Berg", Outcome.ANSWERED)
    hits = answer.explain["hits"]
    assert isinstance(hits, list)
    assert len(hits) == 2


def test_the_engine_knows_every_policy(settings: Settings) -> None:
    with pytest.raises(UnknownPolicy) as refused:
        asked(build.engine(settings), "none")
    assert str(refused.value).endswith(", ".join([*POLICIES, "calibrated"]))


def test_the_readers_window_is_that_of_the_settings(settings: Settings) -> None:
    document = Document("long", TEXT * 20, "long.md")
    small, large = (
        asyncio.run(
            build.engine(changed(settings, reader={"window": window})).ask("Who?", "always_long", corpus=document)
        )
        for window in (512, 100_000)
    )
    assert small.coverage < 1
    assert small.totals.reader_input_tokens <= 512
    assert large.coverage == 1


def test_the_bundled_models_cost_nothing_and_their_price_is_known(settings: Settings) -> None:
    answer = asked(build.engine(changed(settings, embedder={"kind": "onnx"})), "always_long")
    assert [call.cost for call in answer.calls] == [0, 0, 0]
    assert (answer.totals.cost, answer.long_context_cost) == (0, 0)


def test_prices_are_those_of_the_settings_and_unknown_else(settings: Settings) -> None:
    paid = {"selfroute/minilm-l6-reader-int8": {"input": "0.5", "output": 0}}
    answer = asked(build.engine(changed(settings, prices=paid)), "always_long")
    assert answer.long_context_cost == Decimal("0.5") * answer.long_context_tokens / 1_000_000
    assert answer.totals.cost is None  # nobody named a price for the embedder for tests


def test_every_endpoint_of_the_settings_is_built_and_a_missing_key_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"base_url": "http://localhost:1/v1", "model": "m", "window": 9000}
    two = changed(settings, endpoints={"free": made, "paid": {**made, "api_key_env": "MY_KEY"}})
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(MissingKey, match="'paid' needs a key: set the environment variable MY_KEY"):
        build.endpoints(two)
    assert [e.where for e in build.endpoints(two, keys=False).values()] == [
        f"endpoint {name!r} (http://localhost:1/v1, model 'm')" for name in ("free", "paid")
    ]
    monkeypatch.setenv("MY_KEY", "sk-1234567890")
    assert "1234567890" not in repr(build.endpoints(two))


def test_an_engine_in_this_process_is_built_and_not_started(settings: Settings) -> None:
    own = {"kind": "vllm", "model": "some/model", "window": 9000, "engine": {"seed": 1}, "parameters": {"top_k": 3}}
    chat = changed(settings, reader={"kind": "chat", "chunks": "own"}, endpoints={"own": own})
    [endpoint] = build.endpoints(chat).values()
    assert endpoint.where == "endpoint 'own' (vLLM in this process, model 'some/model')"
    assert (endpoint.window, endpoint.model, endpoint.schemas, endpoint.logprobs) == (9000, "some/model", True, True)
    chunks, documents = build.readers(chat)
    assert chunks is documents


def test_a_run_is_told_apart_by_what_its_rows_depend_on_alone(settings: Settings) -> None:
    one = {"base_url": "http://localhost:1/v1", "model": "m", "window": 9000}
    reader = {"kind": "chat", "chunks": "one"}

    def identity(reader: dict[str, object] = reader, more: dict[str, object] | None = None, **over: object) -> object:
        endpoints = {"one": one | over, **(more or {})}
        return build.evaluator(changed(settings, reader=reader, endpoints=endpoints)).identity

    plain = identity()
    for same in ({"timeout": 7}, {"retries": 9}, {"stream": True}, {"more": {"two": one | {"window": 700}}}):
        assert identity(**same) == plain, same  # type: ignore[arg-type]
    others = ({"window": 8000}, {"parameters": {"seed": 1}}, {"json_schema": False}, {"base_url": "http://x/v1"})
    for other in others:
        assert identity(**other) != plain, other  # type: ignore[arg-type]
    assert identity({"kind": "extractive"}) == identity({"kind": "extractive"}, window=8000)
    assert build.evaluator(changed(settings, deadline=5)).identity == build.evaluator(settings).identity
    assert build.evaluator(changed(settings, rewriter=None)).identity == build.evaluator(settings).identity


@pytest.mark.parametrize(
    ("reader", "rewriter", "model"),
    [
        ({"kind": "extractive"}, "reader", None),
        ({"kind": "extractive"}, "two", "m2"),
        ({"kind": "chat", "chunks": "one", "documents": "two"}, "reader", "m1"),
        ({"kind": "chat", "chunks": "one", "documents": "two"}, "two", "m2"),
        ({"kind": "chat", "chunks": "one", "documents": "two"}, None, None),
        ({"kind": "chat", "chunks": "extractive", "documents": "two"}, "reader", "m2"),
        ({"kind": "chat", "chunks": "extractive"}, "reader", None),
    ],
)
def test_questions_are_rewritten_by_the_endpoint_that_reads_or_the_one_that_is_named(
    settings: Settings, reader: dict[str, str], rewriter: str | None, model: str | None
) -> None:
    endpoint = {"base_url": "http://localhost:1/v1", "window": 9000}
    two = {"one": endpoint | {"model": "m1"}, "two": endpoint | {"model": "m2"}}
    made = build.rewriter(changed(settings, reader=reader, endpoints=two, rewriter=rewriter))
    assert (made and made.endpoint.model) == model


def test_another_key_variable_makes_no_other_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-1234567890")
    one = {"base_url": "http://localhost:1/v1", "model": "m", "window": 9000}
    chat = changed(settings, reader={"kind": "chat", "chunks": "one"}, endpoints={"one": one})
    keyed = changed(chat, endpoints={"one": one | {"api_key_env": "MY_KEY"}})
    assert build.evaluator(keyed).identity == build.evaluator(chat).identity


def test_published_prices_stand_below_those_of_the_settings(settings: Settings) -> None:
    usage = Usage(1_000_000)
    assert build.prices(settings).cost("gpt-4.1-mini", usage) == Decimal("0.4")
    own = changed(settings, prices={"gpt-4.1-mini": {"input": 3, "output": 3}})
    assert build.prices(own).cost("gpt-4.1-mini", usage) == 3


def test_the_ledger_lives_at_home_unless_it_is_elsewhere(settings: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "far" / "away.sqlite"
    for given, path in ((settings, settings.home / "ledger.sqlite"), (changed(settings, ledger=elsewhere), elsewhere)):
        build.ledger(given).begin("a", Question("who?"), "self_route", "harbour")
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT id FROM questions").fetchall() == [("a",)]
        connection.close()


def test_a_home_that_is_a_file_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeNotWritable, match="SELFROUTE_LEDGER"):
        build.engine(changed(settings, home=tmp_path / "file"))


def test_the_indexer_writes_where_the_engine_and_the_list_look(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "harbour.md"
    file.write_text(TEXT)
    assert build.corpora(settings).listed() == []
    assert build.indexer(settings).index([file], "harbour").added == 1
    [listed] = build.corpora(settings).listed()
    assert (listed.name, listed.documents, listed.problem) == ("harbour", 1, None)
    answer = asyncio.run(build.engine(settings).ask("Who is the harbour master of Norrvik?", corpus="harbour"))
    assert answer.answer == "Olof Berg"


def test_the_service_has_tools_where_their_library_is_installed(settings: Settings) -> None:
    paths = {getattr(route, "path", None) for route in build_service.app(settings).routes}
    assert ("/mcp" in paths) == (find_spec("mcp") is not None)


@pytest.mark.parametrize("make", [build.engine, build.indexer])
def test_chunks_that_the_embedder_would_cut_are_refused(settings: Settings, make: Callable[[Settings], Any]) -> None:
    onnx = changed(settings, embedder={"kind": "onnx"})
    assert make(changed(onnx, chunking={"tokens": 254})) is not None
    with pytest.raises(
        InvalidSettings, match=r"'chunking.tokens' is 255, but .* embeds only 254: .*; lower it"
    ) as refused:
        make(changed(onnx, chunking={"tokens": 255}))
    assert len(str(refused.value).splitlines()) == 1


def test_the_limit_is_that_of_the_embedder_which_is_named(settings: Settings) -> None:
    assert build.indexer(changed(settings, chunking={"tokens": 9_000})) is not None


@pytest.mark.parametrize("make", [build.engine, build.indexer])
def test_sentence_transformers_need_to_be_told_which_model(settings: Settings, make: Callable[[Settings], Any]) -> None:
    with pytest.raises(InvalidSettings, match=r"name its model under 'embedder.model'"):
        make(changed(settings, embedder={"kind": "sentence"}))


@pytest.mark.end_to_end
def test_without_the_extra_a_user_is_told_in_one_line_what_to_install(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "SELFROUTE_HOME": str(tmp_path),
        "SELFROUTE_EMBEDDER__KIND": "sentence",
        "SELFROUTE_EMBEDDER__MODEL": "any",
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBRARY], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr == (
        "selfroute: sentence-transformers is not installed: run `pip install 'selfroute[sentence-transformers]'`\n"
    )


def asked(engine: Engine, policy: str) -> Any:
    return asyncio.run(engine.ask("Who is the harbour master of Norrvik?", policy, corpus=Document("h", TEXT, "h.md")))


def changed(settings: Settings, **values: Any) -> Settings:
    """The same settings with some of them changed, checked as a file's would be."""
    old = settings.model_dump()
    merged = {name: {**old[name], **value} if isinstance(value, dict) else value for name, value in values.items()}
    return Settings(**{**old, **merged})


def test_a_dial_of_the_settings_decides_what_calibrated_reads(settings: Settings) -> None:
    document = Document("long", TEXT * 20, "long.md")

    def decided(**routing: object) -> dict[str, object]:
        engine = build.engine(changed(settings, routing=routing))
        answer = asyncio.run(engine.ask("Who approves night work?", "calibrated", corpus=document))
        decisions = answer.explain["decisions"]
        assert isinstance(decisions, list)
        return dict(decisions[0])

    assert decided(share=0.0)["escalates"] is False
    assert decided(max_cost=0)["by"] == "share"  # the bundled models cost nothing, which is within every limit
    assert decided(value_per_correct_answer=1)["by"] == "price"
