"""Several processes on one index: what one publishes, the service sees with its next question."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import environment
from service import HARBOUR, WHO, House, corpus, served

from selfroute.readers.scripted import KnowingReader

pytestmark = pytest.mark.end_to_end

TESTS = Path(__file__).parent

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from service import corpus
corpus(Path(sys.argv[1]), "port", {"harbour": "The harbour master is Eva Lund.", "forest": "Moose live there."})
"""


@pytest.mark.parametrize("others", [0, 1])
def test_a_generation_that_another_process_publishes_is_read_by_the_next_question(home: Path, others: int) -> None:
    corpus(home)
    assert "Olof Berg" in HARBOUR
    house = House(home, reader=KnowingReader({WHO: "Eva Lund"}))
    with served(house.app()) as first, served(house.app()) as second:
        client = (first, second)[others]
        asked = {"question": WHO, "corpus": "port", "policy": "always_long"}
        assert client.post("/v1/ask", json=asked).json()["answer"] is None
        subprocess.run([sys.executable, "-c", WRITER, str(home), str(TESTS)], env=environment(), check=True)
        assert client.post("/v1/ask", json=asked).json()["answer"] == "Eva Lund"
