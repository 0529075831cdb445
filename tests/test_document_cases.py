"""Files of public reports, each of which stands for a kind: read as they are meant, and answered from."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from selfroute import build
from selfroute.engine import Engine
from selfroute.ingest.loaders import load_one
from selfroute.settings import Settings
from selfroute.settings import load as load_settings
from selfroute.types import Answer, Document, Outcome, Question

pytestmark = pytest.mark.end_to_end

CASES = Path(__file__).parent / "cases" / "documents"

READ = {
    "a01-office365.docx": ["The deposit for the boathouse key is 45 euros."],
    "a02-omml.docx": ["gain is 1/2 of the input", "count is 3×10^6 per litre", "E=mc", "The end."],
    "a03-superscript.docx": ["holds 10^6 litres"],
    "a03-superscript.html": ["10^6 litres", "120 [3] euros", "40 [2] euros", "1/2 percent", "10^-3 s"],
    "a04-numbered-clauses.docx": [
        "1. Term\n1.1 The lease runs",
        "1.2 Either side",
        "2. Rent\n2.1 The rent is 900 euros a month.",
    ],
    "a04-steps.html": ["1. Close the valve.\n2. Drain the pump.\n3. Call", "7. Lock the gate.", "a. Alpha duty"],
    "a05-tables.docx": [
        "Contract number K-4471",
        "Berth fees | Berth fees | Year\nNorth quay | Summer 40 | 2024\nNorth quay | Winter 25 | 2025",
        "Paid on 3 May",
    ],
    "a07-accordion.html": [
        "How long is a key valid?\n\nA key is valid for 90 days.",
        "How do I renew it?\n\nCall 555-0142 to renew it.",
        "Who pays?\n\nThe tenant pays.",
    ],
    "a07b-bootstrap-accordion.html": [
        "How long is a harbour key valid?\n\n90 days from the day of issue.",
        "What does a lost key cost?\n\n45 euros, paid at the gate.",
    ],
    "a08-table.html": [
        "Quay | Season | Fee\nNorth | Summer | 40\nNorth | Winter | 25\nSouth | free | free",
        "inner key | inner value 17",
        "if a:\n    b = 1\n\n    c = 2",
        "1,250 t",
    ],
    "a09-preamble.csv": ["Berth report 2024\n\nquay: North; season: summer; fee: 40,50", "fee: 31,00"],
    "a09-sep.csv": ["quay: North; season: summer; fee: 40,50\n\nquay: South; season: winter; fee: 25,10"],
    "a10-hyphen.pdf": ["A-12", "COVID-19", "self-employed"],
    "a11-mixed-scan.pdf": ["The charter names the harbour board.", "The board meets in May."],
    "b1-form.pdf": ["Applicant: Ingrid Solberg", "Length: 11.4", "Approved by Nils on 4 May"],
    "b6-columns.pdf": ["the north quay, where the\nfee is 40 euros", "the south quay, where the\nfee is 25 euros"],
    "b9-stamped-scan.pdf": ["Exhibit 12 - page 1"],
    "c1-footnotes.docx": ["30 euros [1] a day", "80 euros [2].", "[1] Only in summer.", "[2] Doubled at night."],
    "c3-misc.docx": ["Name\tOla", "±5 mm", "3 May 2024", "Chunk text: the fee is 70.", "Mr. Anderson lives"],
    "c5-missing.epub": ["Chapter one is here."],
    "c6-case.epub": ["Chapter one is here."],
    "c9-strike.html": [
        *("The fine is 90 euros. Was $25.", "Name Ola Moe", "Typed remark here", "Blue"),
        *("Chart: income is 12 million", "Line oned hyphen."),
    ],
    "c10-pre.html": ["name      fee\nnorth      40\nsouth      25", "  indented", "x = 1\ny = 2"],
    "d3-long-table.html": ["berth | length m | fee euros | built\nB01 | 21 | 401 | 1901"],
}
"""What stands in the text of each."""

NEVER = {
    "a02-omml.docx": ["12 of", "3×106"],
    "a03-superscript.docx": ["106"],
    "a03-superscript.html": ["106", "1203", "10-3", "12 percent"],
    "a04-numbered-clauses.docx": ["- "],
    "a04-steps.html": ["- "],
    "a09-preamble.csv": ["column", "Berth report 2024:"],
    "a09-sep.csv": ["sep="],
    "a10-hyphen.pdf": ["A12", "COVID19", "selfemployed"],
    "c9-strike.html": ["70", "$40", "Red"],
}
"""What must not."""

WARNED = {
    "a11-mixed-scan.pdf": ["page 2 of 3 holds no text: it is an image"],
    "b9-stamped-scan.pdf": ["pages 1 and 2 of 2 hold no text but a few words: they are images"],
    "c5-missing.epub": ["1 of 2 chapters could not be read: OPS/b.xhtml is missing from the archive"],
}


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir() if path.is_file()))
def test_a_case_is_read_as_it_is_meant(name: str) -> None:
    document = read(name)
    assert [part for part in READ.get(name, []) if part not in document.text] == []
    assert [part for part in NEVER.get(name, []) if part in document.text] == []
    assert list(document.warnings) == WARNED.get(name, [])
    assert (document.readable < 1) == (name in WARNED)
    assert name in READ or name.startswith("d")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return build.engine(settings(tmp_path_factory.mktemp("home")))


@pytest.mark.parametrize(
    ("name", "question", "answer"),
    [
        ("a01-office365.docx", "How much is the deposit for the boathouse key?", "45 euros"),
        ("a03-superscript.html", "What does the permit cost?", "120"),
        ("a07-accordion.html", "How long is a key valid?", "90 days"),
        ("b6-columns.pdf", "How much is the fee at the south quay?", "25 euros"),
        ("c9-strike.html", "How much is the fine?", "90 euros"),
        ("d2-cut-number.txt", "What is the rent of the Yarrow warehouse?", "9,960,502.57 euros a year"),
        ("d4-faq.md", "How long is a harbour key valid?", "90 days"),
        ("d4-faq.md", "What does a lost key cost?", "45 euros"),
    ],
)
def test_a_case_is_answered_from(engine: Engine, name: str, question: str, answer: str) -> None:
    document = read(name)
    given = ask(engine, question, document)
    assert given.answer is not None
    assert answer in given.answer
    assert "\n" not in given.answer
    [citation] = given.citations
    assert document.text[citation.start : citation.end] == citation.text


@pytest.mark.parametrize(
    ("name", "question", "answer"),
    [
        ("b1-form.pdf", "Who is the applicant?", "Ingrid Solberg"),
        ("b6-columns.pdf", "What is the south quay's fee?", "25 euros a night"),
        ("d1-quays.txt", "How much did the Yarrow quay earn?", "8,974,754.71 euros"),
    ],
)
def test_what_the_bundled_reader_is_not_sure_of_is_its_best_answer(
    engine: Engine, name: str, question: str, answer: str
) -> None:
    """It declines, by thresholds that were chosen on articles; what it would say is right."""
    given = ask(engine, question, read(name))
    drafts = given.explain["drafts"]
    assert isinstance(drafts, list)
    assert {draft["guess"] for draft in drafts} == {answer}


@pytest.mark.parametrize("name", WARNED)
def test_what_could_not_be_read_is_named_by_a_decline(engine: Engine, name: str) -> None:
    given = ask(engine, "Which colour has the ferry to Skarv island?", read(name), policy="always_long")
    assert given.outcome is Outcome.INSUFFICIENT
    assert given.coverage < 1
    assert given.warnings[-1] == f"{name}: {WARNED[name][0]}"


def test_copies_do_not_keep_the_answer_from_being_found(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    build.indexer(chosen).index([CASES / "duplicates"], "harbour")
    given = asyncio.run(
        build.engine(chosen).ask(Question("What is the mooring permit fee?"), "always_rag", corpus="harbour")
    )
    assert given.answer is not None
    assert "75 euros" in given.answer


def read(name: str) -> Document:
    return load_one(CASES / name)


def settings(home: Path) -> Settings:
    return load_settings(None).model_copy(update={"home": home})


def ask(engine: Engine, question: str, document: Document, policy: str = "self_route") -> Answer:
    return asyncio.run(engine.ask(Question(question), policy, corpus=document))
