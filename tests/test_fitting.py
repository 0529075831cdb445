"""What a router is fitted on, and what is told of it: exact where it can be, out of fold where it must be."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from selfroute.errors import BadInput
from selfroute.evaluation.bothways import BothWays
from selfroute.evaluation.fitting import auroc, by_document, calibration_error, fitted, prices
from selfroute.routing.dial import Dial
from selfroute.routing.features import Features
from selfroute.types import Estimate, Readers

needs_scikit_learn = pytest.mark.skipif(find_spec("sklearn") is None, reason="needs the extra `calibrate`")

FEATURES = Features(0.5, 0.4, 0.1, 0.5, 0.2, 0.5, 0.1, 5.0, 6.0, 0, 0, 0, 0, 0.0, 1.0, 0.5)
ROW = BothWays("made", "made", "d", "0", True, 9000, FEATURES, 0, 0, 0, 0, 50, 1000, False, "Who?", "Olof", "", "", "")

COLD = Estimate(1000, None, (), True)


def rows(number: int = 200) -> list[BothWays]:
    """A decline always gains and an answer never does; every tenth is harmed."""
    made = []
    for n in range(number):
        features = replace(FEATURES, declined=float(n % 2), mentioned=(n % 7) / 7)
        scores = (100.0, 0.0) if n % 10 == 4 else (0.0, 100.0 * (n % 2))
        made.append(replace(ROW, id=str(n), doc_id=f"d{n % 8}", features=features, chunks=scores[0], stands=scores[1]))
    return made


def test_a_gain_is_what_stands_being_right_where_the_chunk_answer_was_not() -> None:
    assert replace(ROW, chunks=49, stands=50).gains
    assert not replace(ROW, chunks=50, stands=100).gains
    assert replace(ROW, chunks=50, stands=49).harms
    assert not replace(ROW, chunks=0, documents=100, stands=0).gains


@needs_scikit_learn
def test_a_router_learns_what_gains_and_tells_how_well_on_documents_it_did_not_see() -> None:
    router, [told] = fitted(rows(), {"runs": ["made"]})
    assert (told.rule, told.rows, told.documents, told.gains) == ("alone", 200, 8, 100)
    assert told.gain_auroc == pytest.approx(1.0)
    assert told.gain_error < 0.1
    decline, answer = (router.odds(replace(FEATURES, declined=declined), Readers.CHAT) for declined in (1.0, 0.0))
    assert decline is not None
    assert answer is not None
    assert decline.gain > 0.9 > 0.1 > answer.gain
    shares = [share for share, _, _ in told.curve]
    scores = dict(zip(shares, (score for _, score, _ in told.curve), strict=True))
    assert scores[0.5] == pytest.approx(60)  # all the gains, and no harm


def test_no_document_is_both_fitted_and_held_out() -> None:
    made = rows()
    folds = by_document(made)
    assert sorted(n for _, held in folds for n in held) == list(range(200))
    for kept, held in folds:
        assert not {made[n].doc_id for n in kept} & {made[n].doc_id for n in held}


@needs_scikit_learn
def test_where_nothing_ever_gains_a_router_says_so_and_is_no_error() -> None:
    router, [told] = fitted([replace(row, stands=row.chunks) for row in rows()], {})
    odds = router.odds(FEATURES, Readers.CHAT)
    assert told.gain_auroc is None
    assert odds is not None
    assert odds.gain < 0.02


def test_too_few_rows_or_documents_are_refused() -> None:
    with pytest.raises(BadInput, match="30 questions were read both ways, too few"):
        fitted(rows(30), {})
    with pytest.raises(BadInput, match="too few"):
        fitted([replace(row, doc_id="one") for row in rows()], {})


def test_the_price_of_a_share_is_what_the_last_reading_within_it_adds_and_ties_are_never_too_many() -> None:
    made = dict(prices(np.array([0.4, 0.3, 0.1, -0.2]), np.array([100.0, 100.0, 100.0, 100.0])))
    assert 0.4 < made[0.2] < 0.41  # the first alone would be a quarter
    assert made[0.3] == pytest.approx(0.4)
    assert made[0.5] == pytest.approx(0.3)
    assert made[1.0] == pytest.approx(-0.2)
    alike = dict(prices(np.array([0.4, 0.1, 0.1, 0.1]), np.full(4, 100.0)))
    assert (alike[0.5], alike[1.0]) == (pytest.approx(0.4), pytest.approx(0.1))
    assert list(made.values()) == sorted(made.values(), reverse=True)


@needs_scikit_learn
def test_a_share_that_is_aimed_at_is_the_share_that_the_routers_own_odds_take() -> None:
    """Platt's numbers shrink the odds: a price that was set before that would be too high for all of them."""
    rng = np.random.default_rng(3)
    made = [
        replace(
            ROW,
            id=str(n),
            doc_id=f"d{n % 40}",
            features=replace(FEATURES, top=top, entropy=float(rng.normal()), worded=float(rng.normal())),
            stands=100.0 * float(rng.random() < 1 / (1 + np.exp(2 - top))),
        )
        for n, top in enumerate(rng.normal(size=400).tolist())
    ]
    router, [told] = fitted(made, {})
    for share, _, tokens in told.curve:
        assert tokens == pytest.approx(share, abs=0.08)
    decided = [Dial(0.2).decide(router.odds(row.features, Readers.CHAT), False, COLD).escalates for row in made]
    assert np.mean(decided) == pytest.approx(0.2, abs=0.08)


@needs_scikit_learn
def test_rules_are_fitted_on_rows_of_their_own_readers() -> None:
    known = replace(FEATURES, judge_score=1.0, judge_confidence=0.5)
    bundled, mixed = (
        [replace(row, readers=kind, features=replace(known, declined=row.features.declined)) for row in rows()]
        for kind in (Readers.BUNDLED, Readers.MIXED)
    )
    router, told = fitted([*bundled, *mixed], {})
    assert [(rule.name, rule.readers) for rule in router.rules] == [
        ("bundled", Readers.BUNDLED),
        ("mixed", Readers.MIXED),
    ]
    assert [one.rows for one in told] == [200, 200]


def test_auroc_counts_ties_as_half_and_is_unknown_for_one_kind() -> None:
    assert auroc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(3.5 / 4)
    assert auroc(np.array([0.9]), np.array([1.0])) is None


def test_calibration_error_is_the_mean_distance_of_said_from_was() -> None:
    assert calibration_error(np.full(100, 0.5), np.tile([0.0, 1.0], 50)) == pytest.approx(0.0)
    assert calibration_error(np.full(100, 0.9), np.tile([0.0, 1.0], 50)) == pytest.approx(0.4)
    assert math.isfinite(calibration_error(np.array([0.2, 0.3]), np.array([0.0, 1.0])))
