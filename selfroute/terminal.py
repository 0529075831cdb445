"""What a person sees: answers, summaries and sums as text and tables. Returns Rich renderables; prints nothing.

Documents, questions and names are other people's text: neither Rich's markup nor a terminal's control
characters in them have an effect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from selfroute.ingest.finder import counted

if TYPE_CHECKING:
    from selfroute.changes import Summary
    from selfroute.doctor import Check
    from selfroute.evaluation.calibration import Calibrated
    from selfroute.evaluation.comparison import Difference, Lone
    from selfroute.evaluation.evaluator import Progress, Result
    from selfroute.evaluation.judging import Judged
    from selfroute.evaluation.summary import Cell
    from selfroute.index.upkeep import DocumentInfo, Listed, Problem, Repaired, Stats, StoredDocument
    from selfroute.ledger import UsageRow
    from selfroute.ledger.upkeep import Holdings
    from selfroute.server.keyring import Key
    from selfroute.types import Answer, Citation, Forecast

MOST_FAILURES = 20
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""All control characters but tab and line feed, and those that turn the direction of writing."""


def answer(given: Answer) -> RenderableType:
    """The question, the answer, its evidence, what was read for it and what reading everything would have cost."""
    return Group(question(given.question), outcome(given))


def question(text: str | None) -> RenderableType:
    return _line("question", text or "(none)")


def outcome(given: Answer) -> RenderableType:
    """What follows the question."""
    return Group(_line("answer", given.answer if given.answer is not None else "none", "bold"), account(given))


def account(given: Answer) -> RenderableType:
    """What follows the answer's text."""
    parts: list[RenderableType] = [
        _line("outcome", given.outcome.value, "green" if given.answer is not None else "yellow"),
        _line("route", f"{given.route.value} ({given.policy}: {' -> '.join(given.path)})"),
    ]
    if rewritten := given.explain.get("rewritten"):
        parts.append(_line("asked as", str(rewritten)))
    parts += [_line("citation", _cited(citation)) for citation in given.citations]
    parts += [_line("warning", warning, "yellow") for warning in given.warnings]
    parts += [_calls(given), _account(given)]
    return Group(*parts)


def forecast(given: Forecast) -> RenderableType:
    """What would be read, reading by reading, and what that would cost."""
    table = _table("reading", "of", "input tokens", "cost $")
    for number, (move, estimate) in enumerate(given.moves):
        name = move.value + (" (if the first declines)" if number == 1 else " (if that declines)" if number else "")
        documents = ", ".join(estimate.documents) if move.value == "read_documents" else ""
        if move.value == "read_documents" and not estimate.documents:
            documents = "a part of one"
        table.add_row(name, _text(documents), *_numbers(estimate.tokens), _cost(estimate.cost))
    least, most = (f"{n:,} tokens ($ {_cost(c)})" for n, c in _ends(given))
    span = f"would read {least}" + (f", at most {most}" if given.most_tokens != given.least_tokens else "")
    return Group(
        _line("question", given.question or "(none)"),
        _line("policy", given.policy),
        table,
        Text(
            f"{span}; reading everything would take {given.long_context_tokens:,} tokens "
            f"($ {_cost(given.long_context_cost)}). Nothing was asked; what a reader writes comes on top."
        ),
    )


def _ends(given: Forecast) -> list[tuple[int, Decimal | None]]:
    return [(given.least_tokens, given.least_cost), (given.most_tokens, given.most_cost)]


def label(name: str) -> str:
    """What stands before a line's content."""
    return f"{name:<9}"


def harmless(text: str) -> str:
    """`text` with control characters written out, so that a document cannot drive the terminal."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def summary(made: Summary, corpus: str) -> RenderableType:
    parts: list[RenderableType] = [
        _text(
            f"{corpus}: {made.added} added, {made.updated} updated, {made.unchanged} unchanged, "
            + (f"{made.deleted} deleted, " if made.deleted else "")
            + f"{len(made.failed)} failed"
        ),
        Text(
            f"embedded {made.chunks:,} chunks, {made.tokens:,} tokens in {made.seconds:.1f} s; "
            f"the corpus holds {made.total_documents:,} documents, {made.total_chunks:,} chunks"
        ),
    ]
    if made.passed_over:
        parts.append(_text(f"passed over: {counted(made.passed_over)}", "yellow"))
    parts += [_text(f"warning: {one.document}: {one.warning}", "yellow") for one in made.warnings[:MOST_FAILURES]]
    if len(made.warnings) > MOST_FAILURES:
        parts.append(Text(f"and {len(made.warnings) - MOST_FAILURES} more warnings; --json lists all", "yellow"))
    parts += [_text(f"failed: {failure.source}: {failure.reason}", "red") for failure in made.failed[:MOST_FAILURES]]
    if len(made.failed) > MOST_FAILURES:
        parts.append(Text(f"and {len(made.failed) - MOST_FAILURES} more; --json lists all", "red"))
    return Group(*parts)


def usage(rows: Sequence[UsageRow], by: str) -> RenderableType:
    table = _table(by, "questions", "calls", "input", "cached", "output", "embedding", "cost $", "if all read", "saved")
    for row in rows:
        table.add_row(
            _text(f"{row.key}{_named(row)}"),
            *_numbers(row.questions, row.calls, row.usage.input_tokens, row.usage.cached_input_tokens),
            *_numbers(row.usage.output_tokens, row.embedding_tokens),
            _cost(row.cost),
            *_numbers(row.long_context_tokens, row.saved_tokens),
        )
    return table


def _named(row: UsageRow) -> str:
    """What a group is of, where it is not of questions that were asked and its key does not say so."""
    kind = "judging" if row.judging else "evaluation" if row.evaluation else row.key
    return "" if kind == row.key else f" ({kind})"


def holdings(held: Holdings) -> RenderableType:
    table = _table("", "in the ledger")
    table.add_row(Text("questions"), *_numbers(held.questions))
    table.add_row(Text("with their text"), *_numbers(held.with_text))
    table.add_row(Text("judged answers"), *_numbers(held.judged))
    table.add_row(Text("calls"), *_numbers(held.calls))
    table.add_row(Text("feedback"), *_numbers(held.feedback))
    table.add_row(Text("first asked"), _text(held.first or "-"))
    table.add_row(Text("last asked"), _text(held.last or "-"))
    table.add_row(Text("bytes on disk"), *_numbers(held.bytes))
    return table


def corpora(rows: Sequence[Listed]) -> RenderableType:
    table = _table("corpus", "documents", "chunks", "tokens", "state")
    for row in rows:
        numbers = _numbers(row.documents, row.chunks, row.tokens)
        table.add_row(_text(row.name), *numbers, _text(row.problem or "ready"))
    return table


def documents(rows: Sequence[DocumentInfo]) -> RenderableType:
    table = _table("document", "chunks", "tokens", "state")
    for row in rows:
        table.add_row(_text(row.id), *_numbers(row.chunks, row.tokens), _text(row.source))
    table.columns[-1].header = "source"
    warnings = [_text(f"{row.id}: {warning}", "yellow") for row in rows for warning in row.warnings]
    return Group(table, *warnings) if warnings else table


def document(held: StoredDocument) -> RenderableType:
    info = held.info
    return Group(
        _line("document", info.id),
        _line("source", info.source),
        _line("chunks", f"{info.chunks:,} of at most {info.chunking}; {info.tokens:,} tokens in all ({info.embedder})"),
        *[_line("warning", warning) for warning in info.warnings],
        _line("text", f"{len(held.document.text):,} characters, SHA-256 {info.hash}"),
        _text(held.document.text),
    )


def stats(held: Stats) -> RenderableType:
    table = _table("corpus", "state")
    table.columns[0].header, table.columns[1].header = "", held.name
    for name in ("generation", "embedder", "dimension", "documents", "chunks", "tokens", "unpublished", "segments"):
        value = getattr(held, name)
        table.add_row(name, _text(value if isinstance(value, str) else f"{value:,}"))
    table.add_row("tombstones", f"{held.tombstones:,}")
    table.add_row("chunking", _text(", ".join(held.chunkings) or "-"))
    table.add_row("on disk", f"{held.store_bytes:,} bytes of store, {held.segment_bytes:,} of segments")
    return table


def problems(found: Sequence[Problem], none: str) -> RenderableType:
    """One line each, or `none`."""
    return Group(*[_text(f"{p.where}: {p.reason}; {p.remedy}", "red") for p in found]) if found else _text(none)


def repaired(made: Repaired, corpus: str) -> RenderableType:
    if not made.mended and not made.lost:
        return _text(f"{corpus}: whole, nothing to mend")
    mended = [_text(f"mended: {p.where}: {p.reason}") for p in made.mended]
    return Group(*mended, *[_text(f"lost: {p.where}: {p.reason}; {p.remedy}", "red") for p in made.lost])


def checks(found: Sequence[Check]) -> RenderableType:
    table = _table("check", "state", "policy")
    table.columns[1].header, table.columns[2].header = "", "found"
    for check in found:
        state = Text("ok", "green") if check.ok else Text("wrong", "red")
        table.add_row(check.name, state, _text(check.said))
    return table


def new_key(key: Key, token: str) -> RenderableType:
    return Group(_text(f"key {key.name} ({key.id}), shown this once:"), Text(token, "bold"))


def keys(found: Sequence[Key]) -> RenderableType:
    table = _table(*("key", "a minute", "tokens a day", "$ a day", "escalations a day", "corpora"))
    for name in ("id", "may", "made", "revoked"):
        table.add_column(name)
    for key in found:
        grants, limits = key.grants, key.grants.limits
        rights = [name for name, has in (("write", grants.may_write), ("audit", grants.may_audit)) if has]
        table.add_row(
            _text(key.name),
            *("-" if most is None else f"{most:,}" for most in (grants.per_minute, limits.tokens)),
            "-" if limits.cost is None else f"{limits.cost:f}",
            "-" if limits.escalations is None else f"{limits.escalations:,}",
            "all" if grants.corpora is None else _text(", ".join(grants.corpora)),
            key.id,
            ", ".join(rights) or "ask",
            *(moment and moment[:16] for moment in (key.made_at, key.revoked_at)),
        )
    return table


def said(line: str) -> RenderableType:
    return _text(line)


def evaluation(result: Result, judged: Sequence[Judged] = (), pages: Sequence[Path] = ()) -> RenderableType:
    """Scores by dataset and policy, the mean over datasets, what went wrong, and where the report is."""
    table = _table(
        *("dataset", "policy", "score", "95 %", "n", "failed", "n/a", "escalated", "answerable", "unanswerable"),
        *("tokens", "of long", "cost $"),
    )
    for dataset, by in result.summary.items():
        for policy, cell in by.items():
            table.add_row(_text(dataset), policy, *_cell(cell))
    parts: list[RenderableType] = [table]
    by_policy: dict[str, list[Cell]] = {}
    for by in result.summary.values():
        for policy, cell in by.items():
            by_policy.setdefault(policy, []).append(cell)
    if len(result.summary) > 1:
        from selfroute.evaluation.summary import macro

        means = ", ".join(f"{policy} {_score(macro(cells))}" for policy, cells in by_policy.items())
        parts.append(Text(f"mean over datasets: {means}"))
    simulated = (
        ", tokens and costs simulated" if any(c.simulated for cells in by_policy.values() for c in cells) else ""
    )
    parts.append(
        Text(
            f"{result.rows:,} rows in {result.folder}"
            + (simulated or f"; {result.readings:,} readings took {result.read.input_tokens:,} input tokens")
        )
    )
    if not simulated:
        parts.append(Text(f"scored {result.mode}: see --mode"))
    parts += [_text(f"malformed: {row.place}: {row.reason}", "red") for row in result.malformed[:MOST_FAILURES]]
    if len(result.malformed) > MOST_FAILURES:
        parts.append(Text(f"and {len(result.malformed) - MOST_FAILURES} more; run.json lists all", "red"))
    if result.failed:
        parts.append(Text(f"{result.failed:,} failed, scored 0 (rows.jsonl says why); run again to retry them", "red"))
    return Group(*parts, *_judged(judged), *_pages(pages))


def reports(judged: Sequence[Judged], pages: Sequence[Path]) -> RenderableType:
    return Group(*_judged(judged), *_pages(pages))


def _pages(pages: Sequence[Path]) -> list[RenderableType]:
    return [_text(f"report: {page}") for page in pages]


def _judged(judged: Sequence[Judged]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for one in judged:
        at = f" (of k = {one.k} alone, as the figures are)" if one.others else ""
        parts.append(Text(f"judged: {one.made:,} now, {one.known:,} before{at}"))
        if one.failed:
            parts.append(Text(f"{one.failed:,} could not be judged (grades.jsonl says why); run again to retry", "red"))
        if one.unseen:
            why = f": {one.problems[0]}" if one.problems else ""
            parts.append(_text(f"{one.unseen:,} not judged, for their questions are not at hand{why}", "yellow"))
    return parts


def calibration(made: Calibrated) -> RenderableType:
    """How good the rules are where they were not fitted, and what comes of aiming at a share."""
    rules = _table("rule", "questions", "documents", "gains", "AUROC gain", "harm", "calibration error")
    curve = _table("rule", "aimed at", "documents' tokens", "score")
    for rule in made.rules:
        said = ("n/a" if auroc is None else f"{auroc:.3f}" for auroc in (rule.gain_auroc, rule.harm_auroc))
        rules.add_row(rule.rule, *_numbers(rule.rows, rule.documents, rule.gains), *said, f"{rule.gain_error:.3f}")
        for share, score, tokens in rule.curve:
            curve.add_row(rule.rule, f"{share:.0%}", f"{tokens:.1%}", f"{score:.2f}")
    left = f"; {made.left_out:,} were left out, which were not read both ways" if made.left_out else ""
    written = _text(f"{made.out} fitted on {made.rows:,} questions{left}; name it under routing.model; {made.card}")
    return Group(rules, curve, Text("all of documents that were not fitted"), written)


def comparison(rows: Sequence[Difference], left: Path, right: Path) -> RenderableType:
    """What both runs have, and what of either was left out."""
    from selfroute.evaluation.comparison import lone

    table = _table("dataset", "policy", "k", "n", "left", "right", "difference", "95 %", "tokens left", "right")
    for row in rows:
        if row.difference is not None:
            table.add_row(
                _text(row.dataset),
                row.policy,
                *_numbers(row.k, row.n),
                *(_score(row.left), _score(row.right)),
                f"{row.difference:+.2f}" + (" *" if row.clear else ""),
                _interval(row.low, row.high),
                *_numbers(row.left_tokens, row.right_tokens),
            )
    parts: list[RenderableType] = [
        Text(f"left {left}, right {right}; * the interval leaves 0 out (paired bootstrap, clustered by document)"),
        table,
    ]
    lefts, rights = sum(row.only_left for row in rows), sum(row.only_right for row in rows)
    if lefts or rights:
        parts.append(Text(f"left out: {lefts:,} only left scored, {rights:,} only right", "yellow"))
    parts += _lone("left", lone(rows, lambda row: row.only_left))
    parts += _lone("right", lone(rows, lambda row: row.only_right))
    return Group(*parts)


def _lone(side: str, parts: Sequence[Lone]) -> list[RenderableType]:
    return [
        _text(
            f"only {side}: {', '.join(one.policies)} at k = {', '.join(map(str, one.ks))} of "
            f"{', '.join(one.datasets)} ({one.rows:,})",
            "yellow",
        )
        for one in parts
    ]


def running(now: Progress) -> str:
    """The line beside a progress bar."""
    failed = f", {now.failed} failed" if now.failed else ""
    return f"score {_score(now.score)}, {now.input_tokens:,} tokens, $ {_cost(now.cost)}{failed}"


def _cell(cell: Cell) -> list[str]:
    return [
        _score(cell.score),
        _interval(cell.low, cell.high),
        *_numbers(cell.n, cell.failed, cell.na),
        _share(cell.escalated),
        *(_score(cell.answerable_score), _score(cell.unanswerable_score)),
        *_numbers(cell.input_tokens),
        _share(cell.token_share),
        _cost(cell.cost),
    ]


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.1f} to {high:.1f}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _calls(given: Answer) -> Table:
    table = _table("call", "model", "input tokens", "cached", "output", "cost $", "seconds")
    for call in given.calls:
        table.add_row(
            call.stage.value + (" (failed)" if call.error else ""),
            _text(call.model),
            *_numbers(call.usage.input_tokens, call.usage.cached_input_tokens, call.usage.output_tokens),
            _cost(call.cost),
            f"{call.seconds:.2f}",
        )
    return table


def _account(given: Answer) -> Text:
    read, full = given.totals.reader_input_tokens, given.long_context_tokens
    share = f" ({read / full:.0%})" if full else ""
    saved = f"{given.saved_tokens:,} saved" if given.saved_tokens >= 0 else f"{-given.saved_tokens:,} more"
    cost = _cost(given.long_context_cost)
    return Text(
        f"read {read:,} tokens{share}, {given.coverage:.0%} of the text in scope; "
        f"reading everything would have taken {full:,} tokens ($ {cost}): {saved}"
    )


def _cited(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page is not None else ""
    return f"{citation.document}{page} [{citation.start}:{citation.end}] “{' '.join(citation.text.split())}”"


def _line(name: str, value: str, style: str = "") -> Text:
    return Text.assemble((label(name), "dim"), (harmless(value), style))


def _text(value: str, style: str = "") -> Text:
    return Text(harmless(value), style)


def _table(first: str, *rest: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, overflow="fold")
    for name in rest:
        table.add_column(
            name, justify="left" if name in ("model", "policy", "state", "of") else "right", overflow="fold"
        )
    return table


def _numbers(*values: int | None) -> list[str]:
    return ["-" if value is None else f"{value:,}" for value in values]


def _cost(cost: Decimal | None) -> str:
    return "unknown" if cost is None else format(cost.normalize(), "f")
