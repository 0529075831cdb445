"""The pictures of a report, as PNG. What tells policies apart is never colour alone: each has its sign and dashes too.

Draws into memory by matplotlib's own canvas, without its global state; equal figures give equal bytes. Imported only
when a report is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any
from warnings import catch_warnings, simplefilter

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, PercentFormatter

from selfroute.evaluation.report.absence import SHARES
from selfroute.evaluation.report.board import LONG, RAG
from selfroute.evaluation.report.declines import DECLINE
from selfroute.evaluation.report.figures import Figures
from selfroute.evaluation.report.looks import Look, looks
from selfroute.evaluation.report.overlap import EDGES, NEAR
from selfroute.evaluation.report.plane import ORACLE, Point
from selfroute.evaluation.report.scores import MACRO, MICRO
from selfroute.evaluation.statistics import Interval

DPI = 110
GREY = "#555555"
GRID = "#DDDDDD"
LONGEST_NAME = 40
RANDOM = "random router"
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
        "k": (len(made.curve.ks) > 1, _curve),
        "plane": (made.plane is not None, _plane),
        "absence": (any(part.mixed for part in made.absence.parts), _absence),
        "declines": (bool(made.decisions), _declines),
        "reliability": (bool(made.reliability), _reliability),
        "overlap": (made.overlap is not None and made.overlap.n > made.overlap.zero, _overlap),
        "latency": (bool(made.spending.latency), _latency),
    }
    return {name: _png(draw(made)) for name, (there, draw) in wanted.items() if there}


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # a name in letters that the font has not is a row of boxes
        figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def _named(name: str) -> str:
    """A dataset's or policy's name as a label: short, on one line, and never taken for a formula."""
    plain = "".join(c if c.isprintable() else "?" for c in name).replace("$", r"\$")
    return plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME - 10]}…{plain[-9:]}"


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(axes: Axes, columns: int = 5, handles: Sequence[Artist] = ()) -> None:
    """Below the axes, where it covers nothing; `handles` in their order, else as they were drawn."""
    shown = list(handles) or axes.get_legend_handles_labels()[0]
    axes.figure.legend(handles=shown, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def _scores(made: Figures) -> Figure:
    entries = [entry for entry in made.table1 if entry.score is not None]
    datasets = list(dict.fromkeys(entry.dataset for entry in entries))
    policies = looks(entry.policy for entry in entries)
    figure, axes = _axes(8, 1.3 + len(datasets) * (0.2 + 0.17 * len(policies)))
    step = 0.72 / max(len(policies), 1)
    for number, (policy, look) in enumerate(policies.items()):
        mine = [entry for entry in entries if entry.policy == policy]
        heights = [datasets.index(entry.dataset) - 0.36 + step * (number + 0.5) for entry in mine]
        scores = [entry.score for entry in mine if entry.score is not None]
        axes.hlines(heights, *zip(*map(_ends, scores), strict=True), color=look.colour, linewidth=1.2)
        sign: dict[str, Any] = {"marker": look.marker, "markersize": 6, "linestyle": "none"}
        axes.plot([score.mean for score in scores], heights, color=look.colour, label=_named(policy), **sign)
    averages = [name for name in (MACRO, MICRO) if name in datasets]
    if averages and len(averages) < len(datasets):
        axes.axhline(len(datasets) - len(averages) - 0.5, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(datasets)), list(map(_named, datasets)))
    axes.set_ylim(len(datasets) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("score, with its 95 % interval")
    _legend(axes)
    return figure


def _curve(made: Figures) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for policy, look in looks(point.policy for point in made.curve.points).items():
        mine = [point for point in made.curve.points if point.policy == policy]
        shares = [(point.k, point.token_share) for point in mine if point.token_share is not None]
        left.plot([p.k for p in mine], [p.score.mean for p in mine], **_style(look), label=_named(policy))
        right.plot([k for k, _ in shares], [share for _, share in shares], **_style(look))
    for axes in (left, right):
        _plain(axes)
        axes.set_xscale("log")
        axes.set_xticks(made.curve.ks, [str(k) for k in made.curve.ks])
        axes.minorticks_off()
        axes.set_xlabel("k, chunks retrieved")
    left.set_ylabel("score")
    right.axhline(1, color=GREY, linewidth=1, linestyle=":")
    right.set_ylim(bottom=0)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_ylabel("reader input, of reading everything")
    _legend(left)
    return figure


def _style(look: Look) -> dict[str, Any]:
    return {"color": look.colour, "marker": look.marker, "linestyle": look.dashes, "markersize": 6, "linewidth": 1.5}


def _plane(made: Figures) -> Figure:
    """Bars are of the distance to the random router, which is over the same draws: how hard the questions are, on
    which all policies agree, is not in them."""
    assert made.plane is not None
    figure, axes = _axes(7.5, 4.8)
    by = {point.policy: point for point in made.plane.points}
    rag, long = by[RAG], by[LONG]
    handles: list[Artist] = []
    for policy, look in looks([*by, RANDOM]).items():
        if policy == RANDOM:
            ends = (rag.tokens, long.tokens), (rag.score.mean, long.score.mean)
            handles += axes.plot(*ends, color=look.colour, linestyle=look.dashes, linewidth=1.5, label=RANDOM)
            continue
        point = by[policy]
        low, high = _over_random(point)
        axes.plot((point.tokens, point.tokens), (low, high), color=look.colour, linewidth=1.5, marker="_", zorder=2)
        size = 13 if policy == ORACLE else 8
        sign: dict[str, Any] = {
            "marker": look.marker,
            "markersize": size,
            "markeredgecolor": "black",
            "markeredgewidth": 0.6,
        }
        handles += axes.plot(
            [point.tokens],
            [point.score.mean],
            color=look.colour,
            linestyle="none",
            label=_named(policy),
            zorder=3,
            **sign,
        )
    axes.set_xlim(0, max(1.05, max(point.tokens for point in by.values()) + 0.05))
    axes.margins(y=0.12)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("reader input, of reading everything")
    axes.set_ylabel(f"score, {made.plane.n:,} questions")
    axes.set_title("bars: 95 % interval of the distance to the random router", fontsize=10)
    _legend(axes, handles=handles)
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
    figure = Figure(figsize=(10, 4.3), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    parts = {part.policy: part for part in made.absence.parts}
    base = parts.get(RAG, made.absence.parts[0])
    for policy, look in looks(parts).items():
        mixed = parts[policy].mixed
        left.plot(SHARES, mixed, **_style(look), label=_named(policy))
        right.plot(SHARES, [a - b for a, b in zip(mixed, base.mixed, strict=True)], **_style(look))
    here = made.absence.unanswerable / (made.absence.answerable + made.absence.unanswerable)
    for axes in (left, right):
        _plain(axes)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xlabel("share of questions without an answer")
        if here <= SHARES[-1]:
            axes.axvline(here, color=GREY, linewidth=1, linestyle=":")
    if here <= SHARES[-1]:
        place = {"xycoords": ("data", "axes fraction"), "xytext": (4, 0), "textcoords": "offset points"}
        left.annotate("this run", (here, 0.02), fontsize=9, color=GREY, **place)
    left.set_ylabel("score")
    right.set_ylabel(f"points above {_named(base.policy)}")
    _legend(left)
    return figure


def _declines(made: Figures) -> Figure:
    rows = [one for one in made.decisions if one.kind == "all"]
    figure, axes = _axes(8, 1.6 + 0.6 * len(rows))
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
                axes.text(
                    *(left + share / 2, height, f"{count:,}"),
                    ha="center",
                    va="center",
                    fontsize=8 if thin else 9,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.2 if thin else 1.2},
                )
                aside = above
            left += share
    axes.set_yticks(
        range(len(rows)), ["a decline\nof the chunks" if one.policy == DECLINE else _named(one.policy) for one in rows]
    )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.grid(visible=False)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(f"of {rows[0].n:,} questions")
    _legend(axes, columns=3)
    return figure


def _reliability(made: Figures) -> Figure:
    figure = Figure(figsize=(6, 6), layout="constrained")
    FigureCanvasAgg(figure)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    by = {one.policy: one for one in made.reliability}
    top.plot((0, 1), (0, 1), color=GREY, linewidth=1, linestyle=":", label="as said")
    styles = looks(by)
    width = 0.08 / len(styles)
    for number, (policy, look) in enumerate(styles.items()):
        bins = by[policy].bins
        label = f"{_named(policy)} (error {by[policy].error:.3f})"
        top.plot([one.confidence for one in bins], [one.right for one in bins], **_style(look), label=label)
        places = [one.low + 0.01 + width * (number + 0.5) for one in bins]
        below.bar(places, [one.n for one in bins], width, color=look.colour, hatch=look.hatch, edgecolor="white")
    for axes in (top, below):
        _plain(axes)
    top.set_xlim(0, 1)
    top.set_ylim(-0.02, 1.02)
    top.set_ylabel("share right")
    below.set_ylabel("answers")
    below.set_xlabel("confidence said")
    _legend(top, columns=2)
    return figure


def _overlap(made: Figures) -> Figure:
    assert made.overlap is not None
    figure, axes = _axes(7, 4)
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
    _legend(axes)
    return figure


def _latency(made: Figures) -> Figure:
    figure, axes = _axes(7, 1.4 + 0.45 * len(made.spending.latency))
    by = {one.policy: one for one in made.spending.latency}
    for number, (policy, look) in enumerate(looks(by).items()):
        p50, p90, p95, p99 = by[policy].seconds
        axes.plot((p50, p99), (number, number), color=look.colour, linewidth=1.2)
        for seconds, sign, size in ((p50, look.marker, 8), (p90, "|", 12), (p95, "|", 12), (p99, "|", 12)):
            axes.plot([seconds], [number], sign, color=look.colour, markersize=size)
    axes.set_yticks(range(len(by)), list(map(_named, looks(by))))
    axes.set_ylim(len(by) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.set_xlabel("seconds a question: the half (sign), then 90, 95 and 99 % (strokes)")
    return figure
