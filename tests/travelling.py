"""Compares a wheel with the checkout that it was built from: every file of the package travels in it, and nothing else.

    python tests/travelling.py dist/selfroute-0.1.0-py3-none-any.whl

Ends with 1 and names what is missing or should not be there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

CHECKOUT = Path(__file__).resolve().parents[1]


def wanted() -> set[str]:
    """The package's files, and the shipped configurations, which stand beside it in a checkout."""
    package = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "selfroute").rglob("*") if path.is_file()}
    configs = {f"selfroute/configs/{path.name}" for path in (CHECKOUT / "configs").iterdir()}
    return {name for name in package if "__pycache__" not in name} | configs


def packed(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


if __name__ == "__main__":
    have = packed(Path(sys.argv[1]))
    missing, added = sorted(wanted() - have), sorted(have - wanted())
    for told, names in (("is missing", missing), ("should not be there", added)):
        for name in names:
            print(f"in the wheel {told}: {name}", file=sys.stderr)
    print(f"the wheel holds {len(have)} files")
    sys.exit(1 if missing or added else 0)
