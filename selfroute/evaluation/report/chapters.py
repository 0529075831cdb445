"""Figures as sections: what is shown, in which order, and what is said where something is missing. Pure.

What follows from the figures is said in a sentence, so that nobody has to read it off a picture; each section says
over which questions it is, and why it is empty where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfroute.evaluation.report.absence import SHARES
from selfroute.evaluation.report.board import HYBRID, LONG, RAG
from selfroute.evaluation.report.figures import Figures
from selfroute.evaluation.report.page import Block, Column, Picture, Section, Table, around, mean
from selfroute.evaluation.report.plane import ORACLE, Point
from selfroute.evaluation.report.scores import MACRO, MICRO, Crossing, Curve

TWO_CONSTANTS = (
    f"This needs rows of both {RAG} and {LONG} at the same k, of questions that they read and did not fail at: run "
    "them in the same folder."
)


def compared(made: Figures) -> str:
    """Over which questions policies are compared, and what that leaves out."""
    board = made.board
    policies = ", ".join(line.policy for line in board.compared)
    said = f"Over the {board.shared.sum():,} questions that all of {policies} scored"
    if board.left_out:
        said += f"; {board.left_out:,} that some of them did not are left out"
    for line in board.partial:
        said += f"; {line.policy} scored only {line.scored.sum():,} and is left out"
    return said + "."


def scores(made: Figures) -> Section:
    rows = tuple(
        (
            *(e.dataset, e.policy, mean(e.score), around(e.score), e.n, e.failed, e.na),
            *(e.from_chunks, e.token_share, e.cost if e.asked else ""),
        )
        for e in made.table1
    )
    columns = (
        *(Column("dataset"), Column("policy"), Column("score", "score"), Column("95 %", "interval")),
        *(Column("n", "count"), Column("failed", "count"), Column("n/a", "count")),
        *(Column("from chunks", "share"), Column("tokens", "share"), Column("cost $", "cost")),
    )
    failed = sum(e.failed for e in made.table1 if e.dataset not in (MACRO, MICRO))
    blocks: list[Block] = [
        "Scores are 0 to 100. Intervals are of a bootstrap that draws documents. From chunks: answered without reading "
        "a document. Tokens: reader input, of what reading everything takes."
    ]
    if made.board.shared.any():
        averages = f"'{MACRO}' counts each alike, and '{MICRO}' counts questions" if _several(made) else f"'{MICRO}'"
        blocks.append(f"The averages ({averages}): {_lower(compared(made))}")
    if failed:
        blocks.append(f"{failed:,} rows failed: they score 0 and stay in every average.")
    blocks += [
        Picture("scores", "Score of every policy on each dataset, with intervals"),
        Table("scores", columns, rows),
    ]
    return Section("Scores, tokens and cost", tuple(blocks))


def curve(made: Figures) -> Section:
    found = made.curve
    blocks: list[Block] = []
    if len(found.ks) == 1:
        blocks.append(f"All rows have k = {found.ks[0]}, so there is no curve: run with several, as --k 1,5,10,50.")
    elif found.points:
        columns = (
            *(Column("k", "count"), Column("policy"), Column("score", "score"), Column("95 %", "interval")),
            *(Column("n", "count"), Column("tokens", "share")),
        )
        rows = tuple((p.k, p.policy, p.score.mean, around(p.score), p.n, p.token_share) for p in found.points)
        blocks += [_over(found), Picture("k", "Score and tokens of every policy over k"), Table("k", columns, rows)]
    else:
        several = ", ".join(map(str, found.ks))
        blocks.append(
            f"No question was scored at every k ({several}) by all policies that were asked there, so there is no "
            "curve, and no k can be told from which the hybrid costs more than reading everything: ask the same "
            "questions at each."
        )
        return Section("Over k", tuple(blocks))
    blocks.append(_crossing(found.crossing))
    return Section("Over k", tuple(blocks))


def _over(found: Curve) -> str:
    """Over which questions every k is, and what that leaves out."""
    said = f"Over the {found.n:,} questions that were scored at every k by all policies asked there"
    if found.left_out:
        said += f"; {found.left_out:,} that were not are left out"
    for one in found.few:
        said += f"; {one.policy} at k = {one.k} scored only {one.n:,} of those asked at every k and is left out"
    return said + "."


def _crossing(found: Crossing | None) -> str:
    if found is None:
        return (
            f"Where the hybrid costs more than reading everything cannot be told without questions that {HYBRID} read "
            "and did not fail at, among those that all compared policies scored."
        )
    parts = (
        f"At k = {found.at} {HYBRID} reads {found.chunks:.1%} of everything in chunks and {found.escalated:.1%} in "
        f"documents that it reads nevertheless, {found.chunks + found.escalated:.1%} together."
    )
    if found.k is None:
        return parts
    if found.estimated:
        return (
            f"{parts} It would cost more than reading everything from about k = {found.k:.0f}, if each chunk takes "
            "what it does here and as much is escalated (with more chunks it is less, which moves the point up)."
        )
    return f"{parts} It costs more than reading everything from about k = {found.k:.0f}."


def plane(made: Figures) -> Section:
    title = "Quality over tokens"
    if made.plane is None:
        return Section(title, (TWO_CONSTANTS,))
    columns = (
        *(Column("policy"), Column("score", "score"), Column("95 %", "interval"), Column("tokens", "share")),
        *(Column("gap closed", "ratio"), Column("95 % of the gap", "shares")),
        *(Column("above random", "points"), Column("95 % of that", "interval")),
    )
    rows = tuple(
        (
            *(p.policy, p.score.mean, around(p.score), p.tokens),
            *(mean(p.gap), around(p.gap), mean(p.above_random), around(p.above_random)),
        )
        for p in made.plane.points
    )
    routers = [p for p in made.plane.points if p.policy not in (RAG, LONG, ORACLE)]
    blocks: list[Block] = [
        compared(made),
        f"The better constant is {made.plane.better}. The oracle knows which of the two constants scores more, takes "
        f"the chunks where they are equal, and reads a document for {made.plane.documents_needed:.1%} of the "
        "questions. The gap closed is (policy - better constant) / (oracle - better constant). Above random: points "
        "over the router that draws lots and reads as much.",
        *[_gap(point, made.plane.better) for point in routers],
        Picture("plane", "Every policy by its score and tokens, the random router's line, and the oracle"),
        Table("plane", columns, rows),
        *([_beside(routers)] if routers else []),
    ]
    if routers and made.by_dataset:
        blocks.append(_by_dataset(made))
    return Section(title, tuple(blocks))


def _by_dataset(made: Figures) -> Table:
    """The routers alone: what a constant does stands in the scores."""
    columns = (
        *(Column("dataset"), Column("policy"), Column("n", "count"), Column("better constant")),
        *(Column("gap closed", "ratio"), Column("95 % of the gap", "shares")),
        *(Column("above random", "points"), Column("95 % of that", "interval")),
    )
    rows = tuple(
        (
            *(dataset, p.policy, one.n, one.better),
            *(mean(p.gap), around(p.gap), mean(p.above_random), around(p.above_random)),
        )
        for dataset, one in made.by_dataset.items()
        for p in one.points
        if p.policy not in (RAG, LONG, ORACLE)
    )
    return Table("gaps", columns, rows)


def _beside(routers: Sequence[Point]) -> Table:
    columns = (
        *(Column("policy"), Column("over always_rag", "points"), Column("95 %", "interval")),
        *(Column("over always_long", "points"), Column("95 % of that", "interval")),
    )
    rows = tuple(
        (p.policy, p.over_rag.mean, around(p.over_rag), p.over_long.mean, around(p.over_long)) for p in routers
    )
    return Table("constants", columns, rows)


def _gap(point: Point, better: str) -> str:
    if point.gap is None:
        return f"{point.policy}: there is no gap to close, for the oracle scores no more than {better}."
    closed = f"{point.policy} closes {point.gap.mean:.0%} of the gap"
    if point.gap.low is None or point.gap.high is None:
        return f"{closed}; the documents are too few for an interval."
    zero = " The interval includes zero." if point.gap.low <= 0 <= point.gap.high else ""
    return f"{closed} ({point.gap.low:.0%} to {point.gap.high:.0%}).{zero} {_told(point)}"


def _told(point: Point) -> str:
    """Whether a policy is better than the constants, as far as the questions tell: better than both it is where it is
    so of either."""
    over = {RAG: point.over_rag, LONG: point.over_long}
    worse = [name for name, one in over.items() if one.high is not None and one.high < 0]
    better = [name for name, one in over.items() if one.low is not None and one.low > 0]
    unknown = [name for name in over if name not in worse and name not in better]
    said = (("better than", better), ("worse than", worse))
    told = [f"It is {how} {' and '.join(names)}" for how, names in said if names]
    if unknown:
        told.append(f"Whether it is better than {' or '.join(unknown)} cannot be told from this run")
    return ". ".join(told) + "."


def absence(made: Figures) -> Section:
    found = made.absence
    title = "Questions with and without an answer"
    columns = (
        *(Column("policy"), Column("answerable", "score"), Column("95 %", "interval")),
        *(Column("unanswerable", "score"), Column("95 % of that", "interval")),
        *(Column(f"at {share:.0%}", "score") for share in SHARES),
    )
    rows = tuple(
        (
            part.policy,
            *(mean(part.answerable), around(part.answerable)),
            *(mean(part.unanswerable), around(part.unanswerable)),
            *(part.mixed or (None,) * len(SHARES)),
        )
        for part in found.parts
    )
    if not found.answerable + found.unanswerable:
        return Section(title, ("No question was scored by all policies.",))
    blocks: list[Block] = [
        f"{found.answerable:,} questions that the document answers, {found.unanswerable:,} that it does not.",
    ]
    if found.answerable and found.unanswerable:
        blocks += [
            f"Weighted to no unanswerable questions {found.best(0)} scores highest, to half of them {found.best(-1)}.",
            Picture("absence", "Score of every policy over the share of unanswerable questions"),
        ]
    else:
        kind = "answerable" if found.answerable else "unanswerable"
        blocks.append(f"All are {kind}, so there is no curve over their share.")
    return Section(title, (*blocks, Table("absence", columns, rows)))


def _several(made: Figures) -> bool:
    return any(entry.dataset == MACRO for entry in made.table1)


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
