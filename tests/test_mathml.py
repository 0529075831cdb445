"""An equation is a line of text that means the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from selfroute.ingest.formats.html import text_of
from selfroute.ingest.formats.html.mathml import tex

A, B, ONE, TWO = "<mi>a</mi>", "<mi>b</mi>", "<mn>1</mn>", "<mn>2</mn>"
SUM = f"<mrow>{A}<mo>+</mo>{B}</mrow>"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (f"<mfrac>{ONE}{TWO}</mfrac>", "1/2"),
        (f"<mfrac>{SUM}{TWO}</mfrac>", "(a+b)/2"),
        (f"<mn>3</mn><mfrac>{ONE}{TWO}</mfrac>", "3 1/2"),
        ('<mfrac linethickness="0"><mi>n</mi><mi>k</mi></mfrac>', "(n over k)"),
        ("<msup><mn>10</mn><mn>6</mn></msup>", "10^6"),
        ("<mn>3</mn><mo>×</mo><msup><mn>10</mn><mrow><mo>−</mo><mn>6</mn></mrow></msup>", "3×10^−6"),
        (f"<msup>{SUM}{TWO}</msup>", "(a+b)^2"),
        ("<msup><mi>f</mi><mo>′</mo></msup>", "f′"),
        (f"<msub><mi>x</mi>{TWO}</msub>{ONE}", "x_2 1"),
        (f"<msubsup><mi>x</mi>{ONE}{TWO}</msubsup>", "x_1^2"),
        (
            f"<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo>{ONE}</mrow><mi>n</mi></munderover><mi>i</mi>",
            "∑_(i=1)^n i",
        ),
        ("<munder><mi>lim</mi><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder>", "lim_(x→0)"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x\u0304"),
        (f"<mover>{SUM}<mo>¯</mo></mover>", "(a+b)¯"),
        (f"<munder><munder>{SUM}<mo>⏟</mo></munder><mtext>real</mtext></munder>", "(a+b)_real"),
        (f"<msqrt>{TWO}</msqrt>", "√2"),
        (f"<msqrt>{A}<mo>+</mo>{B}</msqrt>", "√(a+b)"),
        ("<mroot><mn>8</mn><mn>3</mn></mroot>", "√[3]8"),
        (f"<mfenced>{A}{B}</mfenced>", "(a, b)"),
        (f'<mfenced open="[" close="]" separators=";">{A}{B}</mfenced>', "[a; b]"),
        (
            f"<mo>(</mo><mtable><mtr><mtd>{ONE}</mtd><mtd>{TWO}</mtd></mtr><mtr><mtd>{A}</mtd><mtd>{B}</mtd></mtr></mtable>"
            "<mo>)</mo>",
            "(1, 2; a, b)",
        ),
        (f"<mtable><mtr><mtd>{A}</mtd><mtd><mo>=</mo>{ONE}</mtd></mtr><mtr><mtd>{B}</mtd></mtr></mtable>", "a =1; b"),
        ("<mmultiscripts><mi>C</mi><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts>", "_6^14C"),
        (f"<mmultiscripts><mi>T</mi>{A}{B}<none/>{TWO}</mmultiscripts>", "T_a^b^2"),
        (f"{TWO}<mo>&#x2062;</mo>{ONE}", "2 1"),
        (f"{TWO}<mo>&#x2064;</mo><mfrac>{ONE}{TWO}</mfrac>", "2 1/2"),
        ("<mi>sin</mi><mo>&#x2061;</mo><mi>x</mi>", "sin x"),
        (f"{A}<mtext> if </mtext>{B}", "a if b"),
        (f"{A}<mspace width='1em'/>{B}<mphantom>{ONE}</mphantom>", "a b"),
        (f"<maction>{A}{B}</maction>", "a"),
        (f"<semantics>{A}<annotation encoding='application/x-tex'>b</annotation></semantics>", "a"),
        (
            "<semantics><mrow/><annotation encoding='TeX'>{\\displaystyle x^{2}}</annotation></semantics>",
            "x^{2}",
        ),
        ("<msup><mi>x</mi></msup>", "x"),
        ("<mglyph alt='knot'/>", "knot"),
        ("", ""),
    ],
)
def test_an_equation_is_a_line(markup: str, text: str) -> None:
    assert page(f"<math>{markup}</math>") == text


def test_an_equation_stands_in_its_sentence() -> None:
    half = f"<math><mfrac>{ONE}{TWO}</mfrac></math>"
    assert page(f"<p>It is {half} percent, or 3{half}or so, of <math>{A}</math>.</p>") == (
        "It is 1/2 percent, or 3 1/2 or so, of a."
    )
    assert page(f"<p>So<math display='block'>{SUM}</math>holds.") == "So\n\na+b\n\nholds."


def test_what_has_no_content_is_read_by_its_other_text() -> None:
    assert page('<math alttext="{\\displaystyle x^{2}}"></math>') == "x^{2}"


def test_a_prefix_of_xhtml_changes_nothing() -> None:
    markup = '<p>A <m:math class="a"><m:mfrac><m:mn>1</m:mn><m:mn>2</m:mn></m:mfrac></m:math> part.</p>'
    assert text_of(markup.encode(), Path("a"), xml=True) == "A 1/2 part."
    assert text_of(markup.replace(' class="a"', "").encode(), Path("a"), xml=True) == "A 1/2 part."


def test_tex_is_read_without_what_says_how_it_is_drawn() -> None:
    assert tex("{\\displaystyle  a\n+ b}") == "a + b"
    assert tex("a + b") == "a + b"


@pytest.mark.parametrize(
    "markup",
    ["<mrow>" * 9_000 + "<mn>1</mn>", "<mfrac>" * 9_000 + "<mn>1</mn>", "<mn>1</mn>" * 50_000, "<msup>" * 19_000],
)
def test_an_equation_that_is_made_to_take_long_does_not(markup: str) -> None:
    began = time.monotonic()
    page(f"<math>{markup}")
    assert time.monotonic() - began < 10


def page(markup: str) -> str:
    return text_of(markup.encode(), Path("a.html"))
