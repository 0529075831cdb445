"""The examples of docs/api.md do what they say, against a running service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from service import PORT, House, corpus, served

PAGE = Path(__file__).parent.parent / "docs" / "api.md"
pytestmark = [pytest.mark.end_to_end, pytest.mark.skipif(not PAGE.exists(), reason="there is no docs/api.md here")]

HERE = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


@pytest.fixture
def http(home: Path) -> Iterator[httpx.Client]:
    corpus(home, "harbour", PORT)
    with served(House(home, mcp=find_spec("mcp") is not None).app()) as client:
        yield client


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_each_python_example_prints_the_answer(
    number: int, http: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    program = blocks("python")[number]
    for library in re.findall(r"^from (\S+)", program, re.M):
        pytest.importorskip(library, reason=f"the example needs {library}")
    exec(compile(program.replace(HERE, str(http.base_url)), "docs/api.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out.startswith("Olof Berg")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
@pytest.mark.parametrize("number", range(len(blocks("console"))))
def test_each_command_prints_the_answer(number: int, http: httpx.Client) -> None:
    command = blocks("console")[number].removeprefix("$ ").replace(HERE, str(http.base_url).rstrip("/"))
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert "Olof Berg" in done.stdout


def test_what_is_shown_as_json_is_json() -> None:
    assert [set(json.loads(block)) for block in blocks("json")] == [{"mcpServers"}]
