"""Absence, declines, reliability, overlap and spending, computed by hand from a few rows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from boards import declined, escalated, failed, hit, row, three, unable, use
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.report.absence import SHARES, absence
from selfroute.evaluation.report.board import board
from selfroute.evaluation.report.declines import DECLINE, Decisions, decisions, reliability
from selfroute.evaluation.report.examples import examples, losses, worst
from selfroute.evaluation.report.overlap import overlap
from selfroute.evaluation.report.spending import spending
from selfroute.evaluation.rows import Row
from selfroute.evaluation.texts import Text
from selfroute.types import Stage

ABSENT = {"answerable": False}


def test_both_kinds_are_averaged_apart_and_mixed_to_every_share() -> None:
    rows = [row("0", score=80.0), row("1", score=40.0), row("2", score=10.0, **ABSENT)]
    found = absence(board(rows))
    assert (found.answerable, found.unanswerable) == (2, 1)
    [part] = found.parts
    assert part.answerable is not None
    assert part.unanswerable is not None
    assert (part.answerable.mean, part.unanswerable.mean) == (60.0, 10.0)
    assert SHARES == (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
    assert part.mixed == tuple(pytest.approx((1 - u) * 60 + u * 10) for u in SHARES)


def test_the_best_policy_changes_with_the_share() -> None:
    rows = [row("0", "always_rag", 40.0), row("1", "always_rag", 100.0, **ABSENT)]
    rows += [row("0", "always_long", 60.0), row("1", "always_long", 50.0, **ABSENT)]
    found = absence(board(rows))
    assert (found.best(0), found.best(-1)) == ("always_long", "always_rag")


def test_questions_of_one_kind_have_no_mix() -> None:
    [part] = absence(board([row("0")])).parts
    assert (part.unanswerable, part.mixed) == (None, ())


def test_escalations_are_judged_by_what_the_document_gives() -> None:
    rows = three(
        [
            (0, 100, True),  # right
            (0, 0, True),  # no change
            (0, 100, False),  # missed: a false accept
            (100, 0, False),  # kept
            (60, 60, False),  # kept
        ]
    )
    rows += three([(100, 0, True)], **ABSENT, dataset="absent")  # wrong: the document's answer was made up
    [every, there, absent] = decisions(board(rows))
    assert every == Decisions("self_route", "all", 6, right=1, idle=1, wrong=1, missed=1, silent=0, kept=2)
    assert there == Decisions("self_route", "answerable", 5, right=1, idle=1, wrong=0, missed=1, silent=0, kept=2)
    assert absent == Decisions("self_route", "unanswerable", 1, right=0, idle=0, wrong=1, missed=0, silent=0, kept=0)
    assert (every.precision, every.recall) == (pytest.approx(1 / 3), 0.5)
    assert (absent.precision, absent.recall) == (0.0, None)


def test_without_self_route_the_declines_of_the_chunks_are_judged_by_themselves() -> None:
    rows = [r for r in three([(0, 100, True), (100, 100, False)]) if r.policy != "self_route"]
    made = decisions(board(rows))[0]
    assert (made.policy, made.right, made.kept) == (DECLINE, 1, 1)


def test_a_policy_that_keeps_a_decline_where_the_document_answers_is_silent() -> None:
    rows = [declined("0", "always_rag", 0.0), declined("0", "evidence_gated", 0.0), row("0", "always_long")]
    [every, _] = [d for d in decisions(board(rows)) if d.policy == "evidence_gated"]
    assert (every.missed, every.silent) == (0, 1)


@pytest.mark.parametrize("constant", ["always_rag", "always_long"])
def test_an_escalation_is_not_judged_by_a_constant_that_failed(constant: str) -> None:
    rows = three([(100, 0, True), (0, 100, True), (0, 100, False)])
    rows = [failed("0", constant) if (r.id, r.policy) == ("0", constant) else r for r in rows]
    rows = [failed("2", constant) if (r.id, r.policy) == ("2", constant) else r for r in rows]
    [every, _] = decisions(board(rows))
    assert every == Decisions("self_route", "all", 1, right=1, idle=0, wrong=0, missed=0, silent=0, kept=0)


def test_where_a_constant_failed_at_everything_there_are_no_decisions() -> None:
    rows = [r for r in three([(100, 0, True), (0, 100, False)]) if r.policy != "always_long"]
    assert decisions(board([*rows, failed("0", "always_long"), failed("1", "always_long")])) == ()


def test_decisions_need_both_constants() -> None:
    assert decisions(board([row("0"), escalated("0", 50.0)])) == ()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), min_size=1, max_size=20))
def test_every_question_is_counted_once(scores: list[tuple[int, int, bool]]) -> None:
    for made in decisions(board(three([(25.0 * a, 25.0 * b, d) for a, b, d in scores]))):
        assert made.n == made.right + made.idle + made.wrong + made.missed + made.silent + made.kept


def test_the_calibration_error_is_the_mean_distance_over_the_bins() -> None:
    said = [(0.95, 100.0), (0.91, 0.0), (0.2, 0.0), (0.25, 40.0)]
    rows = [row(str(n), score=score, confidence=sure) for n, (sure, score) in enumerate(said)]
    [found] = reliability(board([*rows, row("9")]))
    assert [(b.low, b.high, b.n, b.confidence, b.right) for b in found.bins] == [
        (0.2, 0.3, 2, pytest.approx(0.225), 0.0),
        (0.9, 1.0, 2, pytest.approx(0.93), 0.5),
    ]
    assert found.error == pytest.approx((2 * 0.225 + 2 * 0.43) / 4)
    assert (found.n, found.without) == (4, 1)


def test_certainty_falls_into_the_last_bin_and_declines_into_none() -> None:
    [found] = reliability(board([row("0", confidence=1.0), declined("1", "always_rag", 0.0, confidence=0.4)]))
    assert [(b.low, b.n) for b in found.bins] == [(0.9, 1)]


def test_without_confidence_there_is_no_reliability() -> None:
    assert reliability(board([row("0")])) == ()


def test_overlap_counts_identical_near_and_opposite_answers_and_shared_errors() -> None:
    rows: list[Row] = []
    for n, (rag, long, said, other) in enumerate(
        [
            (100.0, 100.0, "The Harbour", "harbour."),  # identical but for case and article
            (0.0, 0.0, "Berg", "Berg"),  # a shared error
            (0.0, 0.0, "Berg", "Dahl"),  # both wrong
            (60.0, 55.0, "a", "b"),  # near
            (100.0, 50.0, "a b", "a"),  # opposite: 50 apart
            (10.0, 35.0, "c", "d"),
        ]
    ):
        rows += [row(str(n), "always_rag", rag, prediction=said), row(str(n), "always_long", long, prediction=other)]
    rows += [declined("6", "always_rag", 0.0), declined("6", "always_long", 0.0)]
    found = overlap(board(rows))
    assert found is not None
    assert (found.n, found.identical, found.near, found.opposite) == (7, 3, 5, 1)
    assert (found.both_wrong, found.same_wrong, found.zero) == (4, 2, 4)
    assert sum(found.histogram) == 3
    assert found.histogram[12:16] == (0, 0, 0, 1)  # 50 lies in [50, 60)
    assert found.histogram[10] == 1  # 5
    assert found.histogram[7] == 1  # -25


def test_what_failed_is_no_agreement_and_is_counted_apart() -> None:
    rows = [row("0", score=0.0, prediction="a"), row("0", "always_long")]
    rows += [failed("1", "always_rag"), failed("1", "always_long")]
    rows += [row("2", score=0.0), failed("2", "always_long"), failed("3", "always_rag"), row("3", "always_long")]
    found = overlap(board(rows))
    assert found is not None
    assert (found.n, found.failed, found.identical, found.near, found.opposite, found.both_wrong) == (1, 3, 0, 0, 1, 0)


def test_without_a_pair_that_neither_failed_at_there_is_no_overlap() -> None:
    assert overlap(board([failed("0", "always_rag"), failed("0", "always_long")])) is None


def test_spending_is_summed_by_policy_and_stage() -> None:
    chunks, long = use(cached_input_tokens=40), use(Stage.READ_DOCUMENTS, input_tokens=900, cost=Decimal(2))
    rows = [row("0", stages=(chunks,)), row("1", stages=(replace(chunks, failed=1, calls=3, estimated=True),))]
    rows.append(escalated("0", 0.0, stages=(chunks, replace(long, cost=None))))
    found = spending(board(rows))
    assert [(s.policy, s.use.stage, s.use.calls, s.use.failed) for s in found.spent] == [
        ("always_rag", Stage.READ_CHUNKS, 4, 1),
        ("self_route", Stage.READ_CHUNKS, 1, 0),
        ("self_route", Stage.READ_DOCUMENTS, 1, 0),
    ]
    assert (found.spent[0].use.input_tokens, found.spent[0].use.cached_input_tokens) == (200, 80)
    assert (found.spent[0].use.cost, found.spent[0].use.estimated) == (Decimal("0.5"), True)
    assert found.spent[2].use.cost is None
    assert found.unrecorded == 0


def test_rows_that_do_not_say_what_each_stage_took_are_counted() -> None:
    found = spending(board([row("0"), row("1", stages=(use(),))]))
    assert found.unrecorded == 1


def test_latency_is_of_what_did_not_fail() -> None:
    rows = [row(str(n), seconds=float(n)) for n in range(101)] + [failed("200", "always_rag", seconds=9999.0)]
    [found] = spending(board(rows)).latency
    assert (found.n, found.seconds) == (101, (50.0, 90.0, 95.0, 99.0))


def test_failures_and_what_is_na_are_counted_by_what_was_said() -> None:
    rows = [failed("0", "always_rag"), failed("1", "always_rag"), unable("2", "always_rag")]
    found = spending(board(rows)).trouble
    assert [(t.policy, t.failed, t.said, t.n) for t in found] == [
        ("always_rag", True, "EndpointTimeout: too slow", 2),
        ("always_rag", False, "no such shape", 1),
    ]


CONTEXT = "The tower was painted in 1954 by Siri Dahl. " + "Wind and tide. " * 20 + "It burnt in 1962."
TEXTS = {("made", "0"): Text("Who painted the tower?", ("Siri Dahl",), CONTEXT)}


def lost(**values: object) -> list[Row]:
    """The chunks were wrong and the document, which cites `values`, was right."""
    return [row("0", "always_rag", 0.0, **values), row("0", "self_route", 0.0, **values), row("0", "always_long")]


def test_the_worst_losses_come_first_and_from_the_datasets_in_turn() -> None:
    rows = three([(0, 100, False), (0, 100, False), (0, 40, False)])
    rows += [replace(r, dataset="other", answerable=False) for r in three([(0, 100, False), (50, 50, False)])]
    made = board(rows)
    assert [made.questions[at] for at in worst(made)] == [("made", "0"), ("other", "0"), ("made", "1"), ("made", "2")]


def test_a_chunk_that_holds_the_missed_span_is_told_from_one_that_does_not() -> None:
    [made] = examples(board(lost(hits=(hit(300, 350), hit(0, 44)))), TEXTS)
    assert made.missed is not None
    assert (made.missed.text, made.missed.cited) == ("Siri Dahl", False)
    assert made.pieces is not None
    assert [(piece.holds, piece.text) for piece in made.pieces] == [(False, CONTEXT[300:350]), (True, CONTEXT[:44])]
    assert made.verdict == "a chunk held the span, and the reader did not take it"


def test_the_missed_span_is_what_the_better_reading_cites() -> None:
    rows = lost(hits=(hit(300, 320),))
    rows[2] = replace(rows[2], citations=(hit(0, 43),))
    [made] = examples(board(rows), TEXTS)
    assert made.missed is not None
    assert (made.missed.start, made.missed.end, made.missed.cited) == (0, 43, True)
    assert made.verdict == "no chunk held the span"


def test_without_the_dataset_places_are_shown_and_no_texts() -> None:
    rows = lost(hits=(hit(300, 320),))
    rows[2] = replace(rows[2], citations=(hit(0, 43),))
    [made] = examples(board(rows), {})
    assert (made.question, made.references) == (None, None)
    assert made.missed is not None
    assert (made.missed.start, made.missed.text) == (0, None)
    assert made.pieces is not None
    assert [piece.text for piece in made.pieces] == [None]


def test_rows_without_chunks_say_so() -> None:
    [made] = examples(board(lost()), TEXTS)
    assert made.pieces is None
    assert made.verdict == "which chunks were shown was not recorded"


def test_a_reference_that_stands_elsewhere_too_is_held_by_the_chunk_that_has_it() -> None:
    context = CONTEXT + " Siri Dahl was paid."
    at = len(CONTEXT)
    texts = {("made", "0"): Text("Who?", ("Siri Dahl",), context)}
    [made] = examples(board(lost(hits=(hit(at, len(context)),))), texts)
    assert made.missed is not None
    assert made.missed.start < 50
    assert made.verdict == "a chunk held the span, and the reader did not take it"


def test_recorded_answers_are_shown_without_chunks_for_they_were_given_to_others() -> None:
    [made] = examples(board(lost(hits=(hit(0, 44),), simulated=True)), TEXTS)
    assert made.pieces is None
    assert made.verdict == "which chunks were shown was not recorded"


def test_a_made_up_answer_has_no_missed_span() -> None:
    rows = [replace(r, answerable=False) for r in lost(hits=())]
    [made] = examples(board(rows), TEXTS)
    assert made.missed is None
    assert made.verdict == "the document holds no answer, and one was made up"


def test_losses_say_whether_retrieval_or_reading_failed() -> None:
    cited = (hit(0, 43),)
    rows = [row("0", score=0.0, hits=(hit(300, 320),)), row("0", "always_long", citations=cited)]
    rows += [declined("1", "always_rag", 0.0, hits=(hit(0, 99),)), row("1", "always_long", citations=cited)]
    rows += [row("2", score=0.0), row("2", "always_long", citations=cited)]
    rows += [row("3"), row("3", "always_long")]
    found = losses(board(rows))
    assert found is not None
    assert (found.n, found.not_retrieved, found.not_read, found.unknown, found.declined) == (3, 1, 1, 1, 1)
