"""What of vLLM in this process can be told without vLLM. The engine itself is in tests/with_vllm."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib.util import find_spec

import pytest
from commands import environment

from selfroute.endpoints import Request
from selfroute.endpoints.checks import check_in_process
from selfroute.endpoints.vllm import Options, VLLMEndpoint
from selfroute.errors import MissingExtra
from selfroute.types import Call, Stage

without_vllm = pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
ENDPOINT = VLLMEndpoint(Options("own", "some/model", 9000))


@pytest.mark.end_to_end
def test_importing_and_making_it_imports_no_heavy_library_and_starts_nothing() -> None:
    program = (
        "import sys, threading\n"
        "from selfroute.endpoints.vllm import Options, VLLMEndpoint\n"
        "VLLMEndpoint(Options('own', 'some/model', 9000))\n"
        "print(sorted({'vllm', 'torch', 'transformers', 'numpy.f2py'} & set(sys.modules)), threading.active_count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.split() == ["[]", "1"]


@without_vllm
def test_without_the_library_counting_and_asking_name_the_extra_and_the_attempt_is_accounted() -> None:
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    with pytest.raises(MissingExtra, match=r"pip install 'selfroute\[vllm\]'"):
        ENDPOINT.count_tokens("a")
    with pytest.raises(MissingExtra, match=r"pip install 'selfroute\[vllm\]'"):
        asyncio.run(ENDPOINT.complete(Request(Stage.READ_CHUNKS, "Who?"), record))
    [call] = calls
    assert (call.usage.input_tokens, call.estimated) == (0, False)
    assert "vllm is not installed" in str(call.error)


@without_vllm
def test_the_doctor_names_the_extra() -> None:
    [finding] = check_in_process(ENDPOINT)
    assert (finding.name, finding.fine) == ("library", False)
    assert "pip install 'selfroute[vllm]'" in finding.said
