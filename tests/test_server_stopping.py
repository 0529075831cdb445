"""A service that is told to stop, as a process of its own."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from commands import COMMAND, environment
from service import corpus, events

LONG = "\n\n".join(
    f"Berth {number} is kept by the harbour office, and its rent is due in May." for number in range(300)
)
"""Takes the bundled reader seconds."""


@pytest.mark.parametrize(
    ("path", "asked", "last"),
    [
        ("/v1/ask", {"corpus": "port", "policy": "always_long", "question": "Who keeps the berths?"}, "done"),
        (
            "/v1/chat/completions",
            {"model": "always_long@port", "messages": [{"role": "user", "content": "Who keeps the berths?"}]},
            "[DONE]",
        ),
    ],
)
def test_a_stream_under_way_comes_to_its_end_before_the_service_stops(
    home: Path, tmp_path: Path, path: str, asked: dict[str, object], last: str
) -> None:
    corpus(home, texts={"port": LONG})
    (tmp_path / "config.yaml").write_text("embedder: {kind: hashing}\n")
    words = [str(COMMAND), "serve", "--port", "0", "--config", str(tmp_path / "config.yaml")]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env=environment(SELFROUTE_HOME=str(home), PYTHONUNBUFFERED="1")
    ) as service:
        try:
            assert service.stdout is not None
            url = service.stdout.readline().split()[2]
            asking = httpx.stream("POST", url + path, json={**asked, "stream": True}, timeout=60, trust_env=False)
            with asking as reply:
                lines = []
                for line in reply.iter_lines():
                    if not lines:
                        service.send_signal(signal.SIGTERM)
                    lines.append(line)
            service.wait(60)
        finally:
            service.kill()
    assert last in events(lines)[-1]
    assert len(lines) > 4
