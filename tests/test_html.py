"""A page becomes the text that a person reads on it: headings and tables kept, navigation and scripts dropped."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.html import DEEPEST, read, text_of

PAGE = """<!doctype html><html><head><title>Not in the text</title><style>no {}</style><script>no</script></head><body>
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


CASES = Path(__file__).parent / "cases" / "documents"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a03-superscript", ["10^6 litres", "120 [3] euros", "40 [2] euros", "is 1/2 percent", "10^-3 s"]),
        ("a04-steps", ["1. Close the valve.\n2. Drain the pump.\n3. Call the foreman.", "7. Lock", "a. Alpha"]),
        (
            "a07-accordion",
            ["### How long is a key valid?\n\nA key is valid for 90 days.", "Call 555-0142 to renew it."],
        ),
        (
            "a07b-bootstrap-accordion",
            ["## How long is a harbour key valid?\n\n90 days from the day of issue.", "45 euros"],
        ),
        ("a08-table", ["North | Summer | 40\nNorth | Winter | 25\nSouth | free | free", "inner key | inner value 17"]),
        (
            "c9-strike",
            ["The fine is 90 euros. Was $25.", "Chart: income is 12 million", "Name Ola Moe", "Typed remark here"],
        ),
        ("c10-pre", ["name      fee\nnorth      40\nsouth      25\n\n  indented\n\na  b\n\nx = 1\ny = 2"]),
    ],
)
def test_a_case_is_read_as_it_should_be(name: str, said: list[str]) -> None:
    made = read(CASES / f"{name}.html").text
    assert all(part in made for part in said)
    assert not any(part in made for part in ("106", "1203", "$40", "Invisible"))


# Numbers as they stand


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("10<sup>6</sup> litres, 10<sup>-3</sup> s, 5 m<sup>2</sup>", "10^6 litres, 10^-3 s, 5 m^2"),
        ("120<sup>3</sup> euros, 40<sup>[2]</sup> euros", "120 [3] euros, 40 [2] euros"),
        ("H<sub>2</sub>O, x<sub>n+1</sub>", "H_2O, x_(n+1)"),
        ("1<sup>st</sup>, Acme<sup>TM</sup>, 20<sup>*</sup>", "1st, Acme™, 20*"),
        ("3<sup>1</sup>&frasl;<sub>2</sub> and <sup>3</sup>/<sub>4</sub>", "3 1/2 and 3/4"),
        ("10<sup><a href='#fn6'>6</a></sup>euros", "10 [6] euros"),
        ("10<a href='#fn6'><sup>6</sup></a> euros", "10 [6] euros"),
        (
            "10<a class='footnote-ref' href='#f'>6</a>, 10<a role='doc-noteref' href='#f'><sup>7</sup></a>",
            "10 [6], 10 [7]",
        ),
        ("10<sup class='reference'><a href='#1'>[1]</a></sup><sup><a href='#2'>[2]</a></sup>", "10 [1] [2]"),
        ("10<a epub:type='noteref' href='#1'>*</a>", "10*"),
        ("IBM<sup><a href='#14'>[14]</a></sup><sup>: 228</sup>", "IBM [14]: 228"),
        ("10<span style='vertical-align: super'>6</span>, x<span style='vertical-align:sub'>2</span>", "10^6, x_2"),
        ("N/mm <sup>2</sup>", "N/mm^2"),
        ("x<sub>1</sub>2, 10<sup>6</sup>5 and H<sub>2</sub>O", "x_1 2, 10^6 5 and H_2O"),
        ("<sup>Prices are those of the year before, without tax, as they were announced.</sup>",) * 2,
        ("<a class='reference internal' href='#a'>user guide</a>", "user guide"),
    ],
)
def test_what_is_raised_or_lowered_is_not_joined_with_what_is_before_it(markup: str, said: str) -> None:
    assert text(f"<p>{markup}</p>") == re.sub("<[^>]*>", "", said)


MATH = "<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>"
ESCAPED = MATH.replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize(
    "drawn",
    [
        f"<span class='katex'><span class='katex-mathml'>{MATH}</span>"
        "<span class='katex-html' aria-hidden=true>12</span></span>",
        "<mjx-container class='MathJax'><mjx-math aria-hidden=true>12</mjx-math>"
        f"<mjx-assistive-mml>{MATH}</mjx-assistive-mml></mjx-container>",
        f"<span class='MathJax_Preview'>half</span><span class='MathJax' data-mathml='{ESCAPED}'>"
        "<nobr aria-hidden=true>12</nobr></span><script type='math/tex'>\\frac12</script>",
        "<span class='MathJax_Preview'>half</span><script type='math/tex'>1/2</script>",
        "<span class='MathJax'><nobr>12</nobr></span>\n<script type='math/tex'>1/2</script>",
        f"<script type='math/mml'>{MATH}</script>",
        f"<span class='mwe-math-element'><span style='display: none'>{MATH}</span>"
        "<img class='mwe-math-fallback-image-inline' alt='{1 \\over 2}'></span>",
        f"<span style='display: none'>{MATH}</span>"
        "<img class='mwe-math-fallback-image-inline' alt='{1 \\over 2} of that'>",
        "<mjx-container aria-label='1/2'><mjx-math>12</mjx-math></mjx-container>",
        "<img class='latex' alt='1/2'>",
        "<mjx-container class='MathJax'><mjx-math data-latex='1/2'><mjx-mn>12</mjx-mn></mjx-math></mjx-container>",
        f"<epub:switch><epub:case>{MATH}</epub:case><epub:default>half</epub:default></epub:switch>",
    ],
)
def test_an_equation_that_is_drawn_is_read_once(drawn: str) -> None:
    assert text(f"<p>It is {drawn} percent.</p>") == "It is 1/2 percent."


def test_an_equation_that_is_only_drawn_and_a_page_that_is_named_so_are_read() -> None:
    assert text("<p>It is <span class='MathJax'>x</span>.</p><span class='MathJax_Preview'>y</span>") == "It is x.\n\ny"
    page = f"<body class='MathJax'><h1>Half</h1><p>It is {MATH}.</p><div class='layout-gutter'>More.</div>"
    assert text(page) == "# Half\n\nIt is 1/2.\n\nMore."


@pytest.mark.parametrize(
    "struck",
    [
        "<s>70</s>",
        "<del>70</del>",
        "<strike>70</strike>",
        "<span style='color: red; text-decoration: underline line-through'>70</span>",
        "<span style='TEXT-DECORATION-LINE:LINE-THROUGH'>70</span>",
        "<span role='deletion'>70</span>",
        "<span class='a old'>70</span>",
        "<b class='older'>70</b>",
    ],
)
def test_what_is_struck_out_is_dropped(struck: str) -> None:
    style = "<style>/* .new{} */ .old, p.older { color: red; text-decoration: line-through }</style>"
    assert text(f"{style}<p>The fine is {struck} <ins>90</ins> euros.</p>") == "The fine is 90 euros."


def test_rules_of_style_sheets_that_may_not_hold_change_nothing() -> None:
    style = (
        "<style>@media print { .a { text-decoration: line-through } } .b .c { text-decoration: line-through }"
        "@import 'x.css'; .d:hover { text-decoration: line-through } .e { text-decoration: none }"
        ".up { vertical-align: super } ol.f { list-style-type: lower-alpha } ol.g { list-style: none } @media x { .g {"
    )
    page = (
        f"{style}</style><p class=a>1<p class=c>2<p class=d>3<p class=e>4<p>10<b class=up>6</b><ol class=f><li>5</ol>"
        "<ol class=g><li>6</ol>"
    )
    assert text(page) == "1\n\n2\n\n3\n\n4\n\n10^6\n\na. 5\n\n- 6"
    counted = (
        "<style>ol.g { list-style: none } ol.g > li::before { content: counter(g) } </style><ol class=g><li>6</ol>"
    )
    assert text(counted) == "1. 6"


@pytest.mark.parametrize(
    ("markup", "lines"),
    [
        ("<ol><li>one<li>two</ol>", ["1. one", "2. two"]),
        ("<ol start=7><li>one<li value=9>two<li>three</ol>", ["7. one", "9. two", "10. three"]),
        ("<ol type=a><li>x<li>y</ol>", ["a. x", "b. y"]),
        ("<ol type=I start=4><li>x<li type=1>y</ol>", ["IV. x", "5. y"]),
        ("<ol reversed><li>x<li>y</ol>", ["2. x", "1. y"]),
        ("<ol reversed start=9><li>x<li>y</ol>", ["9. x", "8. y"]),
        ("<ol><li>x<ol type=i><li>y</ol><li>z</ol>", ["1. x", "i. y", "2. z"]),
        ("<ol style='list-style: upper-roman inside'><li>x</ol>", ["I. x"]),
        ("<ol style='list-style-type:none'><li>1.2 x</ol>", ["- 1.2 x"]),
        ("<ul style='list-style-type: decimal'><li>x</ul>", ["1. x"]),
        ("<ol><li style='list-style-type: decimal-leading-zero'>x</ol>", ["01. x"]),
        ("<ol start=nonsense><li>x</ol><ol start=99999999999><li>y</ol>", ["1. x", "999999999. y"]),
        ("<ol><li><p>x</p><p>y</p></ol>", ["1. x", "y"]),
        ("<ol><li><h3>x</h3>y<li></ol>", ["### 1. x", "y"]),
        ("<ol><li><ul><li>x</ul></ol>", ["1. - x"]),
        ("<table><tr><td><ol><li>x<li>y</ol><td>z</table>", ["1. x 2. y | z"]),
        ("<ul><li>x</ul><li>y</li>", ["- x", "- y"]),
    ],
)
def test_the_numbers_of_a_list_are_written(markup: str, lines: list[str]) -> None:
    assert [line for line in text(markup).split("\n") if line] == lines


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ("<tr><td rowspan=2>N<td>1<tr><td>2", ["N | 1", "N | 2"]),
        ("<tr><td>S<td colspan=2>free<tr><td>N<td>1<td>2", ["S | free | free", "N | 1 | 2"]),
        ("<tr><td>a<td rowspan=2 colspan=2>b<tr><td>c", ["a | b | b", "c | b | b"]),
        ("<tr><td rowspan=0>N<td>1<tr><td>2<tr><td>3", ["N | 1", "N | 2", "N | 3"]),
        ("<tr><td rowspan=65000>N<td>1<tr><td>2", ["N | 1", "N | 2"]),
        ("<tr><td colspan=1000>wide<tr><td>a<td>b", ["wide | wide", "a | b"]),
        ("<tr><td colspan=0>a<td rowspan=x>b", ["a | b"]),
        ("<tr><td>a<td>b<td rowspan=2>c<tr><td>d", ["a | b | c", "d | | c"]),
        ("<tr><td rowspan=2>a<td rowspan=2>b<tr></tr><tr><td>c<td>d", ["a | b", "c | d"]),
        ("<thead><tr><th rowspan=9>A<th>B</thead><tbody><tr><td>1<td>2", ["A | B", "1 | 2"]),
        (
            "<tfoot><tr><td>t<td>9</tfoot><tbody><tr><td>1<td>2</tbody><thead><tr><th>A<th>B",
            ["A | B", "1 | 2", "t | 9"],
        ),
        ("<tr><td rowspan=2><img alt='A plan of quays'><td>1<tr><td>2", ["[image: A plan of quays] | 1", "| 2"]),
        (f"<tr><td colspan=3>{'x ' * 150}<tr><td>a<td>b<td>c", [f"{'x ' * 150}| |", "a | b | c"]),
        ("<tr><td>a<td><pre>x = 1\ny = 2</pre><tr><td>b<td>c", ["a | x = 1 y = 2", "b | c"]),
        ("<tr><td class=linenos><pre>1\n2</pre><td><pre>x:\n  y</pre>", ["x:", "  y"]),
        ("<tr><td><p>One.</p><p>Two.</p>", ["One.", "Two."]),
        ("<tr><td>a<td style='text-decoration:line-through'>b<td>c<tr><td>d<td hidden>e<td>f", ["a | | c", "d | f"]),
    ],
)
def test_a_cell_stands_in_each_row_and_column_that_it_spans(rows: str, lines: list[str]) -> None:
    assert [line for line in text(f"<table>{rows}</table>").split("\n") if line] == lines


def test_cells_that_span_too_much_are_not_repeated_for_ever() -> None:
    page = "<table>" + f"<tr><td rowspan=0 colspan=20>{'x' * 190}<td>y" + "<tr><td>z" * 20_000 + "</table>"
    assert len(text(page)) < 10_000_000


def test_preformatted_text_keeps_every_line() -> None:
    assert text("<p>Text</p><pre>name   fee\nnorth   40\nsouth   25</pre><pre>  in\n\n\n\n  out  \n</pre>after") == (
        "Text\n\nname   fee\nnorth   40\nsouth   25\n\n  in\n\n\n\n  out\n\nafter"
    )
    assert text("<pre><b>a</b>  b<br>c</pre><p style='white-space: pre-line'>d\ne</p>") == "a  b\nc\n\nd\ne"
    assert (
        text("<p><code>a  b</code> <code>c\n   d</code> <span style='white-space:pre'>e  f</span></p>")
        == "a  b c d e  f"
    )


def test_words_that_may_be_broken_are_whole() -> None:
    assert text("<p>Line one<wbr>d &shy;hy&shy;phen ze&#8203;ro, \u0e44\u0e1b\u200b\u0e21\u0e32</p>") == (
        "Line oned hyphen zero, \u0e44\u0e1b\u200b\u0e21\u0e32"
    )
    assert text("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby> <q>no</q>") == "漢(kan) “no”"


# What is typed, hidden and opened


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("<label>Name <input value='Ola Moe'></label>", "Name Ola Moe"),
        ("<label for=a>Name:</label><br><input id=a value=Ola>", "Name: Ola"),
        ("<div><label>Name</label></div><div><input value=Ola></div>", "Name Ola"),
        ("<label for=b>Name</label><br><input id=a value=Ola>", "Name\nOla"),
        ("<p>x</p><input value=Ola>", "x\n\nOla"),
        ("<input type=date value=2024-05-01> <input type=nonsense value=x>", "2024-05-01 x"),
        ("<input aria-label=Age value=41>", "Age 41"),
        ("x<input type=password value=a><input type=hidden value=b><input type=submit value=c><input type=file>", "x"),
        ("x<input autocomplete=cc-number value=4111>", "x"),
        (
            "<label><input type=checkbox checked> Member</label> <label><input type=radio> Guest</label>",
            "[x] Member [ ] Guest",
        ),
        ("<p>x</p><p><input type=checkbox></p>", "x"),
        ("x<input type=checkbox id=nav-toggle>", "x"),
        ("<label>Remark <textarea>\nOne\ntwo</textarea></label>", "Remark One\ntwo"),
        ("<label>Colour</label><br><select><option>Red<option selected>Blue</select>", "Colour Blue"),
        ("x<select><option>Red<option>Blue</select><textarea></textarea>", "x"),
        ("<select multiple><option selected>Red<option selected label=Sky>Blue</select>", "Red, Sky"),
        ("<table><tr><td>Name<td><input value=Ola><tr><td>Ok<td><input type=checkbox></table>", "Name | Ola\nOk | [ ]"),
    ],
)
def test_what_is_typed_is_read_beside_its_label(markup: str, said: str) -> None:
    assert text(markup) == said


@pytest.mark.parametrize(
    "markup",
    [
        "<h3><button aria-controls=p aria-expanded=false>How long?</button></h3><div id=p hidden>90 days</div>",
        "<h3><button aria-expanded=true>How long?</button></h3><div aria-hidden=true>90 days</div>",
        "<button class=accordion>How long?</button><div class=panel style='display:none'>90 days</div>",
        "<button onclick='t(this)'>How long?</button><div style='display: none'>90 days</div>",
        "<a data-toggle=collapse href='#p'>How long?</a><div>&nbsp;</div><div id=p style='display:none'>90 days</div>",
        "<a onclick=\"show('p')\">How long?</a><p>&nbsp;</p><div id=p style='visibility:hidden'>90 days</div>",
        "<details><summary>How long?</summary>90 days</details>",
        "<dl><dt>How long?</dt><dd hidden>90 days</dd></dl>",
        "<div role=button>How long?</div><p hidden>90 days</p>",
        "<div role=tablist><button role=tab>How long?</button></div><div role=tabpanel hidden>90 days</div>",
        "<p>How long?</p><div class='faq-answer' hidden>90 days</div>",
        "<button commandfor=p>How long?</button><dialog id=p>90 days</dialog>",
        "<p>How long?</p><dialog open>90 days</dialog>",
        "<nav><div role=tablist><button role=tab>How long?</button></div></nav><p>90 days</p>",
    ],
)
def test_a_question_and_the_answer_that_it_opens_are_read(markup: str) -> None:
    assert " ".join(text(markup).replace("#", "").replace("\xa0", "").split()) == "How long? 90 days"


@pytest.mark.parametrize(
    "markup",
    [
        "<p style='display:none'>Invisible 5</p>",
        "<p style='color: red; VISIBILITY : hidden'>Invisible words in a row</p>",
        "<p hidden>No</p>",
        "<i class='fa fa-x' aria-hidden=true>expand_more</i>",
        "<span aria-hidden=true>•</span>",
        "<button>Submit</button><button class=navbar-toggler aria-controls=n>Toggle all</button>",
        "<button aria-expanded=false>Menu</button><button aria-haspopup=true aria-expanded=false>All of them</button>",
        "<button aria-expanded=false></button>",
        "<div class=modal hidden>Sign in to read on with us.</div>",
        "<dialog>Cookies are fine for you.</dialog>",
        "<div class=slick-cloned>Said twice.</div>",
        "<a class=headerlink href='#a'>¶</a>",
        "<a class=footnote-backref href='#a'>↩</a>",
        "<template><p>No</p></template>",
    ],
)
def test_what_nobody_sees_is_dropped(markup: str) -> None:
    assert text(f"<p>Seen.</p>{markup}") == "Seen."


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("<div hidden>A panel with words in it.</div>", "A panel with words in it."),
        ("Now <span aria-hidden=true>$25</span>", "Now $25"),
        ("<span><span aria-hidden=true>$2500</span><span class=sr-only>$25.00</span></span>", "$25.00"),
        ("<article style='display:none'><h1>Shown by a script</h1></article>", "# Shown by a script"),
        ("<body style='visibility: hidden'><p>Shown by a script", "Shown by a script"),
        ("<div role=heading aria-level=3>Fees</div>40", "### Fees\n\n40"),
        ("<span style='display:block'>One</span><span style='display: block'>two</span>", "One\n\ntwo"),
        ("<blockquote>No.<footer>Olof Berg</footer></blockquote><footer>2024</footer>", "No.\n\nOlof Berg"),
        ("<div>Light<template shadowrootmode=open><p>Shadow</p></template></div>", "Light\n\nShadow"),
        ("x<iframe srcdoc='&lt;p&gt;In a frame'></iframe><iframe src=a.html>no</iframe>", "x\n\nIn a frame"),
        ("<noscript><p>Only here.</p></noscript>", "Only here."),
        ("x<noscript>No</noscript>", "x"),
        ("a <span epub:type=pagebreak>12</span>b <span role=doc-pagebreak>13</span>c", "a b c"),
        ("<p hidden=until-found>Found</p>", "Found"),
        ("<nav>a</nav><div role=search>b</div><search>c</search>x", "x"),
    ],
)
def test_what_a_person_can_see_is_read(markup: str, said: str) -> None:
    assert text(markup) == said


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("<img alt='Chart: income is 12 million'>", "[image: Chart: income is 12 million]"),
        ("<img alt=''><img alt=photo><img alt='IMG_2034.png'><img alt='Norrvik harbour logo'><img>x", "x"),
        ("x<img role=presentation alt='A line of three words'>", "x"),
        ("<figure><img alt='The old quay'><figcaption>The old quay</figcaption></figure>", "The old quay"),
        ("<table><tr><td>Fuel<td><img alt=Yes></table>", "Fuel | [image: Yes]"),
        ("<img alt='&lt;b&gt;Two berths&lt;/b&gt; of 40 m'>", "[image: Two berths of 40 m]"),
        ("Good <img class=emoji alt='👍'>", "Good 👍"),
        ("<svg><title>By year</title><text>2024</text><text>12 m</text></svg>", "[image: By year; 2024; 12 m]"),
        ("x<svg class=icon><title>Close</title></svg>", "x"),
        ("x<svg><symbol id=a><title>Look for harbours</title></symbol><symbol><text>b c d</text></symbol></svg>", "x"),
        (
            "<svg><title>A b c</title><symbol id=a><text>By year</text></symbol><use href='#a'/></svg>",
            "[image: A b c; By year]",
        ),
        ("<img src='data:image/png;base64,AAAA' alt='A plan of quays'>", "[image: A plan of quays]"),
    ],
)
def test_a_picture_is_read_by_its_description_if_that_says_something(markup: str, said: str) -> None:
    assert text(markup) == said


# The page as a whole


@pytest.mark.parametrize(
    ("title", "body", "said"),
    [
        ("Fees &amp; rules", "<p>40", "# Fees & rules\n\n40"),
        ("Fees", "<h1>The FEES</h1>40", "# The FEES\n\n40"),
        ("Fees - Norrvik", "<h1>Fees</h1>40", "# Fees - Norrvik\n\n# Fees\n\n40"),
        ("Untitled", "40", "40"),
        ("page_1.htm", "40", "40"),
        ("", "40", "40"),
    ],
)
def test_the_title_is_the_first_heading_unless_one_repeats_it(tmp_path: Path, title: str, body: str, said: str) -> None:
    path = tmp_path / "a.html"
    path.write_text(f"<title>{title}</title><svg><title>no</title></svg>{body}")
    assert read(path).text == said
    assert read(path).warnings == ()


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("<title>App</title><div id=root></div><script src=a.js></script>", "scripts write it in a browser"),
        (
            "<noscript>You need to enable JavaScript.</noscript><div id=a></div><script src=a.js></script>",
            "scripts write",
        ),
        ("<body><noscript>You need to enable JavaScript.</noscript><script src=a.js></script>", "scripts write it"),
        ("<img src=scan.png>", "it shows pictures only"),
        (
            "<frameset><frame src=a.html><frame src=b.html></frameset>",
            r"other files in frames: index those \(a.html, b.html\)",
        ),
    ],
)
def test_a_page_without_text_is_refused_with_the_reason(tmp_path: Path, page: str, reason: str) -> None:
    path = tmp_path / "a.html"
    path.write_text(page)
    with pytest.raises(UnreadableFile, match=reason):
        read(path)


def test_an_empty_page_is_empty_and_frames_with_a_text_are_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("<title>No</title>")
    assert read(path).text == ""
    path.write_text(
        "<frameset>" + "<frame src=a.html>" * 7 + "<noframes><p>The text without frames.</noframes></frameset>"
    )
    made = read(path)
    assert made.text == "The text without frames."
    assert made.readable == 1 / 8
    assert made.warnings[0].endswith("a.html, a.html, a.html, a.html, a.html, ...")


@pytest.mark.parametrize(
    "page",
    [
        "<sup>" * 15_000 + "<p>x",
        "<sup><sub>" * 8_000 + "x",
        "<div hidden>" * 9_000 + "a b c",
        "<table><tr><td>" * 6_000 + "x",
        "<span class=MathJax>" * 9_000 + "x",
        "<button>" * 9_000 + "x",
        "<p>x" + "<svg>" * 9_000 + "<text>y</text>",
        "<style>" + "a{list-style:x;" * 60_000 + "</style>x",
        "<style>" + "@media x{" * 100_000 + "line-through</style>x",
        "<template shadowrootmode=open>" * 3_000 + "x",
        "<ul><li>" * 9_000 + "x",
        "<p>" + "1<sup>2</sup>/<sub>3</sub>" * 20_000,
        "<p>x" + "<button>a b</button><div hidden>y</div>" * 10_000,
    ],
    ids=lambda page: page[:20],
)
def test_a_page_that_is_made_to_take_long_does_not(page: str) -> None:
    began = time.monotonic()
    text(page)
    assert time.monotonic() - began < 20
