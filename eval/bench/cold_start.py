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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    asked = parser.parse_args()
    with TemporaryDirectory() as home:
        run(home, "index", str(asked.document), "--corpus", "bench")
        for name, words in (
            ("selfroute --help", ["--help"]),
            ("selfroute ask (existing index)", ["ask", "Who is in charge of the port?", "--corpus", "bench"]),
        ):
            times = [run(home, *words) for _ in range(RUNS)]
            print(f"{name}: median {statistics.median(times):.2f} s, slowest of {RUNS} {max(times):.2f} s")


def run(home: str, *words: str) -> float:
    began = time.perf_counter()
    subprocess.run([COMMAND, *words], check=True, capture_output=True, env={**os.environ, "SELFROUTE_HOME": home})
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
