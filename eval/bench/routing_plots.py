"""The pictures of `routing.py`: legible in black and white, by markers and hatching and not by colour alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from selfroute.evaluation.bothways import BothWays
from selfroute.evaluation.statistics import mean_interval
from selfroute.routing.dial import Decision

if TYPE_CHECKING:
    from routing import Routed

MARKS = ("s", "D", "x", "v", "^", "<", "o", "P", "*")
GREYS = ("#000000", "#000000", "#777777", "#777777", "#555555", "#555555", "#000000", "#444444", "#999999")
BINS = 8

mpl.rcParams["svg.hashsalt"] = "routing"


def plane(path: Path, rows: Sequence[BothWays], routed: Mapping[str, Routed], curve: Mapping[float, Routed]) -> None:
    """Score over the share of always_long's tokens, each policy with its interval, and `calibrated` over its shares."""
    figure = Figure(figsize=(8, 5), dpi=120)
    axes = figure.subplots()
    documents = [row.doc_id for row in rows]
    along = [(_share(rows, one), float(one.scores.mean())) for one in curve.values()]
    axes.plot(*zip(*along, strict=True), color="black", linewidth=1, label="calibrated, by the share aimed at")
    for (name, one), mark, grey in zip(routed.items(), MARKS, GREYS, strict=True):
        told = mean_interval(one.scores.tolist(), documents)
        ends = [[told.mean - (told.low or told.mean)], [(told.high or told.mean) - told.mean]]
        axes.errorbar(
            [_share(rows, one)],
            [told.mean],
            yerr=ends,
            fmt=mark,
            color=grey,
            markersize=8,
            linewidth=0.8,
            capsize=3,
            label=name,
        )
    axes.set_xlabel("reader input, % of what always_long reads")
    axes.set_ylabel("score")
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xticks([0, 5, 10, 20, 30, 50, 100], ["0", "5", "10", "20", "30", "50", "100"])
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    _save(figure, path)


def ablation(path: Path, without: Mapping[str, tuple[Routed, float, float]]) -> None:
    """The AUROC of gain and of harm, and the score, with each group of features left out."""
    figure = Figure(figsize=(9, 3.4), dpi=120)
    left, right = figure.subplots(1, 2, sharey=True)
    names = list(without)[::-1]
    at = np.arange(len(names))
    left.barh(at + 0.2, [without[n][1] for n in names], 0.4, color="#444444", label="gain")
    left.barh(
        at - 0.2, [without[n][2] for n in names], 0.4, color="white", edgecolor="black", hatch="///", label="harm"
    )
    left.axvline(0.5, color="black", linestyle="--", linewidth=0.8)
    left.set_xlim(0.4, 0.8)
    left.set_xlabel("AUROC (dashed: chance)")
    left.set_yticks(at, names)
    left.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    scores = [float(without[n][0].scores.mean()) for n in names]
    right.plot(scores, at, "o", color="black")
    for score, height in zip(scores, at, strict=True):
        right.annotate(f"{score:.2f}", (score, height), xytext=(6, -3), textcoords="offset points", fontsize=8)
    right.margins(x=0.25)
    right.set_xlabel("score at 11 % aimed at")
    right.grid(axis="x", color="#dddddd", linewidth=0.6)
    left.set_title("left out", loc="left", fontsize=9)
    _save(figure, path)


def reliability(path: Path, rows: Sequence[BothWays], decided: Sequence[Decision]) -> None:
    """How often a reading gained, or harmed, over the probability that was said, in bins of equal size."""
    figure = Figure(figsize=(5, 4.6), dpi=120)
    axes = figure.subplots()
    most = 0.0
    for name, mark, fill in (("gain", "o", "black"), ("harm", "s", "white")):
        known = [
            (getattr(d.odds, name), getattr(row, f"{name}s")) for row, d in zip(rows, decided, strict=True) if d.odds
        ]
        known.sort(key=lambda pair: pair[0])
        bins = [part for part in np.array_split(np.array(known, float), BINS) if len(part)]
        said, was = ([float(part[:, n].mean()) for part in bins] for n in (0, 1))
        spread = [1.96 * float(np.sqrt(max(w * (1 - w), 0) / len(p))) for w, p in zip(was, bins, strict=True)]
        axes.errorbar(said, was, yerr=spread, fmt=mark, color="black", mfc=fill, linewidth=0.7, capsize=2, label=name)
        most = max(most, *said, *(w + e for w, e in zip(was, spread, strict=True)))
    axes.plot([0, most], [0, most], color="black", linestyle="--", linewidth=0.8, label="as said")
    axes.set_xlim(0, most * 1.05)
    axes.set_ylim(-0.02, most * 1.05)
    axes.set_xlabel("probability that was said")
    axes.set_ylabel("share that was so (95 %, by question)")
    axes.legend(fontsize=8, loc="upper left")
    _save(figure, path)


def _share(rows: Sequence[BothWays], one: Routed) -> float:
    long = np.array([row.document_tokens for row in rows], float)
    chunks = np.array([row.chunk_tokens for row in rows], float) * one.chunked
    return float(100 * (one.escalated * long + chunks).sum() / long.sum())


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
