"""Writes the card that lies beside the weights: what they are, how they were made, how good they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from selfroute.training.calibration import HEADER

_TITLES = {
    "first": "First stage alone",
    "second": "Two stages",
    "third": "All three: the bundled reader",
}


PLAIN = "All stages were run in one go, as above."


def write(folder: Path, tables: Mapping[str, Sequence[str]], shipped: str = PLAIN) -> None:
    """`CARD.md` in `folder`; `tables` holds each stage's rows of the report on kept-out articles, `shipped` says
    where these weights were made otherwise than the card tells."""
    text = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    parts = [f"### {_TITLES[name]}\n\n{HEADER}\n" + "\n".join(rows) for name, rows in tables.items()]
    sizes = {name: f"{(folder / f'{name}.onnx').stat().st_size / 1e6:.1f}" for name in ("embedder", "reader")}
    card = Template(text).substitute(shipped=shipped, scores="\n\n".join(parts), **sizes)
    (folder / "CARD.md").write_text(card, encoding="utf-8")
