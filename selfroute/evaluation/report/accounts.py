"""The second half of the sections: declines, overlap, spending and the worst losses. As `chapters`."""

from __future__ import annotations

from collections.abc import Sequence

from selfroute.evaluation.report.board import HYBRID, LONG, RAG
from selfroute.evaluation.report.chapters import TWO_CONSTANTS
from selfroute.evaluation.report.declines import DECLINE
from selfroute.evaluation.report.examples import Example, Losses
from selfroute.evaluation.report.figures import Figures
from selfroute.evaluation.report.page import Block, Column, Picture, Section, Table, around
from selfroute.evaluation.report.spending import PERCENTILES
from selfroute.prompts import REASONS


def declines(made: Figures) -> Section:
    title = "Declines and escalations"
    blocks: list[Block] = []
    if made.decisions:
        columns = (
            *(Column("decided by"), Column("questions"), Column("n", "count")),
            *(Column("right", "count"), Column("no change", "count"), Column("wrong", "count")),
            *(Column("missed", "count"), Column("missed, silent", "count"), Column("kept", "count")),
            *(Column("precision", "share"), Column("recall", "share")),
        )
        rows = tuple(
            (d.policy, d.kind, d.n, d.right, d.idle, d.wrong, d.missed, d.silent, d.kept, d.precision, d.recall)
            for d in made.decisions
        )
        first = next(d for d in made.decisions if d.policy in (HYBRID, DECLINE))
        false = first.idle + first.wrong
        blocks += [
            "An escalation is right where the document gives more points than the chunks, changes nothing where it "
            "gives as many, and is wrong where it gives fewer. Missed: the document would have given more, and the "
            "answer from chunks stood (a false accept) or there was none (silent). Kept: not escalated, and rightly.",
            f"Of {first.right + false:,} declines of the chunks {first.right:,} gained by reading the document and "
            f"{false:,} did not (false escalations), {first.wrong:,} of them with fewer points than the decline. "
            f"{first.missed:,} answers from chunks were accepted where the document would have given more (false "
            "accepts).",
            *_untold(int(made.board.shared.sum()) - first.n),
            Picture("declines", "What escalating did, or would have done, by who decided"),
            Table("declines", columns, rows),
        ]
    else:
        blocks.append(TWO_CONSTANTS)
    blocks += _confidence(made)
    return Section(title, tuple(blocks))


def _confidence(made: Figures) -> list[Block]:
    if not made.reliability:
        return ["No answer tells its confidence, so there is no reliability diagram."]
    errors = (
        *(Column("policy"), Column("answers", "count"), Column("without", "count")),
        Column("calibration error", "fraction"),
    )
    bins = (
        *(Column("policy"), Column("from", "fraction"), Column("to", "fraction"), Column("answers", "count")),
        *(Column("mean confidence", "fraction"), Column("share right", "fraction")),
    )
    return [
        "Confidence is the probability that an answer is right (50 points or more). The calibration error is its mean "
        "distance from the share right, over ten bins.",
        Picture("reliability", "Share right over the confidence said"),
        Table("calibration", errors, tuple((r.policy, r.n, r.without, r.error) for r in made.reliability)),
        Table(
            "reliability",
            bins,
            tuple(
                (r.policy, one.low, one.high, one.n, one.confidence, one.right)
                for r in made.reliability
                for one in r.bins
            ),
        ),
    ]


def overlap(made: Figures) -> Section:
    title = "Answers from chunks and from documents"
    found = made.overlap
    if found is None:
        return Section(title, (TWO_CONSTANTS,))
    counted = (
        ("identical answers", found.identical),
        ("scores within 10 points", found.near),
        ("scores 50 points or more apart", found.opposite),
        ("both wrong (under 50)", found.both_wrong),
        ("both wrong in the same words", found.same_wrong),
    )
    columns = (Column("questions with"), Column("n", "count"), Column("share", "share"))
    return Section(
        title,
        (
            f"Of {found.n:,} questions {found.identical / found.n:.0%} have identical answers and "
            f"{found.near / found.n:.0%} have scores within 10 points (63 % and 70 % in the paper, which is of other "
            "models and datasets).",
            *_untold(found.failed),
            Picture("overlap", "How often the scores from chunks and document differ by how much"),
            Table("overlap", columns, tuple((name, n, n / found.n) for name, n in counted)),
        ),
    )


def _untold(failed: int) -> list[Block]:
    said = f"{failed:,} questions that {RAG} or {LONG} failed at are left out: what a failure scores is no answer's."
    return [said] if failed else []


def spending(made: Figures) -> Section:
    found = made.spending
    blocks: list[Block] = []
    columns: tuple[Column, ...]
    if found.simulated:
        blocks.append("Recorded answers were replayed: tokens and costs are estimates, and there is no latency.")
    if found.spent:
        columns = (
            *(Column("policy"), Column("stage"), Column("calls", "count"), Column("failed", "count")),
            *(Column("input", "count"), Column("cached", "count"), Column("cache writes", "count")),
            *(Column("output", "count"), Column("reasoning", "count"), Column("cost $", "cost"), Column("counted by")),
        )
        rows = tuple(
            (
                *(policy, use.stage.value, use.calls, use.failed, use.input_tokens, use.cached_input_tokens),
                *(use.cache_write_tokens, use.output_tokens, use.reasoning_tokens, use.cost),
                "estimate" if use.estimated else "the model",
            )
            for policy, use in ((spent.policy, spent.use) for spent in found.spent)
        )
        blocks += [
            "Each policy as if it had run alone; run.json says what was really read. Cached and cache writes are "
            "parts of input, reasoning is a part of output.",
            Table("stages", columns, rows),
        ]
    if found.unrecorded:
        blocks.append(
            f"{found.unrecorded:,} rows do not say what each stage took: an earlier version made them. A run in a new "
            "folder has it."
        )
    if found.latency:
        columns = (Column("policy"), Column("n", "count"), *(Column(f"{p} %", "seconds") for p in PERCENTILES))
        blocks += [
            "Seconds that all calls of a question took together, when they were really made, beside whatever else ran.",
            Picture("latency", "Percentiles of the seconds a question takes, by policy"),
            Table("latency", columns, tuple((one.policy, one.n, *one.seconds) for one in found.latency)),
        ]
    if found.trouble:
        columns = (Column("policy"), Column("what"), Column("n", "count"), Column("why"))
        kinds = tuple((one.policy, "failed" if one.failed else "n/a", one.n, one.said) for one in found.trouble)
        blocks.append(Table("failures", columns, kinds))
    else:
        blocks.append("No question failed, and none was n/a.")
    return Section("Tokens, cost, latency and failures", tuple(blocks))


def losses(made: Figures, shown: Sequence[Example], problems: Sequence[str]) -> Section:
    blocks: list[Block] = []
    if made.losses is not None:
        blocks += [_lost(made.losses), *_why(made)]
    if len(made.board.compared) < 2:
        blocks.append("A loss is against another policy: this needs rows of two.")
    elif not shown:
        blocks.append("No policy scored more than another on any question, so there is nothing to show.")
    else:
        blocks.append(f"Where {shown[0].policy} lost most under the best policy, from the datasets in turn.")
    blocks += [f"Not at hand: {problem}." for problem in problems]
    return Section("The worst losses", (*blocks, *shown))


def _why(made: Figures) -> list[Block]:
    if made.judged is None or not made.judged.why:
        return []
    why = made.judged.why
    rows = tuple((letter, REASONS[letter], n, n / sum(why.values())) for letter, n in why.items())
    columns = (Column("kind"), Column("why retrieval failed"), Column("n", "count"), Column("share", "share"))
    return [
        f"Why, as {made.judged.judge} sees it, on {sum(why.values()):,} of them{_at(made)}:",
        Table("why", columns, rows),
    ]


def judged(made: Figures) -> Section:
    title = "What a judge says"
    found = made.judged
    if found is None:
        return Section(
            title,
            ("No judge was asked. Name an endpoint as judge in the settings, and add --judge to eval or report.",),
        )
    columns: tuple[Column, ...]
    blocks: list[Block] = [
        f"{found.judge} graded the answers in words, 0 to 100, by the references. A decline is graded without it: "
        "right where the document holds no answer. Over the "
        f"{found.n:,} questions that have a grade under every policy{_at(made)}."
    ]
    if found.ungraded:
        blocks.append(f"{found.ungraded:,} answers have no grade, {found.failed:,} of them because the judge failed.")
    if found.graded:
        columns = (Column("policy"), Column("grade", "score"), Column("95 %", "interval"), Column("score", "score"))
        blocks.append(
            Table("grades", columns, tuple((g.policy, g.grade.mean, around(g.grade), g.score) for g in found.graded))
        )
    if found.pairs:
        columns = (
            *(Column("between"), Column("and"), Column("answers", "count")),
            *(Column("rank correlation", "fraction"), Column("mean difference", "score")),
        )
        blocks += [
            "How they agree on the answers that were graded, declines left out: Spearman's rank correlation, and the "
            "mean absolute difference in points.",
            Table("agreement", columns, tuple((p.one, p.other, p.n, p.rank, p.difference) for p in found.pairs)),
        ]
    use = found.use
    cost = "unknown" if use.cost is None else f"$ {use.cost.normalize():f}"
    blocks.append(
        f"Judging took {use.calls:,} calls ({use.failed:,} failed), {use.input_tokens:,} input tokens "
        f"({use.cached_input_tokens:,} cached), {use.output_tokens:,} output tokens; cost {cost}. It is in no token "
        "share."
    )
    return Section(title, tuple(blocks))


def _at(made: Figures) -> str:
    """Which k it is of, where the run has several."""
    return f" at k = {made.board.k}" if len(made.curve.ks) > 1 else ""


def _lost(found: Losses) -> str:
    if not found.n:
        return "On no answerable question were the chunks wrong and the document right."
    said = (
        f"On {found.n:,} answerable questions the chunks gave under 50 points and the document 50 or more; on "
        f"{found.declined:,} of them the chunks were declined."
    )
    if found.unknown < found.n:
        said += (
            f" On {found.not_retrieved:,} no chunk held what the document's answer cites, on {found.not_read:,} one "
            "did and the reader did not take it"
        )
        return said + (f"; on {found.unknown:,} nothing tells." if found.unknown else ".")
    return said + " Whether the chunks held the answer was not recorded."
