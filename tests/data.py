"""Data that are no part of the project: in the folder that SELFROUTE_DATA names, as suites and the Makefile have it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Read once: tests of settings take all variables of ours out of the environment.
FOLDER = os.environ.get("SELFROUTE_DATA")
needs_data = pytest.mark.skipif(not FOLDER, reason="needs data beside the project: set SELFROUTE_DATA to their folder")


def data(*below: str) -> Path:
    """A file or folder of the data; for tests marked `needs_data`. What is not there fails the test, else a folder
    that is named wrongly would pass for data that were looked at."""
    path = Path(FOLDER or "", *below)
    assert path.exists(), f"SELFROUTE_DATA has no {Path(*below)}"
    return path
