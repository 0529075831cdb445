"""Equations of Word files stand in a line, and no two numbers of them become one."""

from __future__ import annotations

from pathlib import Path

import pytest
from wordfiles import p, r, word

from selfroute.ingest.formats.docx import read


def m(name: str, *inside: str, **properties: str) -> str:
    """An element of an equation; texts in it are runs, `properties` are those of the element."""
    given = "".join(f'<m:{key} m:val="{value}"/>' for key, value in properties.items())
    parts = "".join(part if part.startswith("<") else f"<m:r><m:t>{part}</m:t></m:r>" for part in inside)
    return f"<m:{name}>{f'<m:{name}Pr>{given}</m:{name}Pr>' if properties else ''}{parts}</m:{name}>"


def half(over: str = "1", under: str = "2", **properties: str) -> str:
    return m("f", m("num", over), m("den", under), **properties)


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ((half(),), "1/2"),
        ((half(type="lin"),), "1/2"),
        ((half(type="skw"),), "1/2"),
        ((half("a+b", "2a"),), "(a+b)/(2a)"),
        ((half(half(), half("3", "4")),), "(1/2)/(3/4)"),
        ((half("n", "k", type="noBar"),), "(n; k)"),
        ((m("d", m("e", half("n", "k", type="noBar"))),), "(n choose k)"),
        (("2", half()), "2 1/2"),
        ((half(), "5"), "1/2 5"),
        (("3×", m("sSup", m("e", "10"), m("sup", "6"))), "3×10^6"),
        (("3", m("sSup", m("e", "10"), m("sup", "6"))), "3 10^6"),
        ((m("sSup", m("e", "a+b"), m("sup", "n+1")),), "(a+b)^(n+1)"),
        ((m("sSup", m("e", "20"), m("sup", "∘")), "C"), "20°C"),
        ((m("sSup", m("e", "f"), m("sup", "′")),), "f′"),
        ((m("sSub", m("e", "x"), m("sub", "1")), "2"), "x_1 2"),
        ((m("sSub", m("e", "H"), m("sub", "2")), "O"), "H_2O"),
        ((m("sSubSup", m("e", "x"), m("sub", "i"), m("sup", "2")),), "x_i^2"),
        (("3", m("sPre", m("sub", "6"), m("sup", "14"), m("e", "C"))), "3 ^14_6 C"),
        ((m("rad", m("deg"), m("e", "2"), degHide="1"),), "√2"),
        ((m("rad", m("deg", "3"), m("e", "x+1")),), "∛(x+1)"),
        ((m("rad", m("deg", "n"), m("e", "x")),), "root(n, x)"),
        ((m("nary", m("sub", "i=1"), m("sup", "n"), m("e", "i"), chr="∑"),), "∑_(i=1)^n i"),
        ((m("nary", m("sub", "0"), m("sup", "1"), m("e", "x")),), "∫_0^1 x"),
        ((m("d", m("e", "x"), m("e", "y"), sepChr=","),), "(x, y)"),
        ((m("d", m("e", "x"), begChr="[", endChr=""),), "[x"),
        ((m("func", m("fName", "sin"), m("e", "x")),), "sin x"),
        ((m("func", m("fName", "log"), m("e", m("d", m("e", "x")))),), "log(x)"),
        ((m("func", m("fName", m("limLow", m("e", "lim"), m("lim", "n→∞"))), m("e", "x")),), "lim_(n→∞) x"),
        ((m("limUpp", m("e", "x"), m("lim", "a")),), "x^a"),
        ((m("m", m("mr", m("e", "1"), m("e", "2")), m("mr", m("e", "3"), m("e", "4"))),), "[1, 2; 3, 4]"),
        ((m("d", m("e", m("m", m("mr", m("e", "1"), m("e", "2")))), begChr="[", endChr="]"),), "[1, 2]"),
        ((m("acc", m("e", "x"), chr="\u0305"),), "x\u0305"),
        ((m("acc", m("e", "AB"), chr="\u20d7"),), "(AB)\u20d7"),
        ((m("bar", m("e", "x"), pos="top"),), "x\u0305"),
        ((m("groupChr", m("e", "a+b")), m("box", m("e", "c")), m("borderBox", m("e", "d"))), "a+b c d"),
        ((m("phant", m("e", "unseen"), show="0"), m("phant", m("e", "x"))), "x"),
        ((m("d", m("e", m("eqArr", m("e", "x&amp;=1"), m("e", "y&amp;=2"))), begChr="{", endChr=""),), "{x=1; y=2"),
        (("2\u20623 \U0001d7cf\U0001d7d0",), "2×3 12"),
        (("sin\u2061x",), "sinx"),
        ((m("unheardOf", "x", half()),), "x 1/2"),
    ],
)
def test_an_equation_is_written_in_a_line(tmp_path: Path, inside: tuple[str, ...], text: str) -> None:
    assert read(word(tmp_path, p(m("oMath", *inside)))).text == text


def test_an_equation_does_not_run_into_the_text_around_it(tmp_path: Path) -> None:
    assert read(word(tmp_path, p("about 3", m("oMath", half()), "5 m"))).text == "about 3 1/2 5 m"


def test_equations_beside_each_other_stay_apart(tmp_path: Path) -> None:
    assert read(word(tmp_path, p(m("oMath", "a=1"), m("oMath", "2=b"), " and"))).text == "a=1 2=b and"


def test_equations_on_lines_of_their_own_are_kept_in_and_out_of_paragraphs(tmp_path: Path) -> None:
    block = m("oMathPara", m("oMath", "a=1"), m("oMath", "b=2"))
    assert read(word(tmp_path, block + p("on"))).text == "a=1\nb=2\n\non"
    assert read(word(tmp_path, p("before", block, "after"))).text == "before\na=1\nb=2\nafter"


def test_deleted_and_struck_parts_of_an_equation_are_dropped(tmp_path: Path) -> None:
    run = "<m:r>{0}<m:t>{1}</m:t></m:r>"
    struck = run.format("<w:rPr><w:strike/></w:rPr>", "9")
    deleted = f"<w:del>{run.format('', '8')}</w:del>"
    assert read(word(tmp_path, p(m("oMath", "x=", struck, deleted, "7")))).text == "x=7"


def test_symbols_and_runs_of_text_in_an_equation_are_read(tmp_path: Path) -> None:
    symbol = '<w:r><w:sym w:font="Symbol" w:char="F0B1"/></w:r>'
    assert read(word(tmp_path, p(m("oMath", "x=", symbol, r("5"))))).text == "x=±5"
