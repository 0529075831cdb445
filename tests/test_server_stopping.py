"""A service that is told to stop, as a process of its own."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from commands import COMMAND, Command, environment
from service import corpus, events, left

pytestmark = pytest.mark.end_to_end

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
    words = ("serve", "--port", "0", "--config", str(tmp_path / "config.yaml"))
    with Command(*words, SELFROUTE_HOME=str(home)) as service:
        assert service.stdout is not None
        url = service.stdout.readline().split()[2]
        asking = httpx.stream("POST", url + path, json={**asked, "stream": True}, timeout=60, trust_env=False)
        with asking as reply:
            lines = []
            for line in reply.iter_lines():
                if not lines:
                    service.send_signal(signal.SIGTERM)
                lines.append(line)
        service.wait()
    assert last in events(lines)[-1]
    assert len(lines) > 4


def test_clients_that_leave_their_texts_behind_keep_the_service_neither_busy_nor_from_stopping(
    home: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    """More of them than the service has threads; with the bundled embedder each text would take it half a minute."""
    words = [str(COMMAND), "serve", "--port", "0"]
    told = environment(SELFROUTE_HOME=str(home), SELFROUTE_SERVER__DRAIN_SECONDS="5")
    asked = {"question": "Who keeps the berths?", "text": LONG[:71], "policy": "always_rag"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=told) as service, ExitStack() as leaving:
        try:
            assert service.stdout is not None
            url = service.stdout.readline().split()[2]
            with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
                for _ in range(66):  # more than there are threads, on any machine
                    leaving.enter_context(left(client, "/v1/ask", {**asked, "text": LONG * 16}))
                wait_until(lambda: "selfroute_questions_in_flight 64" in client.get("/metrics").text)
                assert client.get("/readyz").status_code == 200
                leaving.close()
                wait_until(lambda: "selfroute_questions_in_flight 0" in client.get("/metrics").text)
                assert client.post("/v1/ask", json=asked).status_code == 200
                assert client.get("/readyz").status_code == 200
            service.send_signal(signal.SIGTERM)
            assert service.wait(30) in (0, 143, -signal.SIGTERM)
        finally:
            service.kill()
