"""What is shipped to run the service in a container names what is there and agrees with itself; without Docker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from selfroute.settings import EndpointSettings, default_config, load

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"

pytestmark = pytest.mark.skipif(not DOCKERFILE.exists(), reason="what runs containers is not part of the wheel")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return made


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """(instruction, its words) of the Dockerfile, lines that go on joined."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def test_what_the_image_is_made_of_is_there_and_let_through(instructions: list[tuple[str, str]]) -> None:
    copied = [
        word for name, words in instructions if name == "COPY" and "--from" not in words for word in words.split()
    ]
    sources = [word for word in copied if not word.startswith("./")]
    assert {"pyproject.toml", "README.md", "selfroute", "configs"} <= set(sources)
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignore, source


def test_the_service_is_not_root_has_a_health_check_and_keeps_its_data_in_a_volume(
    instructions: list[tuple[str, str]],
) -> None:
    last = [dict(instructions[at:]) for at, (name, _) in enumerate(instructions) if name == "FROM"][-1]
    assert last["USER"] == "10001:10001"
    assert "/healthz" in last["HEALTHCHECK"]
    assert last["VOLUME"] == '["/data"]'
    assert last["ENTRYPOINT"] == '["selfroute"]'
    assert "SELFROUTE_HOME=/data/indexes" in last["ENV"]


def test_the_images_environment_is_of_settings_that_there_are(
    instructions: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, words in instructions:
        if name == "ENV":
            for variable, value in (word.split("=", 1) for word in words.split()):
                if variable.startswith("SELFROUTE_"):
                    monkeypatch.setenv(variable, value)
    settings = load()
    assert (str(settings.home), settings.server.host) == ("/data/indexes", "0.0.0.0")


def test_every_path_and_name_in_compose_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for config in compose["configs"].values():
        assert (ROOT / config["file"]).is_file(), config
    for name, service in services.items():
        assert {config["source"] for config in service.get("configs", [])} <= compose["configs"].keys()
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"], name
        assert service.get("depends_on", {}).keys() <= services.keys()
    targets = {config["target"] for config in services["selfroute"]["configs"]}
    default = services["selfroute"]["environment"]["SELFROUTE_CONFIG"]
    assert re.fullmatch(r"\$\{SELFROUTE_CONFIG:-(.*)\}", default)[1] in targets  # type: ignore[index]
    said = (ROOT / "compose.yaml").read_text() + (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"SELFROUTE_CONFIG=(\S+)", said)) <= targets


def test_compose_publishes_on_this_machine_only_and_waits_longer_than_the_service_drains(
    compose: dict[str, Any],
) -> None:
    service = compose["services"]["selfroute"]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert int(service["stop_grace_period"].removesuffix("s")) > load(default_config()).server.drain_seconds
    assert service["read_only"]
    assert "/tmp" in service["tmpfs"]


def test_the_settings_for_vllm_are_those_of_the_server_beside_it(compose: dict[str, Any]) -> None:
    settings = load(ROOT / "deploy" / "vllm.yaml")
    endpoint = settings.endpoints["local"]
    assert isinstance(endpoint, EndpointSettings)
    server = compose["services"]["vllm"]
    assert urlsplit(endpoint.base_url).hostname == "vllm"
    assert server["profiles"] == ["gpu"]
    assert f"--model={endpoint.model}" in server["command"]
    assert f"--max-model-len={endpoint.window}" in server["command"]
    assert load(ROOT / "deploy" / "bundled.yaml").server.ledger_days == 90


def test_the_metrics_that_the_page_for_operators_names_are_those_that_there_are() -> None:
    from selfroute.server.metrics import Metrics

    page = (ROOT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"^\| `(selfroute_\w+)`", page, re.M))
    families = list(Metrics(()).registry.collect())
    there = {f"{f.name}_total" if f.type == "counter" else f.name for f in families}
    assert named == there - {"selfroute_build_info"}
