"""Settings: who overrules whom, and that nothing unknown or out of range is taken in silence."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from selfroute.errors import InvalidSettings
from selfroute.settings import (
    EndpointSettings,
    Settings,
    VLLMSettings,
    default_config,
    key_of,
    load,
    published_prices,
    shipped,
)

KEY = "sk-secret-0123456789abcdef"
README = Path(__file__).parent.parent / "README.md"
A = "endpoints: {a: {base_url: 'http://x/v1', model: m, "


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SELFROUTE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.yaml"


def test_without_anything_the_settings_are_the_defaults() -> None:
    settings = load()
    defaults = yaml.safe_load(default_config().read_text(encoding="utf-8"))
    assert settings.model_dump(mode="json", exclude={"prices"}) == {k: v for k, v in defaults.items() if k != "prices"}
    assert settings.prices.keys() == defaults["prices"].keys()


def test_the_defaults_are_those_of_the_bundled_models() -> None:
    settings = load()
    assert (settings.embedder.kind, settings.reader.kind) == ("onnx", "extractive")
    assert (settings.chunking.tokens, settings.retrieval.k) == (240, 5)
    assert (settings.home, settings.ledger) == (Path("indexes"), None)
    assert all((price.input, price.output) == (0, 0) for price in settings.prices.values())


def test_every_setting_stands_in_the_default_file_and_nothing_else() -> None:
    defaults = yaml.safe_load(default_config().read_text(encoding="utf-8"))
    assert _names(defaults, below=("prices", "endpoints")) == set(_fields(Settings))


def test_every_setting_is_described_where_it_stands() -> None:
    lines = default_config().read_text(encoding="utf-8").splitlines()
    described, group = set(), ""
    for line in lines:
        if found := re.match(r"( *)(\w+):.*?(#.*)?$", line):
            indent, name, comment = found.groups()
            group = group if indent else name
            described |= {f"{group}.{name}" if indent else name} if comment else set()
    assert described == set(_fields(Settings))


def test_a_file_is_laid_over_the_defaults_and_leaves_the_rest_alone(file: Path) -> None:
    file.write_text("retrieval: {k: 7}\nembedder: {model: mine}\n")
    settings = load(file)
    assert settings.retrieval.k == 7
    assert (settings.embedder.kind, settings.embedder.model) == ("onnx", "mine")
    assert settings.chunking.tokens == 240


def test_the_environment_stands_above_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("home: from-file\nretrieval: {k: 7}\nchunking: {tokens: 100}\n")
    monkeypatch.setenv("SELFROUTE_HOME", "from-environment")
    monkeypatch.setenv("SELFROUTE_RETRIEVAL__K", "8")
    settings = load(file)
    assert (settings.home, settings.retrieval.k) == (Path("from-environment"), 8)
    assert settings.chunking.tokens == 100


def test_what_is_passed_in_stands_above_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("home: from-file\n")
    monkeypatch.setenv("SELFROUTE_HOME", "from-environment")
    assert load(file, home=Path("passed")).home == Path("passed")
    assert load(home=Path("passed")).home == Path("passed")


def test_the_environment_can_name_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("retrieval: {k: 7}\n")
    monkeypatch.setenv("SELFROUTE_CONFIG", str(file))
    assert load().retrieval.k == 7


def test_a_file_that_is_passed_in_stands_instead_of_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("retrieval: {k: 7}\n")
    other.write_text("chunking: {tokens: 100}\n")
    monkeypatch.setenv("SELFROUTE_CONFIG", str(other))
    settings = load(one)
    assert (settings.retrieval.k, settings.chunking.tokens) == (7, 240)


@pytest.mark.parametrize(
    ("variable", "value", "path", "expected"),
    [
        ("SELFROUTE_HOME", "/srv/selfroute", "home", Path("/srv/selfroute")),
        ("SELFROUTE_LEDGER", "/srv/l.sqlite", "ledger", Path("/srv/l.sqlite")),
        ("SELFROUTE_EMBEDDER__KIND", "hashing", "embedder.kind", "hashing"),
        ("SELFROUTE_EMBEDDER__MODEL", "/models/e5", "embedder.model", "/models/e5"),
        ("SELFROUTE_CHUNKING__TOKENS", "64", "chunking.tokens", 64),
        ("SELFROUTE_RETRIEVAL__K", "9", "retrieval.k", 9),
        ("SELFROUTE_RETRIEVAL", '{"k": 9}', "retrieval.k", 9),
        ("SELFROUTE_READER__WINDOW", "5000", "reader.window", 5000),
        ("SELFROUTE_READER__ORDER", "position", "reader.order", "position"),
        ("SELFROUTE_DEADLINE", "2.5", "deadline", 2.5),
    ],
)
def test_every_single_setting_can_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, path: str, expected: object
) -> None:
    monkeypatch.setenv(variable, value)
    found: Any = load()
    for name in path.split("."):
        found = getattr(found, name)
    assert found == expected


def test_prices_can_come_from_the_environment_beside_those_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFROUTE_PRICES", '{"paid": {"input": 0.15, "output": "0.6"}}')
    prices = load().prices
    assert (prices["paid"].input, prices["paid"].output) == (Decimal("0.15"), Decimal("0.6"))
    assert len(prices) == 3


def test_a_price_is_the_decimal_that_was_written(file: Path) -> None:
    file.write_text("prices: {paid: {input: 0.1, output: '0.60', cached_input: 1e-7}}\n")
    price = load(file).prices["paid"]
    assert (price.input, price.output, price.cached_input) == (Decimal("0.1"), Decimal("0.60"), Decimal("1e-7"))
    assert price.cache_write is None


@pytest.mark.parametrize(
    "variable", ["SELFROUTE_HOME", "SELFROUTE_LEDGER", "SELFROUTE_CONFIG", "SELFROUTE_RETRIEVAL__K"]
)
def test_a_variable_that_is_set_to_nothing_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    expected = load()
    monkeypatch.setenv(variable, "")
    assert load() == expected


@pytest.mark.parametrize("content", ["", "# only comments\n", "---\n"])
def test_an_empty_file_changes_nothing(file: Path, content: str) -> None:
    file.write_text(content)
    assert load(file) == load()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("colour: blue\n", "sets 'colour', which is no setting; have: home, ledger"),
        ("1: 2\n", "sets 1, which is no setting"),
        ("_env_file: .env\n", "sets '_env_file', which is no setting"),
        ("retrieval: {k: 5, many: 6}\n", "setting 'retrieval.many' (in {file}): extra inputs are not permitted"),
        ("prices: {m: {input: 1, output: 2, input_tokens: 3}}\n", "setting 'prices.m.input_tokens' (in {file})"),
        ("prices: {m: {input: 1}}\n", "setting 'prices.m.output' (in {file}): field required"),
        ("prices: {m: {input: -1, output: 2}}\n", "setting 'prices.m.input' (in {file}): input should be greater"),
        ("retrieval: {k: 0}\n", "setting 'retrieval.k' (in {file}): input should be greater than or equal to 1"),
        ("retrieval: {k: many}\n", "setting 'retrieval.k' (in {file}): input should be a valid integer"),
        ("retrieval: 5\n", "setting 'retrieval' (in {file})"),
        ("retrieval:\n", "setting 'retrieval' (in {file})"),
        ("chunking: {tokens: 15}\n", "setting 'chunking.tokens' (in {file}): input should be greater"),
        ("reader: {window: 511}\n", "setting 'reader.window' (in {file}): input should be greater"),
        ("reader: {kind: oracle}\n", "setting 'reader.kind' (in {file}): input should be 'extractive' or 'chat'"),
        ("reader: {kind: chat}\n", "{file}: reader.kind is 'chat': name the endpoint that reads under 'reader.chunks'"),
        ("reader: {kind: chat, chunks: small}\n", "the reader names endpoint 'small', which is not under 'endpoints'"),
        ("reader: {order: length}\n", "setting 'reader.order' (in {file}): input should be 'score' or 'position'"),
        ("rewriter: small\n", "rewriter names endpoint 'small', which is not under 'endpoints'; have: none"),
        ("judge: nobody\n", "{file}: the judge is 'nobody', which is not under 'endpoints'; have: none"),
        ("deadline: 0\n", "setting 'deadline' (in {file}): input should be greater than 0"),
        ("endpoints: {a: {model: m, window: 900}}\n", "setting 'endpoints.a.base_url' (in {file}): field required"),
        (A + "window: 100}}\n", "setting 'endpoints.a.window' (in {file}): input should be greater"),
        (A + "window: 900, base_url: 'localhost:8000'}}\n", "must be an address such as http://localhost:8000/v1"),
        (A + "window: 900, colour: red}}\n", "setting 'endpoints.a.colour' (in {file}): extra inputs"),
        ("embedder: {kind: word2vec}\n", "setting 'embedder.kind' (in {file}): input should be 'onnx'"),
        ("home:\n", "setting 'home' (in {file})"),
        ("- home\n", "must hold settings by name"),
        ("home\n", "must hold settings by name"),
        ("home: [\n", "is not YAML"),
        ("home: a: b\n", "is not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line_that_names_it(file: Path, content: str, said: str) -> None:
    file.write_text(content)
    message = _refused(file)
    assert said.format(file=file) in message
    assert str(file) in message


def test_a_file_that_is_not_text_is_refused(file: Path) -> None:
    file.write_bytes(b"home: \xff\xfe\n")
    assert f"{file} is not YAML" in _refused(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing.yaml"
    assert _refused(missing) == f"cannot read {missing}: no such file or directory"
    assert f"cannot read {tmp_path}" in _refused(tmp_path)
    monkeypatch.setenv("SELFROUTE_CONFIG", str(missing))
    assert _refused(None) == f"cannot read {missing}: no such file or directory"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SELFROUTE_HOMES", "x", "the environment sets SELFROUTE_HOMES, which is no setting; have: SELFROUTE_CONFIG, "),
        ("SELFROUTE_DATA__X", "3", "the environment sets SELFROUTE_DATA__X, which is no setting"),
        ("SELFROUTE_K", "3", "the environment sets SELFROUTE_K, which is no setting"),
        ("SELFROUTE_HOME__X", "3", "the environment sets SELFROUTE_HOME__X, which is no setting"),
        ("SELFROUTE_DEADLINE__X", "3", "the environment sets SELFROUTE_DEADLINE__X, which is no setting"),
        ("SELFROUTE_LEDGER__PATH", "3", "the environment sets SELFROUTE_LEDGER__PATH, which is no setting"),
        ("SELFROUTE_RETRIEVAL__MANY", "3", "setting 'retrieval.many' (in SELFROUTE_RETRIEVAL__MANY): extra inputs"),
        ("SELFROUTE_RETRIEVAL__K__X", "3", "setting 'retrieval.k' (in SELFROUTE_RETRIEVAL__K__X): input should be a"),
        ("SELFROUTE_RETRIEVAL__K", "0", "setting 'retrieval.k' (in SELFROUTE_RETRIEVAL__K): input should be greater"),
        ("SELFROUTE_RETRIEVAL", '{"k": 0}', "setting 'retrieval.k' (in SELFROUTE_RETRIEVAL): input should be greater"),
        ("SELFROUTE_RETRIEVAL", "nine", "the environment: error parsing value for field"),
        ("SELFROUTE_EMBEDDER__KIND", "x", "setting 'embedder.kind' (in SELFROUTE_EMBEDDER__KIND): input should be"),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused_in_one_line_that_names_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    file.write_text("chunking: {tokens: 100}\n")  # no part in it
    monkeypatch.setenv(variable, value)
    assert said in _refused(file)


def test_other_programs_variables_are_left_alone_and_so_is_the_folder_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFROUTE_DATA", "/data")
    monkeypatch.setenv("SELFROUTES", "a film")
    monkeypatch.setenv("HOME", "/elsewhere")
    assert load().home == Path("indexes")


@pytest.mark.parametrize(
    "content",
    [
        A + f"window: 900, api_key: {KEY}}}}}\n",
        A + f"window: 900, api_key_env: {KEY}}}}}\n",
        A + f"window: 900, api_key_env: {KEY.replace('-', '_')}}}}}\n",
        A + f"window: 900, parameters: {{api_key: {KEY}}}}}}}\n",
        A + f"window: 900, base_url: 'https://user:{KEY}@host/v1'}}}}\n",
        A + f"window: 900, base_url: 'https://host/v1?key={KEY}'}}}}\n",
        A + f"window: 900, base_url: 'https://host/{KEY}/v1'}}}}\n",
        A + f"window: 900, parameters: {{token: {KEY}}}}}}}\n",
        A + f"window: 900, parameters: {{metadata: {{api_key: {KEY}}}}}}}}}\n",
        A + f"window: 900, parameters: {{metadata: [{{of: ['x', '{KEY}']}}]}}}}}}\n",
        A + f"window: 900, parameters: {{metadata: {{{KEY}: 1}}}}}}}}\n",
        A + f"window: 900, {KEY}: 1}}}}\n",
        A.replace("m, ", f"{KEY}, ") + "window: 900}}\n",
        A + f"window: 900, tokenizer: {KEY}}}}}\n",
        A + f"window: 900, omit: [{KEY}]}}}}\n",
        A.replace("a:", f"{KEY}:") + "window: 900}}\n",
        f"prices: {{{KEY}: {{input: 1, output: 2}}}}\n",
        f"prices: {{{KEY}: {{input: 1}}}}\n",
        f"embedder: {{kind: sentence, model: {KEY}}}\n",
        f"endpoints: {{{KEY}: {{}}}}\n",
        f"reader: {{kind: chat, chunks: {KEY}}}\n",
        f"api_key: {KEY}\n",
        f"{KEY}: 1\n",
        f'endpoints:\n  a:\n    api_key: "{KEY}\n',
        f"endpoints: {{a: *{KEY}\n",
        f"endpoints: {{a: !{KEY} 1}}\n",
        f"a: b: {KEY}\n",
    ],
)
def test_a_key_in_a_file_is_refused_and_not_shown(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(InvalidSettings) as refused:
        load(file)
    shown = "".join(traceback.format_exception(refused.value))
    assert KEY not in shown
    assert KEY.replace("-", "_") not in shown


def test_what_is_no_yaml_is_told_with_its_place_and_without_the_lines_around_it(file: Path) -> None:
    file.write_text('home: here\nendpoints: {a: {api_key: "3f9a0c77d1e24b55\n')
    message = _refused(file)
    assert message == (
        f"{file} is not YAML: while scanning a quoted scalar found unexpected end of stream (line 2, column 26)"
    )


@pytest.mark.parametrize(
    "name", ["api-key", "apikey", "X-API-Key", "Authorization", "client_secret", "password", "key"]
)
def test_what_is_named_as_a_key_is_no_parameter(file: Path, name: str) -> None:
    file.write_text(A + f"window: 900, parameters: {{extra: {{{name}: 3f9a0c77d1e24b55}}}}}}}}\n")
    message = _refused(file)
    assert "must hold no key: name the key's environment variable under api_key_env" in message
    assert "3f9a" not in message


@pytest.mark.parametrize("name", ["gpt-4o-mini", "hf-internal-testing/tiny-random", "org/mistral-sk-7b:latest"])
def test_names_of_models_that_only_look_a_little_like_keys_are_taken(file: Path, name: str) -> None:
    file.write_text(
        f"prices: {{'{name}': {{input: 1, output: 2}}}}\n"
        + A.replace("m, ", f"'{name}', ")
        + f"window: 900, tokenizer: '{name}'}}}}\n"
    )
    loaded = load(file)
    assert (loaded.endpoints["a"].model, loaded.endpoints["a"].tokenizer, list(loaded.prices)[-1]) == (name,) * 3


def test_parameters_that_only_sound_like_keys_are_taken(file: Path) -> None:
    file.write_text(A + "window: 900, parameters: {prompt_cache_key: harbour, top_k: 3, min_tokens: 2}}}\n")
    assert load(file).endpoints["a"].parameters == {"prompt_cache_key": "harbour", "top_k": 3, "min_tokens": 2}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stream", "must not set 'stream', which the endpoint does itself: set the endpoint's own 'stream'"),
        ("model", "must not set 'model', which the endpoint does itself: set the endpoint's own 'model'"),
        ("n", "must not set 'n', which the endpoint does itself: leave it out"),
        ("messages", "must not set 'messages', which the endpoint does itself: leave it out"),
    ],
)
def test_parameters_that_would_break_the_request_are_refused(file: Path, name: str, said: str) -> None:
    file.write_text(A + f"window: 900, parameters: {{{name}: 2}}}}}}\n")
    assert f"setting 'endpoints.a.parameters' (in {file}): {said}" in _refused(file)


def test_a_key_is_read_from_the_variable_that_is_named_and_stays_out_of_the_settings(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(A + "window: 900, api_key_env: MY_KEY}}\n")
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    settings = load(file)
    key = key_of(settings.endpoints["a"])
    assert key is not None
    assert key.get_secret_value() == KEY
    assert KEY not in f"{key!r} {key} {settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_a_key_that_is_not_set_or_not_named_is_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(A + "window: 900, api_key_env: MY_KEY}, b: {base_url: 'http://x/v1', model: m, window: 900}}\n")
    for value in (None, "", " "):
        monkeypatch.delenv("MY_KEY", raising=False) if value is None else monkeypatch.setenv("MY_KEY", value)
        assert [key_of(endpoint) for endpoint in load(file).endpoints.values()] == [None, None]


@pytest.mark.parametrize("key", [f"{KEY}\n{KEY}", f"{KEY} {KEY}", f"{KEY}é", f"{KEY}\x7f"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    file: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    file.write_text(A + "window: 900, api_key_env: MY_KEY}}\n")
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(InvalidSettings, match="the key in MY_KEY holds characters that no key has") as refused:
        key_of(load(file).endpoints["a"])
    assert KEY not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("name", ["openai.yaml", "ollama.yaml", "vllm.yaml", "vllm-inprocess.yaml"])
def test_a_shipped_configuration_names_its_readers(name: str) -> None:
    settings = load(shipped(name))
    assert settings.reader.kind == "chat"
    assert settings.reader.chunks in settings.endpoints


def test_every_setting_of_an_endpoint_is_described_in_openai_yaml() -> None:
    lines = (
        shipped("openai.yaml").read_text(encoding="utf-8").split("  small:\n")[1].split("  large:\n")[0].splitlines()
    )
    described = {found[1] for line in lines if (found := re.match(r" {4}(\w+):.* #", line))}
    assert described == set(EndpointSettings.model_fields)
    small = yaml.safe_load(shipped("openai.yaml").read_text(encoding="utf-8"))["endpoints"]["small"]
    assert EndpointSettings(**small).model_dump().keys() == small.keys()


def test_every_setting_of_an_engine_in_this_process_is_described_in_vllm_inprocess_yaml() -> None:
    text = shipped("vllm-inprocess.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"^ {4}(\w+):", text, re.M)) == set(VLLMSettings.model_fields)
    assert isinstance(load(shipped("vllm-inprocess.yaml")).endpoints["local"], VLLMSettings)


def test_the_two_servers_that_vllm_yaml_describes_can_be_used_as_they_stand(file: Path) -> None:
    lines = shipped("vllm.yaml").read_text(encoding="utf-8").split("# Two servers")[1].splitlines()
    file.write_text(
        "\n".join(
            line[2:]
            for line in lines
            if re.match("# (reader|endpoints|  )", line) and "vllm" not in line and "--" not in line
        )
    )
    settings = load(file)
    assert (settings.reader.chunks, settings.reader.documents) == ("small", "large")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("engine: {max_model_len: 9}", "endpoints.a.engine' (in {file}): must not set 'max_model_len'"),
        ("engine: {hf_token: hf_abcdefghij0123456789}", "endpoints.a.engine' (in {file}): must hold no key"),
        ("parameters: {n: 2}", "endpoints.a.parameters' (in {file}): must not set 'n'"),
        ("base_url: 'http://x/v1'", "endpoints.a.base_url' (in {file})"),
    ],
)
def test_what_an_engine_in_this_process_does_not_take_is_refused(file: Path, more: str, said: str) -> None:
    file.write_text(f"endpoints: {{a: {{kind: vllm, model: m, window: 900, {more}}}}}\n")
    message = _refused(file)
    assert said.format(file=file) in message
    assert "hf_abc" not in message


def test_an_endpoint_of_an_unknown_kind_is_refused_with_those_there_are(file: Path) -> None:
    file.write_text("endpoints: {a: {kind: ollama, model: m, window: 900}}\n")
    assert f"setting 'endpoints.a' (in {file}): must be of the kind 'openai' (any server) or 'vllm'" in _refused(file)


@pytest.mark.skipif(not README.exists(), reason="there is no README here")
def test_the_configuration_in_the_readme_can_be_used_as_it_stands(file: Path) -> None:
    [block] = re.findall(r"```yaml\n(# mine.yaml.*?)```", README.read_text(encoding="utf-8"), re.S)
    file.write_text(block)
    settings = load(file)
    assert (settings.reader.chunks, settings.reader.documents) == ("small", "large")
    assert {endpoint.model for endpoint in settings.endpoints.values()} <= published_prices().prices.keys()


def test_one_setting_of_an_endpoint_can_come_from_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(A + "window: 900}}\n")
    monkeypatch.setenv("SELFROUTE_ENDPOINTS__A__BASE_URL", "http://elsewhere:8000/v1/")
    endpoint = load(file).endpoints["a"]
    assert (endpoint.base_url, endpoint.window) == ("http://elsewhere:8000/v1", 900)


def test_published_prices_have_a_date_and_cover_the_models_of_openai_yaml() -> None:
    table = published_prices()
    assert table.noted.year >= 2025
    assert {endpoint.model for endpoint in load(shipped("openai.yaml")).endpoints.values()} <= table.prices.keys()
    for name, price in table.prices.items():
        assert 0 < (price.cached_input or price.input) <= price.input < price.output, name


def test_settings_cannot_be_changed() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.home = Path("elsewhere")
    with pytest.raises(ValidationError):
        settings.retrieval.k = 3


def _refused(config: Path | None) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load(config)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    return message


def _names(values: dict[str, Any], below: tuple[str, ...]) -> set[str]:
    """Dotted names of the settings in a file, not looking into `below`."""
    found = set()
    for name, value in values.items():
        inside = isinstance(value, dict) and name not in below
        found |= {f"{name}.{part}" for part in _names(value, below)} if inside else {name}
    return found


def _fields(model: type[BaseModel]) -> Iterator[str]:
    """Dotted names of the settings that the code knows."""
    for name, field in model.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from (f"{name}.{inner}" for inner in _fields(part))
        else:
            yield name
