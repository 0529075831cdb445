"""The gap closed, the random router's line and the oracle: by hand, and as properties of any rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boards import CHUNKS, FULL, escalated, row, three
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.report.board import board
from selfroute.evaluation.report.plane import ORACLE, Plane, Point, by_dataset, plane
from selfroute.evaluation.rows import Row

SCORES = st.lists(
    st.tuples(st.integers(0, 100).map(float), st.integers(0, 100).map(float), st.booleans()), min_size=1, max_size=12
)


def made(rows: list[Row]) -> Plane:
    found = plane(board(rows))
    assert found is not None
    return found


def point(rows: list[Row], policy: str) -> Point:
    [found] = [p for p in made(rows).points if p.policy == policy]
    return found


def test_the_gap_closed_is_the_share_of_the_way_from_the_better_constant_to_the_oracle() -> None:
    rows = three([(100, 0, False), (0, 100, True), (0, 100, False), (60, 100, False)])
    assert made(rows).better == "always_long"  # 75 against 40; the oracle has 100, self_route 65
    gap = point(rows, "self_route").gap
    assert gap is not None
    assert gap.mean == pytest.approx((65 - 75) / (100 - 75))


def test_the_oracle_takes_chunks_where_both_score_alike_and_pays_for_nothing_else() -> None:
    rows = three([(100, 100, False), (0, 100, True), (50, 20, False), (0, 0, True)])
    oracle = point(rows, ORACLE)
    assert oracle.score.mean == 62.5
    assert oracle.tokens == (CHUNKS + FULL + CHUNKS + CHUNKS) / (4 * FULL)
    assert made(rows).documents_needed == 0.25


def test_above_random_is_the_distance_to_the_line_between_the_constants_at_the_same_tokens() -> None:
    """always_rag has 40 at 10 %, always_long 80 at 100 %: at 55 % the line has 60."""
    rows = [r for n in "01" for r in (row(n, "always_rag", 40.0), row(n, "always_long", 80.0))]
    usage = {"input_tokens": 550}
    rows += [row(n, "mine", 70.0, usage=usage) for n in "01"]
    above = point(rows, "mine").above_random
    assert above is not None
    assert above.mean == pytest.approx(10.0)


def test_a_policy_that_reads_more_than_everything_is_compared_with_reading_everything() -> None:
    rows = [row("0", "always_rag", 40.0), row("0", "always_long", 80.0), escalated("0", 90.0)]
    above = point(rows, "self_route").above_random
    assert above is not None
    assert above.mean == pytest.approx(10.0)


def test_a_policy_stands_beside_either_constant_on_the_same_questions() -> None:
    scores = [(100, 0, False), (0, 100, True), (0, 100, False), (60, 100, False)]  # 40 and 75; self_route has 65
    hybrid = point(three(scores), "self_route")
    assert (hybrid.over_rag.mean, hybrid.over_long.mean) == (pytest.approx(25.0), pytest.approx(-10.0))
    long = point(three(scores), "always_long")
    assert (long.over_long.low, long.over_long.mean, long.over_long.high) == (0.0, 0.0, 0.0)


def test_where_the_oracle_gains_nothing_there_is_no_gap() -> None:
    assert point(three([(50, 50, False), (70, 70, True)]), "self_route").gap is None


def test_one_document_has_no_interval() -> None:
    gap = point(three([(0, 100, True), (100, 0, False), (100, 0, True)], doc_id="one"), "self_route").gap
    assert gap is not None
    assert (gap.low, gap.high) == (None, None)


def test_without_a_constant_there_is_no_plane() -> None:
    assert plane(board([row("0"), escalated("0", 50.0)])) is None


def test_each_of_several_datasets_has_its_own_plane() -> None:
    one, other = three([(100, 0, False)]), [replace(r, dataset="other") for r in three([(0, 100, True)])]
    found = by_dataset(board([*one, *other]))
    assert {dataset: p.better for dataset, p in found.items()} == {"made": "always_rag", "other": "always_long"}
    assert by_dataset(board(one)) == {}


@given(SCORES)
def test_the_better_constant_closes_nothing_and_the_oracle_all_of_any_gap(
    scores: list[tuple[float, float, bool]],
) -> None:
    found = made(three(scores))
    by = {p.policy: p for p in found.points}
    assert max(by["always_rag"].score.mean, by["always_long"].score.mean) == pytest.approx(by[found.better].score.mean)
    none, all_ = by[found.better].gap, by[ORACLE].gap
    if none is None or all_ is None:
        assert by[ORACLE].score.mean == pytest.approx(by[found.better].score.mean)
        return
    assert (none.mean, all_.mean) == (pytest.approx(0.0), pytest.approx(1.0))
    assert none.low is None or (none.low, none.high) == (pytest.approx(0.0), pytest.approx(0.0))
    assert all_.low is None or (all_.low, all_.high) == (pytest.approx(1.0), pytest.approx(1.0))


@given(SCORES)
def test_no_policy_over_the_two_readings_is_better_than_the_oracle(scores: list[tuple[float, float, bool]]) -> None:
    found = made(three(scores))
    best = found.points[-1]
    assert best.policy == ORACLE
    assert all(p.score.mean <= best.score.mean + 1e-9 for p in found.points)
    assert all(p.gap is None or p.gap.mean <= 1 + 1e-9 for p in found.points)


@given(SCORES, st.floats(0, 1))
def test_the_random_router_lies_on_the_line_between_the_constants(
    scores: list[tuple[float, float, bool]], share: float
) -> None:
    """A router that draws lots has, on average, this score and these tokens: it is not above random."""
    rows = three(scores)
    by = {(r.id, r.policy): r for r in rows}
    mixed = []
    for n in range(len(scores)):
        rag, long = by[str(n), "always_rag"], by[str(n), "always_long"]
        score = (1 - share) * (rag.score or 0) + share * (long.score or 0)
        tokens = {"input_tokens": (1 - share) * CHUNKS + share * FULL}
        mixed.append(row(str(n), "lots", score, usage=tokens))
    above = point([*rows, *mixed], "lots").above_random
    assert above is not None
    assert above.mean == pytest.approx(0.0, abs=1e-6)


@given(SCORES)
def test_both_constants_are_the_ends_of_the_random_routers_line(scores: list[tuple[float, float, bool]]) -> None:
    rows = three(scores)
    for policy in ("always_rag", "always_long"):
        above = point(rows, policy).above_random
        assert above is not None
        assert above.mean == pytest.approx(0.0, abs=1e-9)
