"""Settings: who overrules whom, and that nothing unknown or out of range is taken in silence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from selfroute.errors import InvalidSettings
from selfroute.settings import Settings, default_config, load


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
    assert _names(defaults, below=("prices",)) == set(_fields(Settings))


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
        ("reader: {kind: oracle}\n", "setting 'reader.kind' (in {file}): input should be 'extractive'"),
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
        ("SELFROUTE_K", "3", "the environment sets SELFROUTE_K, which is no setting"),
        ("SELFROUTE_HOME__X", "3", "the environment sets SELFROUTE_HOME__X, which is no setting"),
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


def test_other_programs_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFROUTES", "a film")
    monkeypatch.setenv("HOME", "/elsewhere")
    assert load().home == Path("indexes")


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
