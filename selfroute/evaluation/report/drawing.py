"""What all pictures of a report have in common: axes, labels, legends, and how what lies upon another is told from it.

Draws into memory by matplotlib's own canvas, without its global state. Knows nothing of figures of a report. Imported
only when a report is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any
from warnings import catch_warnings, simplefilter

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from selfroute.evaluation.report.looks import Look

DPI = 110
GREY = "#555555"
GRID = "#DDDDDD"
LONGEST_NAME = 40
COLUMNS = 5
MARGIN = 0.98
"""Of a figure's width that a legend may take."""
CLOSE = 0.09
"""Labels that are nearer to each other than this share of an axis would touch."""
SIZE, AROUND, RING = 6, 2, 3
"""Points of a sign, by how many more a ring around it is larger, and by how many more each further ring is."""
EQUAL = 1e-6


def empty(width: float, height: float) -> Figure:
    """Inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def single(width: float, height: float) -> tuple[Figure, Axes]:
    figure = empty(width, height)
    axes = figure.add_subplot()
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def legend(axes: Axes, columns: int = COLUMNS, handles: Sequence[Artist] = ()) -> None:
    """Below the axes, where it covers nothing, in as many columns as have room; `handles` in their order, else as they
    were drawn."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    shown = list(handles) or axes.get_legend_handles_labels()[0]
    for number in range(min(columns, max(len(shown), 1)), 0, -1):
        made = figure.legend(handles=shown, loc="outside lower center", ncols=number, frameon=False, fontsize=9)
        with catch_warnings():
            simplefilter("ignore", UserWarning)  # as in `png`
            wide = made.get_window_extent().width
        if number == 1 or wide <= MARGIN * figure.bbox.width:
            return
        made.remove()


def png(figure: Figure) -> bytes:
    file = BytesIO()
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # a name in letters that the font has not is a row of boxes
        figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def named(name: str) -> str:
    """A dataset's or policy's name as a label: short, on one line, and never taken for a formula."""
    plain = "".join(c if c.isprintable() else "?" for c in name).replace("$", r"\$")
    return plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME - 10]}…{plain[-9:]}"


def style(look: Look, ring: int = 0) -> dict[str, Any]:
    """Of a line with signs; one that lies upon `ring` others is a ring around their signs and has no line of its own,
    so that all can be seen."""
    made: dict[str, Any] = {"color": look.colour, "marker": look.marker, "linewidth": 1.5}
    return made | (hollow(ring) if ring else {"linestyle": look.dashes, "markersize": SIZE})


def hollow(ring: int, size: float = SIZE) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "markersize": size + AROUND + RING * ring,
        "markerfacecolor": "none",
        "markeredgewidth": 1.4,
    }


def alike(drawn: Mapping[str, Sequence[float]], near: Sequence[float] = ()) -> dict[str, tuple[str, int]]:
    """Which are drawn where another is: name -> (the first of those, how many stand there before it). `near` says for
    each place how far apart two may be and still be taken for one."""
    found: dict[str, tuple[str, int]] = {}
    firsts: dict[str, int] = {}
    for name, mine in drawn.items():
        limits = near or [EQUAL] * len(mine)
        for first in firsts:
            theirs = drawn[first]
            if len(mine) == len(theirs) and all(
                abs(a - b) <= limit for a, b, limit in zip(mine, theirs, limits, strict=True)
            ):
                firsts[first] += 1
                found[name] = (first, firsts[first])
                break
        else:
            firsts[name] = 0
    return found


def labelled(name: str, first: str | None) -> str:
    """`first` is another that is drawn in the same places."""
    return named(name) if first is None else f"{named(name)} (as {named(first)})"


def spaced(values: Sequence[float]) -> list[str]:
    """A label for each of the rising `values` of a logarithmic axis, empty where it would touch the one before it or
    the last, which both stay."""
    places = [math.log(value) for value in values]
    least = CLOSE * (places[-1] - places[0])
    labels, at = [], -math.inf
    for value, place in zip(values, places, strict=True):
        last = place == places[-1]
        free = last or (place - at >= least and (place == places[0] or places[-1] - place >= least))
        labels.append(f"{value:g}" if free else "")
        at = place if free else at
    return labels
