"""What the tests with vLLM share: calls that are kept, and a server that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from selfroute.types import Call
from with_vllm import tiny

HANDBOOK = Path(__file__).parents[2] / "eval/samples/harbour.md"
QUIET = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB: sixty times the window
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # not all to the first core, which may be busy
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}
STARTS_WITHIN = 240.0


@dataclass
class Calls:
    """Keeps what is recorded."""

    made: list[Call] = field(default_factory=list)

    async def __call__(self, call: Call) -> None:
        self.made.append(call)


@dataclass
class Server:
    """vLLM's own server of the tiny model, which is called `tiny` there."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @classmethod
    def started(cls, model: Path, port: int, log: Path) -> Server:
        words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
        words += ["--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), "--enforce-eager"]
        words += ["--max-model-len", str(tiny.WINDOW), "--enable-prefix-caching", "--enable-prompt-tokens-details"]
        with log.open("wb") as out:
            # In a group of its own, so that its engine's processes can be killed with it.
            process = subprocess.Popen(
                words, stdout=out, stderr=out, env=os.environ | QUIET, start_new_session=True, cwd=log.parent
            )
        return cls(process, port, log)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def wait(self) -> None:
        """Until it answers."""
        until = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/health"):
                    return
            except (URLError, ConnectionError):
                waiting = self.runs and time.monotonic() < until
                assert waiting, f"the server did not start:\n{self.log.read_text(errors='replace')[-3000:]}"
                time.sleep(0.2)

    def stop(self) -> None:
        if self.runs:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.die()

    def die(self) -> None:
        """At once, with the engine's processes."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
