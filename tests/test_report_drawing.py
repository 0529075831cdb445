"""What lies upon another is told from it, labels do not touch, and legends are as wide as their picture at most."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boards import three
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from selfroute.evaluation.report import plots
from selfroute.evaluation.report.drawing import alike, labelled, legend, single, spaced, style
from selfroute.evaluation.report.figures import figures
from selfroute.evaluation.report.looks import LOOKS
from selfroute.evaluation.rows import Row

SCORES = [(100.0, 0.0, False), (0.0, 100.0, True), (40.0, 70.0, False), (0.0, 0.0, True), (55.0, 50.0, False)]


def test_what_is_drawn_in_the_same_places_is_known_and_counted() -> None:
    drawn = {"a": (1.0, 2.0), "b": (1.0, 2.5), "c": (1.0, 2.0), "d": (1.0, 2.0 + 1e-9), "e": (1.0,)}
    assert alike(drawn) == {"c": ("a", 1), "d": ("a", 2)}


def test_near_is_taken_for_the_same_where_signs_would_cover_each_other() -> None:
    assert alike({"a": (0.5, 40.0), "b": (0.505, 40.2), "c": (0.6, 40.0)}, (0.01, 0.5)) == {"b": ("a", 1)}


def test_what_lies_upon_another_is_a_ring_without_a_line_and_says_whose_place_it_has() -> None:
    look = LOOKS["evidence_gated"]
    above, below = style(look, 1), style(look)
    assert (above["markerfacecolor"], above["linestyle"]) == ("none", "none")
    assert below["linestyle"] == look.dashes
    assert below["markersize"] < above["markersize"] < style(look, 2)["markersize"]
    assert labelled("evidence_gated", "self_route") == "evidence_gated (as self_route)"
    assert labelled("evidence_gated", None) == "evidence_gated"


def with_twin() -> list[Row]:
    rows = [replace(r, confidence=0.7) for r in three(SCORES)]
    rows += [replace(r, id=f"absent-{r.id}", answerable=False) for r in rows]
    return rows + [replace(r, policy="evidence_gated") for r in rows if r.policy == "self_route"]


def legend_of(figure: Figure) -> list[str]:
    [made] = figure.legends
    return [text.get_text() for text in made.get_texts()]


@pytest.mark.parametrize("name", ["_plane", "_absence", "_reliability", "_curve"])
def test_two_policies_that_decide_alike_are_both_seen_and_told_to_be_alike(name: str) -> None:
    rows = with_twin()
    figure = getattr(plots, name)(figures([*rows, *[replace(r, k=10) for r in rows]]))
    [told] = [text for text in legend_of(figure) if text.startswith("evidence_gated")]
    assert "as self_route)" in told
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    assert lines[told].get_markerfacecolor() == "none"
    [other] = [line for label, line in lines.items() if label.startswith("self_route")]
    assert other.get_markerfacecolor() != "none"


@pytest.mark.parametrize(
    ("ks", "labels"),
    [
        ((1, 5, 10, 20, 50), ["1", "5", "10", "20", "50"]),
        ((1, 2, 3, 4, 5, 6), ["1", "2", "3", "4", "5", "6"]),
        ((1, 5, 6, 10, 99, 100), ["1", "5", "", "10", "", "100"]),
    ],
)
def test_labels_of_k_that_would_touch_are_left_out(ks: tuple[int, ...], labels: list[str]) -> None:
    assert spaced(ks) == labels


def test_with_many_k_the_first_and_the_last_keep_their_labels() -> None:
    labels = spaced(range(1, 101))
    assert (labels[0], labels[-1]) == ("1", "100")
    assert 5 < len([label for label in labels if label]) < 12


@pytest.mark.parametrize("length", [5, 40])
def test_a_legend_is_never_wider_than_its_picture(length: int) -> None:
    figure, axes = single(7.5, 4.8)
    for number in range(8):
        axes.plot([0], [0], "o", label=str(number) * length)
    legend(axes)
    [made] = figure.legends
    assert isinstance(made, Legend)
    assert made.get_window_extent().width <= figure.bbox.width
    assert len(legend_of(figure)) == 8


def test_a_number_above_a_thin_part_of_a_bar_does_not_stand_on_the_axis() -> None:
    rows = three([(0, 100, True), *[(100, 100, False)] * 198, (100, 0, True)])
    figure = plots._declines(figures(rows))
    [axes] = figure.axes
    figure.draw_without_rendering()
    numbers = [text for text in axes.texts if text.get_text() in ("1", "198")]
    assert len(numbers) == 3
    for text in numbers:
        extent = text.get_window_extent()
        assert axes.bbox.x0 < extent.x0
        assert extent.x1 < axes.bbox.x1
