"""A page becomes the text that a person reads on it: headings and tables kept, navigation and scripts dropped."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.html import DEEPEST, read, text_of

PAGE = """<!doctype html><html><head><title>No title of the text alone</title><style>no {}</style><script>no</script></head><body>
<nav><ul><li>No<li>No</ul></nav>
<header><h1>Harbour <em>of</em>
 Norrvik</h1></header>
<main><p>The harbour   master<br>is Olof&nbsp;Berg &amp; his caf&eacute;.</p>
<h2>Fees</h2>
<ul><li>one<li><p>two <a href="no">link</a></p><ul><li>deep</ul></ul>
<p hidden>No</p><div role="navigation">No</div><div aria-hidden="true">No</div><noscript>No</noscript>
<form><label>Name</label><input value="Ola"><button>No</button></form>
<!-- No --></main><footer>No</footer></body></html>"""


def test_a_page_is_read_in_its_order_with_headings_and_without_what_surrounds_it() -> None:
    assert text(PAGE) == (
        "# Harbour of Norrvik\n\nThe harbour master\nis Olof Berg & his café.\n\n## Fees\n\n"
        "- one\n- two link\n\n- deep\n\nName Ola"
    )


def test_the_rows_of_a_table_are_lines_with_their_cells_apart() -> None:
    table = (
        "<table><caption>Fees 2024</caption><thead><tr><th>Ship<th>Fee<th>Note</thead><tbody>"
        "<tr><td>Ferry<td>120 <b>kr</b><td></tr>"
        "<tr><td><p>Yacht</p><p>small</p><td><td><ul><li>a<li>b</ul></tbody></table>"
    )
    assert text(f"<p>Before</p>{table}<p>After</p>") == (
        "Before\n\nFees 2024\n\nShip | Fee | Note\nFerry | 120 kr |\nYacht small | | a b\n\nAfter"
    )


def test_a_table_that_only_places_things_on_the_page_is_read_as_a_page() -> None:
    placed = "<table><tr><td><h1>Title</h1><p>One</p></td><td><table><tr><td>x<td>y</table></td></tr></table>"
    assert text(placed) == "# Title\n\nOne\n\nx | y"


def test_preformatted_lines_stay_lines() -> None:
    assert text("<pre>def f():\n    return 1\n\nf()</pre>") == "def f():\n    return 1\n\nf()"


def test_words_that_only_marks_part_stay_together() -> None:
    assert text("<p>night<b>ly</b> work</p><div>one<div>two</div>three</div>") == "nightly work\n\none\n\ntwo\n\nthree"


@pytest.mark.parametrize(
    ("markup", "encoding", "said"),
    [
        ("<meta charset=shift_jis><p>港長は夜間作業を承認する", "shift_jis", "港長は夜間作業を承認する"),
        ('<meta http-equiv="content-type" content="text/html; charset=koi8-r"><p>Порт', "koi8-r", "Порт"),
        ('<?xml version="1.0" encoding="windows-1254"?><p>Dağ', "windows-1254", "Dağ"),
        ("<meta charset=nonsense><p>Överby på Åland", "latin-1", "Överby på Åland"),
        ("<p>Överby", "utf-16", "Överby"),
    ],
)
def test_the_encoding_is_the_one_that_is_declared_if_it_can_be(markup: str, encoding: str, said: str) -> None:
    assert text_of(markup.encode(encoding), Path("a.html")) == said


@pytest.mark.parametrize("markup", ["", "plain words", "<p", "<table><td>cell", "</p></div>after", "<b><i>x</b>y</i>"])
def test_markup_that_is_none_is_read_as_browsers_do(markup: str) -> None:
    words = {"": "", "plain words": "plain words", "<p": "", "<table><td>cell": "cell", "</p></div>after": "after"}
    assert text(markup) == words.get(markup, "xy")


def test_deep_nesting_is_read_or_refused_and_takes_no_time() -> None:
    began = time.monotonic()
    assert text("<div>" * 10_000 + "deep" + "</div>" * 10_000) == "deep"
    assert text("<p>" * 100_000 + "not deep") == "not deep"
    with pytest.raises(UnreadableFile, match="nests more than 20,000 elements inside each other"):
        text("<div>" * (DEEPEST + 1))
    assert time.monotonic() - began < 60


def test_nul_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(b"<p>a\0b")
    with pytest.raises(UnreadableFile, match="holds NUL"):
        read(path)


def text(markup: str) -> str:
    return text_of(markup.encode(), Path("a.html"))


def test_elements_that_xml_closes_where_they_open_swallow_nothing() -> None:
    body = '<p>One.</p><textarea/><script src="a.js" /><p>Two.</p><a id="x"/><br/><p title="a > b">Three.</p>'
    page = f'<?xml version="1.0"?><html><head><title/></head><body>{body}</body></html>'
    assert text_of(page.encode(), Path("x")).split() == ["One.", "Two.", "Three."]
