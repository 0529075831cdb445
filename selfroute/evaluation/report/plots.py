"""The pictures of a report, as PNG. What tells policies apart is never colour alone: each has its sign and dashes too.

Equal figures give equal bytes. Imported only when a report is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, PercentFormatter

from selfroute.evaluation.report.absence import SHARES
from selfroute.evaluation.report.board import LONG, RAG
from selfroute.evaluation.report.declines import DECLINE
from selfroute.evaluation.report.drawing import (
    GREY,
    alike,
    empty,
    hollow,
    labelled,
    legend,
    named,
    plain,
    png,
    single,
    spaced,
    style,
)
from selfroute.evaluation.report.figures import Figures
from selfroute.evaluation.report.looks import looks
from selfroute.evaluation.report.overlap import EDGES, NEAR
from selfroute.evaluation.report.plane import ORACLE, Point
from selfroute.evaluation.report.scores import MACRO, MICRO
from selfroute.evaluation.statistics import Interval

RANDOM = "random router"
NEAR_X, NEAR_Y = 0.012, 0.02
"""Points of the plane within these shares of it cover each other."""
WIDE = 0.009
"""Half of a digit above a bar, as a share of the axis."""
THIN = 0.05
"""A part of a bar below this share has no room for its number."""
EFFECTS = (
    ("right", "escalated, gained", "#009E73", ""),
    ("idle", "escalated, no change", "#BBBBBB", "///"),
    ("wrong", "escalated, lost", "#D55E00", "xxx"),
    ("missed", "not escalated, would have gained", "#E69F00", "..."),
    ("kept", "not escalated, rightly", "#56B4E9", ""),
)


def pictures(made: Figures) -> dict[str, bytes]:
    """PNG by name; none of what there are no figures for."""
    wanted: Mapping[str, tuple[bool, Callable[[Figures], Figure]]] = {
        "scores": (any(entry.score is not None for entry in made.table1), _scores),
        "k": (len(made.curve.ks) > 1 and bool(made.curve.points), _curve),
        "plane": (made.plane is not None, _plane),
        "absence": (any(part.mixed for part in made.absence.parts), _absence),
        "declines": (bool(made.decisions), _declines),
        "reliability": (bool(made.reliability), _reliability),
        "overlap": (made.overlap is not None and made.overlap.n > made.overlap.zero, _overlap),
        "latency": (bool(made.spending.latency), _latency),
    }
    return {name: png(draw(made)) for name, (there, draw) in wanted.items() if there}


def _scores(made: Figures) -> Figure:
    entries = [entry for entry in made.table1 if entry.score is not None]
    datasets = list(dict.fromkeys(entry.dataset for entry in entries))
    policies = looks(entry.policy for entry in entries)
    figure, axes = single(8, 1.3 + len(datasets) * (0.2 + 0.17 * len(policies)))
    step = 0.72 / max(len(policies), 1)
    for number, (policy, look) in enumerate(policies.items()):
        mine = [entry for entry in entries if entry.policy == policy]
        heights = [datasets.index(entry.dataset) - 0.36 + step * (number + 0.5) for entry in mine]
        scores = [entry.score for entry in mine if entry.score is not None]
        axes.hlines(heights, *zip(*map(_ends, scores), strict=True), color=look.colour, linewidth=1.2)
        sign: dict[str, Any] = {"marker": look.marker, "markersize": 6, "linestyle": "none"}
        axes.plot([score.mean for score in scores], heights, color=look.colour, label=named(policy), **sign)
    averages = [name for name in (MACRO, MICRO) if name in datasets]
    if averages and len(averages) < len(datasets):
        axes.axhline(len(datasets) - len(averages) - 0.5, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(datasets)), list(map(named, datasets)))
    axes.set_ylim(len(datasets) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("score, with its 95 % interval")
    legend(axes)
    return figure


def _curve(made: Figures) -> Figure:
    figure = empty(9, 4)
    left, right = figure.subplots(1, 2)
    styles = looks(point.policy for point in made.curve.points)
    by = {policy: [point for point in made.curve.points if point.policy == policy] for policy in styles}
    scores = {policy: [(point.k, point.score.mean) for point in points] for policy, points in by.items()}
    shares = {
        policy: [(point.k, point.token_share) for point in points if point.token_share is not None]
        for policy, points in by.items()
    }
    for axes, drawn in ((left, scores), (right, shares)):
        upon = alike({policy: [value for pair in pairs for value in pair] for policy, pairs in drawn.items()})
        for policy, pairs in drawn.items():
            first, ring = upon.get(policy, (None, 0))
            label = labelled(policy, first)
            axes.plot([k for k, _ in pairs], [v for _, v in pairs], **style(styles[policy], ring), label=label)
    for axes in (left, right):
        plain(axes)
        axes.set_xscale("log")
        axes.set_xticks(made.curve.ks, spaced(made.curve.ks))
        axes.minorticks_off()
        axes.set_xlabel("k, chunks retrieved")
    left.set_ylabel("score")
    right.axhline(1, color=GREY, linewidth=1, linestyle=":")
    right.set_ylim(bottom=0)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_ylabel("reader input, of reading everything")
    legend(left)
    return figure


def _plane(made: Figures) -> Figure:
    """Bars are of the distance to the random router, which is over the same draws: how hard the questions are, on
    which all policies agree, is not in them."""
    assert made.plane is not None
    figure, axes = single(7.5, 4.8)
    by = {point.policy: point for point in made.plane.points}
    rag, long = by[RAG], by[LONG]
    handles: list[Artist] = []
    styles = looks([*by, RANDOM])
    heights = [height for point in by.values() for height in _over_random(point)]
    places = {policy: (by[policy].tokens, by[policy].score.mean) for policy in styles if policy != RANDOM}
    upon = alike(places, (NEAR_X, NEAR_Y * (max(heights) - min(heights))))
    same = alike(places)
    for policy, look in styles.items():
        if policy == RANDOM:
            ends = (rag.tokens, long.tokens), (rag.score.mean, long.score.mean)
            handles += axes.plot(*ends, color=look.colour, linestyle=look.dashes, linewidth=1.5, label=RANDOM)
            continue
        point = by[policy]
        low, high = _over_random(point)
        first, ring = same.get(policy, (None, 0))
        if first is None:
            axes.plot((point.tokens, point.tokens), (low, high), color=look.colour, linewidth=1.5, marker="_", zorder=2)
        size = 13 if policy == ORACLE else 8
        _, ring = upon.get(policy, (None, ring))
        sign: dict[str, Any] = {"linestyle": "none", "markersize": size, "markeredgewidth": 0.6}
        sign |= hollow(ring, size) if ring else {"markeredgecolor": "black"}
        label = labelled(policy, first)
        drawn = axes.plot(
            *([point.tokens], [point.score.mean]), color=look.colour, marker=look.marker, label=label, zorder=3, **sign
        )
        handles += drawn
    axes.set_xlim(0, max(1.05, max(point.tokens for point in by.values()) + 0.05))
    axes.margins(y=0.12)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("reader input, of reading everything")
    axes.set_ylabel(f"score, {made.plane.n:,} questions")
    axes.set_title("bars: 95 % interval of the distance to the random router", fontsize=10)
    legend(axes, handles=handles)
    return figure


def _over_random(point: Point) -> tuple[float, float]:
    """The ends of the bar; the point itself where there is no interval."""
    above = point.above_random
    if above is None:
        return point.score.mean, point.score.mean
    low, high = _ends(above)
    return point.score.mean - above.mean + low, point.score.mean - above.mean + high


def _ends(made: Interval) -> tuple[float, float]:
    return (made.mean, made.mean) if made.low is None or made.high is None else (made.low, made.high)


def _absence(made: Figures) -> Figure:
    """The scores, and what they are above `always_rag`: next to the slope that all share the differences are small."""
    figure = empty(10, 4.3)
    left, right = figure.subplots(1, 2)
    parts = {part.policy: part for part in made.absence.parts}
    base = parts.get(RAG, made.absence.parts[0])
    styles = looks(parts)
    upon = alike({policy: parts[policy].mixed for policy in styles})
    for policy, look in styles.items():
        mixed = parts[policy].mixed
        first, ring = upon.get(policy, (None, 0))
        left.plot(SHARES, mixed, **style(look, ring), label=labelled(policy, first))
        right.plot(SHARES, [a - b for a, b in zip(mixed, base.mixed, strict=True)], **style(look, ring))
    here = made.absence.unanswerable / (made.absence.answerable + made.absence.unanswerable)
    for axes in (left, right):
        plain(axes)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xlabel("share of questions without an answer")
        if here <= SHARES[-1]:
            axes.axvline(here, color=GREY, linewidth=1, linestyle=":")
    if here <= SHARES[-1]:
        place = {"xycoords": ("data", "axes fraction"), "xytext": (4, 0), "textcoords": "offset points"}
        left.annotate("this run", (here, 0.02), fontsize=9, color=GREY, **place)
    left.set_ylabel("score")
    right.set_ylabel(f"points above {named(base.policy)}")
    legend(left)
    return figure


def _declines(made: Figures) -> Figure:
    rows = [one for one in made.decisions if one.kind == "all"]
    figure, axes = single(8, 1.6 + 0.6 * len(rows))
    for number, one in enumerate(rows):
        left, aside = 0.0, False
        for name, label, colour, hatch in EFFECTS:
            count = getattr(one, name) + (one.silent if name == "missed" else 0)
            share = count / one.n
            axes.barh(
                number,
                share,
                0.62,
                left=left,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.8,
                label=label if number == 0 else None,
            )
            if count:
                # What does not fit within its part stands above or below it, in turn.
                thin = share < THIN
                above = thin and not aside
                height = number + (-0.42 if above else 0.42) * thin
                told = f"{count:,}"
                room = WIDE * len(told)  # so that it does not stand upon the axis
                axes.text(
                    *(min(max(left + share / 2, room), 1 - room), height, told),
                    ha="center",
                    va="center",
                    fontsize=8 if thin else 9,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.2 if thin else 1.2},
                )
                aside = above
            left += share
    axes.set_yticks(
        range(len(rows)), ["a decline\nof the chunks" if one.policy == DECLINE else named(one.policy) for one in rows]
    )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.grid(visible=False)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(f"of {rows[0].n:,} questions")
    legend(axes, columns=3)
    return figure


def _reliability(made: Figures) -> Figure:
    figure = empty(6, 6)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    by = {one.policy: one for one in made.reliability}
    top.plot((0, 1), (0, 1), color=GREY, linewidth=1, linestyle=":", label="as said")
    styles = looks(by)
    upon = alike({policy: [v for one in by[policy].bins for v in (one.confidence, one.right)] for policy in styles})
    width = 0.08 / len(styles)
    for number, (policy, look) in enumerate(styles.items()):
        bins = by[policy].bins
        first, ring = upon.get(policy, (None, 0))
        label = f"{named(policy)} (error {by[policy].error:.3f}{f', as {named(first)}' if first else ''})"
        top.plot([one.confidence for one in bins], [one.right for one in bins], **style(look, ring), label=label)
        places = [one.low + 0.01 + width * (number + 0.5) for one in bins]
        below.bar(places, [one.n for one in bins], width, color=look.colour, hatch=look.hatch, edgecolor="white")
    for axes in (top, below):
        plain(axes)
    top.set_xlim(0, 1)
    top.set_ylim(-0.05, 1.05)
    top.set_ylabel("share right")
    below.set_ylabel("answers")
    below.set_xlabel("confidence said")
    legend(top, columns=2)
    return figure


def _overlap(made: Figures) -> Figure:
    assert made.overlap is not None
    figure, axes = single(7, 4)
    centres = [(low + high) / 2 for low, high in pairwise(EDGES)]
    near = [abs(centre) <= NEAR for centre in centres]
    counts = made.overlap.histogram
    for inside, label, colour, hatch in (
        (True, "within 10 points", "#56B4E9", ""),
        (False, "further apart", "#E69F00", "///"),
    ):
        chosen = [(c, n) for c, n, is_near in zip(centres, counts, near, strict=True) if is_near is inside]
        axes.bar(
            [c for c, _ in chosen],
            [n for _, n in chosen],
            9,
            color=colour,
            hatch=hatch,
            edgecolor="black",
            linewidth=0.5,
            label=label,
        )
    axes.set_xlim(-105, 105)
    axes.set_xlabel("score from chunks less score from the document")
    axes.set_ylabel("questions")
    axes.set_title(
        f"{made.overlap.zero:,} of {made.overlap.n:,} questions have equal scores and are not drawn", fontsize=10
    )
    legend(axes)
    return figure


def _latency(made: Figures) -> Figure:
    figure, axes = single(7, 1.4 + 0.45 * len(made.spending.latency))
    by = {one.policy: one for one in made.spending.latency}
    for number, (policy, look) in enumerate(looks(by).items()):
        p50, p90, p95, p99 = by[policy].seconds
        axes.plot((p50, p99), (number, number), color=look.colour, linewidth=1.2)
        for seconds, sign, size in ((p50, look.marker, 8), (p90, "|", 12), (p95, "|", 12), (p99, "|", 12)):
            axes.plot([seconds], [number], sign, color=look.colour, markersize=size)
    axes.set_yticks(range(len(by)), list(map(named, looks(by))))
    axes.set_ylim(len(by) - 0.5, -0.5)
    if any(seconds > 0 for one in by.values() for seconds in one.seconds):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.set_xlabel("seconds a question: the half (sign),\nthen 90, 95 and 99 % (strokes)")
    return figure
