"""Cold start as a user meets it: whole processes of the installed command, import to exit.

python eval/bench/cold_start.py eval/samples/harbour.md
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

COMMAND = Path(sys.executable).with_name("selfroute")
RUNS = 9
FROM_CHUNKS = "Who approves night work?"
FROM_DOCUMENT = "Which certificate do officers in port control hold?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    asked = parser.parse_args()
    with TemporaryDirectory() as home:
        run(home, "index", str(asked.document), "--corpus", "bench")
        for name, words in (
            ("selfroute --help", ["--help"]),
            ("selfroute ask, answered from chunks", ["ask", FROM_CHUNKS, "--corpus", "bench"]),
            ("selfroute ask, the whole handbook read", ["ask", FROM_DOCUMENT, "--corpus", "bench"]),
        ):
            times = [run(home, *words) for _ in range(RUNS)]
            print(f"{name}: median {statistics.median(times):.2f} s, slowest of {RUNS} {max(times):.2f} s")


def run(home: str, *words: str) -> float:
    began = time.perf_counter()
    subprocess.run([COMMAND, *words], check=True, capture_output=True, env={**os.environ, "SELFROUTE_HOME": home})
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
