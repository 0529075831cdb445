"""The page in a browser, headless, against a service that runs: what people do on it, and what must not be done to
them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from service import FOREST, HARBOUR, KNOWN, WHO, House, corpus, ended, served

from selfroute import build, build_service
from selfroute.errors import NotAdmitted
from selfroute.readers.scripted import ScriptedReader, answers
from selfroute.server.access import Caller
from selfroute.settings import load
from selfroute.types import Call, Draft, Reading, Record, Shown, Usage

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the page is tested in a browser: pip install playwright"
)
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(CHROMIUM is None, reason="the page is tested in Chromium: apt-get install chromium"),
]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PATIENCE = 30_000
"""Milliseconds for what is to happen on a page."""
NIGHT = "Who approves night work?"
SALARY = "What is the salary of the harbour master?"
HANDBOOK = Path(__file__).parents[1] / "eval" / "samples" / "harbour.md"
Wait = Callable[[Callable[[], bool]], None]
VIEWS = ["/", "/#corpora", "/#usage", "/#evaluate"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield made
        made.close()


@dataclass
class Seen:
    """What a page did that it should not have done, and where it asked."""

    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Browser, client: httpx.Client, path: str = "/", **options: Any) -> Iterator[tuple[Page, Seen]]:
    """A page in a browser of its own, and what was seen of it. What its policy forbids is among the errors."""
    context: BrowserContext = browser.new_context(base_url=str(client.base_url), **options)
    context.set_default_timeout(PATIENCE)
    page, seen = context.new_page(), Seen()
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda said: seen.errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: seen.addresses.append(request.url))
    try:
        page.goto(path)
        yield page, seen
    finally:
        context.close()


def ask(page: Page, question: str, corpus: str, policy: str = "self_route") -> None:
    page.locator(f"#source option[value='{corpus}']").wait_for(state="attached")
    page.select_option("#source", corpus)
    page.select_option("#policy", policy)
    page.fill("#question", question)
    page.keyboard.press("Enter")


def marked(page: Page) -> str:
    page.locator("dialog .text mark").first.wait_for()
    return "".join(page.locator("dialog .text mark").all_text_contents())


def expect(page: Page, selector: str, text: str | re.Pattern[str]) -> None:
    playwright.expect(page.locator(selector).first).to_contain_text(text, timeout=PATIENCE)


# On the bundled models


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service on the bundled models, with a part of the handbook in it and an evaluation that was done."""
    folder = tmp_path_factory.mktemp("page")
    settings = load(home=folder / "indexes")
    part = folder / "handbook.md"
    text = HANDBOOK.read_text(encoding="utf-8")
    part.write_text(text[text.index("## 11.") - 2500 :][:6000], encoding="utf-8")
    build.indexer(settings).index([part], "harbour")
    with served(build_service.app(settings)) as client:
        record = {"_id": "1", "input": NIGHT, "context": HARBOUR, "answers": ["in writing"], "dataset": "harbour"}
        done(
            client, client.post("/v1/evaluations", json={"records": [record], "policies": ["always_rag", "self_route"]})
        )
        yield client


def done(client: httpx.Client, reply: httpx.Response) -> None:
    job = reply.json()["id"]
    waited = threading.Event()
    for _ in range(600):
        state = client.get(f"/v1/jobs/{job}").json()
        if state["state"] not in ("queued", "running"):
            break
        waited.wait(0.1)
    assert state["state"] == "done", state


def test_a_question_is_answered_and_its_citation_opens_the_document_where_it_stands(
    browser: Browser, bundled: httpx.Client
) -> None:
    with opened(browser, bundled) as (page, seen):
        ask(page, NIGHT, "harbour")
        expect(page, ".answer", "the harbour master")
        expect(page, ".outcome", "Answered from the chunks.")
        expect(page, ".saved", re.compile(r"tokens saved"))
        answer = bundled.get(f"/v1/questions/{page.url.rpartition('/')[2]}").json()["answer"]
        assert f"{answer['long_context_tokens']:,}" in page.locator("tfoot").inner_text()
        page.click("button.citation")
        assert marked(page) == answer["citations"][0]["text"]
        assert page.locator("dialog .text mark").first.is_visible()
        assert page.locator("dialog .chunk").count() > 0
        hit = next(
            hit for hit in answer["explain"]["hits"] if hit["start"] <= answer["citations"][0]["start"] < hit["end"]
        )
        text = bundled.get(f"/v1/corpora/harbour/documents/handbook.md?from={hit['start']}&to={hit['end']}").json()[
            "text"
        ]
        assert text in "".join(page.locator("dialog .text .chunk:not(.sample)").all_text_contents())
        page.keyboard.press("Escape")
        assert page.locator("dialog").count() == 0
        assert page.evaluate("document.activeElement.className") == "citation"
    assert seen == Seen(addresses=seen.addresses)


def test_an_escalation_is_told_as_it_happens_and_drawn_with_what_it_took(
    browser: Browser, bundled: httpx.Client
) -> None:
    with opened(browser, bundled) as (page, seen):
        page.evaluate(
            "window.told = []; new MutationObserver(() => told.push(document.querySelector('.now')?.textContent))"
            ".observe(document.getElementById('view'), {subtree: true, childList: true, characterData: true})"
        )
        ask(page, SALARY, "harbour")
        expect(page, ".outcome", "All of the text was read, and it does not answer this question.")
        told = list(dict.fromkeys(said for said in page.evaluate("told") if said))
        assert [*filter(lambda said: "ead" in said or "ecl" in said, told)] == [
            "Reading the chunks…",
            "Declined: the chunks do not answer.",
            "Reading the whole document…",
            "Declined: the document does not answer.",
        ]
        assert page.locator(".box.declined").count() == 2
        assert "Chunks: declined" in str(page.locator(".route svg").get_attribute("aria-label"))
        expect(page, ".saved", "more than reading everything at once")
    assert not seen.errors


def test_an_earlier_question_is_kept_in_this_browser_and_reopened_by_its_link_in_another(
    browser: Browser, bundled: httpx.Client
) -> None:
    with opened(browser, bundled) as (page, _):
        ask(page, NIGHT, "harbour")
        expect(page, ".earlier a", NIGHT)
        link = page.url
        page.reload()
        expect(page, ".answer", "the harbour master")
        page.click("button:text-is('Right')")
        expect(page, ".feedback", "said to be right")
        page.click("button:text-is('Wrong')")
        page.fill("#better", "Olof Berg")
        page.keyboard.press("Enter")
        expect(page, ".feedback", "said to be wrong")
        said = bundled.get(f"/v1/questions/{link.rpartition('/')[2]}").json()["feedback"]
        assert [(one["verdict"], one["better_answer"]) for one in said] == [("right", None), ("wrong", "Olof Berg")]
    with opened(browser, bundled, link) as (page, seen):
        expect(page, ".answer", "the harbour master")
        expect(page, ".feedback", "Said to be wrong.")
        assert page.locator(".earlier a").count() == 0
    assert not seen.errors


def test_a_link_to_a_question_that_is_not_there_says_so(browser: Browser, bundled: httpx.Client) -> None:
    with opened(browser, bundled, "/q/nope") as (page, seen):
        expect(page, ".problem", "nope")
    assert not seen.errors


def test_a_file_is_uploaded_with_its_progress_and_found_then_deleted_after_a_question(
    browser: Browser, bundled: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "ferry notes.md").write_text("The ferry Solveig carries up to 240 passengers and 38 cars.", "utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    with opened(browser, bundled, "/#corpora") as (page, seen):
        page.fill("#new-corpus", "ferries")
        page.click("text=Make it")
        expect(page, "h1", "ferries")
        page.set_input_files("#files", [tmp_path / "ferry notes.md", tmp_path / "broken.pdf"])
        page.click("button:text-is('Upload')")
        expect(page, ".jobs", "1 added, 1 failed")
        expect(page, "ul.failed", "broken.pdf: ")
        expect(page, ".facts", "Documents1")
        page.click("button:text-is('ferry notes.md')")
        expect(page, "dialog .text", "The ferry Solveig")
        page.keyboard.press("Escape")
        page.click("nav >> text=Ask")
        ask(page, "How many passengers does the ferry Solveig carry?", "ferries")
        expect(page, ".answer", "240")

        page.goto("/#corpora/ferries")
        page.click("text=Delete this corpus")
        page.click("text=Keep it")
        assert bundled.get("/v1/corpora/ferries").status_code == 200
        page.click("text=Delete this corpus")
        page.click("button:text-is('Delete it')")
        expect(page, "h1", "Corpora")
        assert bundled.get("/v1/corpora/ferries").status_code == 404
    assert not seen.errors


def test_a_page_of_a_pdf_is_named_where_its_text_is_cited(
    browser: Browser, bundled: httpx.Client, tmp_path: Path
) -> None:
    fpdf = pytest.importorskip("fpdf", reason="makes a PDF: pip install fpdf2")
    made = fpdf.FPDF()
    for text in ("Old Quay was built of granite.", "The crane M2 lifts up to 84 tonnes.", "Eels are sold on Fridays."):
        made.add_page()
        made.set_font("Helvetica", size=12)
        made.multi_cell(0, 8, text)
    made.output(str(tmp_path / "quay.pdf"))
    with (tmp_path / "quay.pdf").open("rb") as file:
        done(bundled, bundled.post("/v1/corpora/cranes/documents", files={"files": ("quay.pdf", file)}))
    with opened(browser, bundled) as (page, seen):
        ask(page, "How much does the crane M2 lift?", "cranes")
        expect(page, "button.citation .where", "quay.pdf, page 2")
        page.click("button.citation")
        assert "84 tonnes" in marked(page)
        expect(page, "dialog .about", "Page 2. ")
        assert page.locator("dialog .page").all_text_contents() == ["Page 1", "Page 2", "Page 3"]
    assert not seen.errors


def test_what_could_not_be_read_is_shown_with_the_upload_the_document_and_the_decline(
    browser: Browser, bundled: httpx.Client
) -> None:
    scan = Path(__file__).parent / "cases" / "documents" / "a11-mixed-scan.pdf"
    with opened(browser, bundled, "/#corpora") as (page, seen):
        page.fill("#new-corpus", "scans")
        page.click("text=Make it")
        expect(page, "h1", "scans")
        page.set_input_files("#files", [scan])
        page.click("button:text-is('Upload')")
        expect(page, ".jobs", "1 added, 1 not read whole")
        expect(page, ".jobs .warnings", "a11-mixed-scan.pdf: page 2 of 3 holds no text: it is an image")
        expect(page, "table .warnings", "page 2 of 3 holds no text: it is an image")
        page.click("button:text-is('a11-mixed-scan.pdf')")
        expect(page, "dialog .about", "Page 2 of 3 holds no text: it is an image. ")
        page.keyboard.press("Escape")
        page.click("nav >> text=Ask")
        ask(page, "Which colour has the ferry to Skarv island?", "scans")
        expect(page, "main .warnings", "a11-mixed-scan.pdf: page 2 of 3 holds no text: it is an image")
    assert not seen.errors


def test_a_dropped_text_is_asked_as_it_is_and_its_quote_is_found_behind_signs_of_two_units(
    browser: Browser, bundled: httpx.Client
) -> None:
    note = "🚢🚢🚢 Ships. 🦀 The tug Bjorn pulls 45 tonnes. 🐟 Fish."
    with opened(browser, bundled) as (page, seen):
        page.locator("#source option[value=harbour]").wait_for(state="attached")
        assert page.locator("#own-text").is_hidden()
        dropped = page.evaluate_handle(
            "text => { const all = new DataTransfer(); all.items.add(new File([text], 'note.txt')); return all }", note
        )
        page.dispatch_event(".ask-form", "drop", {"dataTransfer": dropped})
        expect(page, ".own", f"note.txt, {len(note)} characters")
        page.fill("#question", "How much does the tug Bjorn pull?")
        page.click("button:text-is('Ask')")
        expect(page, ".answer", "45 tonnes")
        page.click("button.citation")
        quoted = bundled.get(f"/v1/questions/{page.url.rpartition('/')[2]}").json()["answer"]["citations"][0]["text"]
        assert marked(page) == quoted
        page.reload()
        page.click("button.citation")
        expect(page, "dialog", "was not kept")
    assert not seen.errors


def test_a_dropped_file_that_is_no_text_is_sent_on_to_a_corpus(
    browser: Browser, bundled: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.7\x00")
    with opened(browser, bundled) as (page, seen):
        page.locator("#source option[value=harbour]").wait_for(state="attached")
        page.select_option("#source", label="a text or file of mine…")
        page.set_input_files("#own-file", tmp_path / "scan.pdf")
        expect(page, ".own", "scan.pdf is not plain text")
        page.click("text=Upload it to a corpus")
        page.click("main >> text=harbour")
        page.locator("#files").wait_for()
        assert page.evaluate("document.getElementById('files').files[0].name") == "scan.pdf"
    assert not seen.errors


def test_usage_adds_up_with_what_the_api_says(browser: Browser, bundled: httpx.Client, wait_until: Wait) -> None:
    """What an evaluation read is in the tables alone."""
    asked = {"_id": "q1", "input": NIGHT, "context": "Night work is approved in writing.", "answers": ["in writing"]}
    sent = {"records": [asked | {"dataset": "made"}], "policies": ["always_rag", "always_long"]}
    assert ended(bundled, bundled.post("/v1/evaluations", json=sent), wait_until)["state"] == "done"
    bundled.post("/v1/ask", json={"question": NIGHT, "corpus": "harbour", "policy": "always_long"})
    bundled.post("/v1/ask", json={"question": SALARY, "corpus": "harbour"})
    with opened(browser, bundled, "/#usage") as (page, seen):
        page.locator(".plot svg").first.wait_for()
        told = bundled.get("/v1/usage?group=day").json()["rows"]
        rows = [row for row in told if not row["evaluation"]]
        assert len(rows) < len(told)
        shown = {name: page.locator(f"[data-total={name}] dd").inner_text() for name in ("questions", "read", "saved")}
        assert shown == {
            "questions": f"{sum(row['questions'] for row in rows):,}",
            "read": f"{sum(row['usage']['input_tokens'] for row in rows):,}",
            "saved": f"{sum(row['saved_tokens'] for row in rows):,}",
        }
        share = 100 * sum(row["escalated"] for row in rows) / sum(row["questions"] for row in rows)
        assert page.locator("[data-total=escalated] dd").inner_text() == f"{share:.1f}".removesuffix(".0") + " %"
        assert page.locator(".plot svg").count() == 4
        for group in ("day", "policy", "route", "model"):
            body = page.get_by_role("region", name=f"By {group}: questions").locator("tbody tr")
            told = bundled.get(f"/v1/usage?group={group}").json()["rows"]
            assert [row.locator("td").first.inner_text() for row in body.all()] == [
                f"{row['questions']:,}" for row in told
            ]
        page.select_option("#corpus", "harbour")
        told = bundled.get("/v1/usage?group=day&corpus=harbour").json()["rows"]
        expect(page, "[data-total=questions] dd", re.compile(f"^{sum(row['questions'] for row in told):,}$"))
    assert not seen.errors


def test_without_the_library_for_plots_usage_has_its_tables(browser: Browser, bundled: httpx.Client) -> None:
    bundled.post("/v1/ask", json={"question": NIGHT, "corpus": "harbour"})
    with opened(browser, bundled) as (page, seen):
        page.route("**/page/d3.js", lambda route: route.fulfill(status=404))
        page.goto("/#usage")
        expect(page, "main", "Plots need the package mpld3")
        assert page.locator("table").count() == 4
    assert not seen.errors


def test_a_report_is_opened_in_place_and_nothing_in_it_reaches_the_page(
    browser: Browser, bundled: httpx.Client
) -> None:
    with opened(browser, bundled, "/#evaluate") as (page, seen):
        page.click("main table a")
        report = page.frame_locator("iframe.report")
        report.locator("table").first.wait_for()
        assert "Evaluation" in report.locator("h1").inner_text()
        frame = page.frames[-1]
        assert frame.evaluate("self.origin") == "null"
        with pytest.raises(playwright.Error, match="SecurityError"):
            frame.evaluate("parent.sessionStorage.length")
        frame.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
        )
        assert frame.evaluate("window.ran") is None
    assert [error for error in seen.errors if "inline script" not in error] == []


# On readers and settings of our own


@dataclass(slots=True)
class Halting:
    """Shows the first word of its answer, and the rest when `go` is set."""

    go: threading.Event = field(default_factory=threading.Event)
    model: str = "halting"
    window: int = 1_000_000
    counted_by: str = "words"

    def count_tokens(self, reading: Reading) -> int:
        return 10

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        assert shown is not None
        await shown("Olof ")
        await asyncio.to_thread(self.go.wait)
        await shown("Berg")
        await record(Call(reading.stage, self.model, Usage(10, output_tokens=2), 0.1))
        return Draft(False, reading.route, "Olof Berg")


def test_an_answer_is_shown_while_it_is_made(browser: Browser, home: Path) -> None:
    corpus(home)
    reader = Halting()
    with served(House(home, reader).app()) as client, opened(browser, client) as (page, seen):
        ask(page, WHO, "port", "always_long")
        expect(page, ".answer", re.compile("^Olof $"))
        assert page.locator(".outcome").count() == 0
        reader.go.set()
        expect(page, ".outcome", "Answered")
        assert page.locator(".answer").inner_text() == "Olof Berg"
        expect(page, "tbody", "unknown")  # of a price that nobody named
    assert not seen.errors


def test_a_question_is_stopped_and_what_it_took_stays_on_record(browser: Browser, home: Path) -> None:
    corpus(home)
    reader = Halting()
    app = House(home, reader).app()
    with served(app) as client, opened(browser, client) as (page, seen):
        ask(page, WHO, "port", "always_long")
        expect(page, ".answer", "Olof")
        page.click("text=Stop")
        expect(page, ".now", "Stopped.")
        assert page.locator(".box.reading").count() == 0
        assert page.locator(".answer").inner_text().strip() == "Olof"
        reader.go.set()
        assert page.locator("button:text-is('Ask')").is_enabled()
    assert not seen.errors


EVIL = "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'><b>Olof</b>"


def test_markup_in_names_texts_answers_and_errors_is_shown_as_text_and_does_nothing(
    browser: Browser, home: Path
) -> None:
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>.md"
    corpus(home, "port", {name: f"{FOREST}\n\n{EVIL} is the harbour master.\n\n{FOREST}"})
    house = House(home, ScriptedReader([answers(EVIL)]))
    house.question_chars = 200
    with served(house.app()) as client, opened(browser, client) as (page, seen):
        ask(page, f"Who? {EVIL}", "port", "always_long")
        expect(page, ".answer", EVIL)
        expect(page, "button.citation", name)
        page.click("button.citation")
        assert marked(page) == EVIL
        expect(page, "dialog h2", name)
        page.keyboard.press("Escape")
        expect(page, ".earlier", EVIL)
        page.goto("/#corpora/port")
        expect(page, "table", name)
        page.click(f"[aria-label={json.dumps('Delete ' + name)}]")
        expect(page, "dialog", name)
        page.keyboard.press("Escape")
        page.goto("/#corpora/<script>alert(1)")
        expect(page, ".problem", "<script>alert(1)")
        assert page.evaluate("window.ran") is None
        assert page.locator("main script, main img").count() == 0
    assert seen == Seen(addresses=seen.addresses)
    assert {httpx.URL(address).host for address in seen.addresses} == {"127.0.0.1"}


def test_an_endpoint_that_cannot_be_reached_is_told_in_words(browser: Browser, home: Path) -> None:
    corpus(home)
    dead = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "window": 8000, "retries": 0}
    chosen: dict[str, Any] = {"embedder": {"kind": "hashing"}, "reader": {"kind": "chat", "chunks": "mine"}}
    settings = load(home=home, base=chosen | {"endpoints": {"mine": dead}})
    with served(build_service.app(settings)) as client, opened(browser, client) as (page, seen):
        ask(page, WHO, "port")
        expect(page, "[role=alert]", "'mine'")
        said = page.locator("[role=alert]").inner_text()
        assert "Endpoint" in said
        assert "127.0.0.1:9" in said
        assert page.locator("button:text-is('Ask')").is_enabled()
    assert not seen.errors


def test_a_service_that_does_not_answer_is_told_in_words(browser: Browser, home: Path) -> None:
    corpus(home)
    with served(House(home).app()) as client, opened(browser, client) as (page, seen):
        page.locator("#source option[value=port]").wait_for(state="attached")
        page.route("**/v1/ask", lambda route: route.abort())
        ask(page, WHO, "port")
        expect(page, "[role=alert]", "The service does not answer")
    assert not seen.errors


SECRET = "sk-page-0123456789"


class Locked:
    """Takes one key."""

    async def admit(self, bearer: str | None) -> Caller:
        if bearer != SECRET:
            raise NotAdmitted("the API key is not valid")
        return Caller()


def test_a_key_is_asked_for_kept_for_the_tab_and_sent_in_a_header_alone(browser: Browser, home: Path) -> None:
    corpus(home)
    house = House(home)
    house.access = Locked()
    with served(house.app()) as client, opened(browser, client) as (page, seen):
        sent: list[str | None] = []
        page.on("request", lambda request: sent.append(request.headers.get("authorization")))
        page.locator("dialog.key").wait_for()
        page.fill("#key-field", SECRET)
        page.keyboard.press("Enter")
        ask(page, WHO, "port")
        expect(page, ".answer", KNOWN[WHO])
        page.click("nav >> text=Usage")
        expect(page, "[data-total=questions] dd", "1")
        page.reload()
        expect(page, "[data-total=questions] dd", "1")
        assert f"Bearer {SECRET}" in sent
        assert page.evaluate("JSON.stringify(localStorage) + document.cookie").count(SECRET) == 0
        assert not any(SECRET in address for address in [*seen.addresses, page.url])
    assert not seen.errors


# For everybody


def test_the_page_is_used_by_keyboard_alone(browser: Browser, home: Path) -> None:
    corpus(home)
    with served(House(home).app()) as client, opened(browser, client) as (page, _):
        page.locator("#source option[value=port]").wait_for(state="attached")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "question"
        page.keyboard.type(WHO)
        page.keyboard.press("Enter")
        expect(page, "#said", "Answered from the chunks. Olof Berg")
        page.locator("button.citation").focus()
        page.keyboard.press("Enter")
        assert marked(page) == KNOWN[WHO]
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.className") == "citation"
        page.locator("nav a[data-view=corpora]").focus()
        page.keyboard.press("Enter")
        expect(page, "h1", "Corpora")
        assert page.evaluate("document.activeElement.tagName") == "H1"
        assert page.title() == "Corpora · selfroute"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_view_in_light_or_dark(browser: Browser, bundled: httpx.Client, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    question = bundled.post("/v1/ask", json={"question": SALARY, "corpus": "harbour"}).json()["id"]
    cited = bundled.post("/v1/ask", json={"question": NIGHT, "corpus": "harbour"}).json()["id"]
    found = []

    def look(page: Page, where: str) -> None:
        violations = axe.Axe().run(page).response["violations"]
        found.extend((where, one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations)

    # The page's policy forbids what axe does to look.
    with opened(browser, bundled, bypass_csp=True, color_scheme=scheme, reduced_motion="reduce") as (page, _):
        for path, there in [
            ("/", "#source option[value=harbour]"),
            (f"/q/{question}", ".outcome"),
            ("/q/nope", ".problem"),
            ("/#corpora", "main table"),
            ("/#corpora/harbour", "main table"),
            ("/#usage", ".plot svg"),
            ("/#evaluate", "main table"),
        ]:
            page.goto(path)
            page.locator(there).first.wait_for(state="attached")
            look(page, path)
        page.goto(f"/q/{cited}")
        page.click("button.citation")
        marked(page)
        look(page, "a document")
        page.keyboard.press("Escape")
        page.click("#key")
        look(page, "the key")
    assert found == []


def test_nothing_is_wider_than_a_phone(browser: Browser, bundled: httpx.Client) -> None:
    long = "a" * 200
    cited = bundled.post("/v1/ask", json={"question": f"{NIGHT} {long}", "corpus": "harbour"}).json()["id"]
    with opened(browser, bundled, viewport={"width": 360, "height": 740}) as (page, _):
        for path in [*VIEWS, "/#corpora/harbour", f"/q/{cited}"]:
            page.goto(path)
            page.locator("main table, #question").first.wait_for()
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") == 360, path


def test_the_description_of_the_api_is_read_in_a_browser_without_scripts_and_without_another_host(
    browser: Browser, home: Path
) -> None:
    options: dict[str, Any] = {"java_script_enabled": False, "viewport": {"width": 360, "height": 740}}
    with served(House(home).app()) as client, opened(browser, client, "/docs", **options) as (page, seen):
        asking = page.locator("#post-v1-ask")
        assert not asking.get_by_text("Body", exact=True).is_visible()
        asking.locator("summary").click()
        asking.get_by_role("link", name="AskSent").click()
        shape = page.locator("#AskSent")
        playwright.expect(shape).to_be_in_viewport()
        assert shape.locator("th code").all_text_contents().count("max_input_tokens") == 1
        assert page.locator("html").bounding_box()["width"] == 360
        assert page.locator(".docs").evaluate("main => main.scrollWidth <= main.clientWidth")
        style = asking.evaluate("one => getComputedStyle(one).borderRadius")
    assert style == "8px"
    assert seen == Seen(addresses=seen.addresses)
    assert {httpx.URL(address).host for address in seen.addresses} == {"127.0.0.1"}


def test_nothing_moves_where_less_motion_is_wanted(browser: Browser, home: Path) -> None:
    corpus(home)
    reader = Halting()
    with served(House(home, reader).app()) as client:
        for motion, moves in (("no-preference", 1), ("reduce", 0)):
            with opened(browser, client, reduced_motion=motion) as (page, _):
                ask(page, WHO, "port", "always_long")
                page.locator(".box.reading").wait_for()
                assert page.evaluate("document.getAnimations().length") == moves
        reader.go.set()
