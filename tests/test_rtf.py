"""Rich text is read in order by its code pages, without what was deleted, struck out or hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.rtf import DEEPEST, read

HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0\uc1{\fonttbl{\f0\fnil\fcharset0 Arial;}{\f1\fnil\fcharset204 Arial Cyr;}"
    r"{\f2\ftech\fcharset2 Symbol;}{\f3\fnil\fcharset128 Gothic;}}{\colortbl;\red0;}"
    r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2 heading 2;}}"
    r"{\info{\title Secret}{\author Olof}}{\*\generator Riched20;}"
)


TEXTS = {
    "paragraphs": (r"One\par Two\line below\page Three\sect Four", "One\n\nTwo\nbelow\n\nThree\n\nFour"),
    "headings": (
        r"\s1 Fees\par\pard\s2 Quays\par\pard\outlinelevel2 North\par\pard Text",
        "# Fees\n\n## Quays\n\n### North\n\nText",
    ),
    "code pages": (r"\'e9t\'e9 {\f1\'cf\'f0\'e8} {\f3\'97\'bf\'8b\'e0}", "été При 料金"),
    "unicode": (r"\u8364?5 \u-10179?\u-8704? {\uc2\u8364\'e2\'82x} {\uc0\u8364}", "€5 😀 €x €"),
    "half a pair": (r"a\u-10179?b", "a\ufffdb"),
    "both writings": (r"{\upr{ascii}{\*\ud \u8364?}} 5", "€ 5"),
    "symbols": (r"{\f2\'b1}5 mm, {\f2 a}", "±5 mm, \u03b1"),
    "signs": (r"\ldblquote a\rdblquote\~\endash\_5 x\-y \{\}\\", "“a” –-5 xy {}\\"),
    "struck out": (r"The fee is {\strike 70 }90{\striked1 x} euros{\strike a\strike0 !}", "The fee is 90 euros!"),
    "deleted and hidden": (r"a{\deleted gone}{\v hidden}b{\v x\plain c}", "abc"),
    "inserted": (r"a{\revised b}", "ab"),
    "raised and lowered": (
        r"10{\super 6} litres of H{\sub 2}O, 120{\up6 3} euros\nosupersub",
        "10^6 litres of H_2O, 120 [3] euros",
    ),
    "list text": (
        r"{\listtext\pard\plain 3.\tab}Pay\par{\listtext 4.\tab}Moor\par{\pntext\f2\'b7\tab}Leave\par\pard Then",
        "3. Pay\n4. Moor\n- Leave\n\nThen",
    ),
    "a note": (
        r"The fee{\super\chftn}{\footnote\pard{\super\chftn} In summer.\par} is 40.",
        "The fee [1] is 40.\n\n[1] In summer.",
    ),
    "a note with its own mark": (r"The fee*{\footnote * In summer.} is 40.", "The fee* is 40.\n\n* In summer."),
    "a comment": (
        r"{\*\atnid OB}{\*\atnauthor Olof}\chatn{\*\annotation\pard check this}The fee",
        "[comment: check this]The fee",
    ),
    "a field": (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt the link}}", "the link"),
    "headers once": (r"{\header Office\par}{\footerr Office}{\footer Page {\field{\fldrslt 1}}}Fees", "Office\n\nFees"),
    "a box": (r"{\shp{\*\shpinst{\sp{\sn x}{\sv y}}{\shptxt May\par}}{\shprslt again}}Fees\par", "May\n\nFees"),
    "unknown words": (r"{\*\novelty gone}\novelty3 kept{\pict\pngblip 8950}", "kept"),
    "a fraction": (r"Rate {\mmath{\*\moMath{\mf{\mfPr{\mctrlPr x}}{\mnum 1}{\mden 2}}}}", "Rate 1/2"),
    "numbers of lists out of their place": (r"{\list{\listlevel{\leveltext \'02\'00.}{\levelnumbers \'01}}}Pay", "Pay"),
    "characters of no meaning": (r"The fee\u0? is \'0040", "The fee is 40"),
    "raw line breaks": ("One\r\n word \\\nTwo", "One word\n\nTwo"),
}


@pytest.mark.parametrize(("body", "text"), TEXTS.values(), ids=TEXTS)
def test_words_are_read_as_they_are_meant(tmp_path: Path, body: str, text: str) -> None:
    assert read(written(tmp_path, body)).text == text


def test_the_rows_of_a_table_repeat_spanned_cells(tmp_path: Path) -> None:
    body = (
        r"Before\par\trowd\cellx1000\cellx3000\pard\intbl quay\cell fees\cell\row"
        r"\trowd\clvmgf\cellx1000\cellx2005\cellx3000\pard\intbl North\cell summer\cell 40\par euros\cell\row"
        r"\trowd\clvmrg\cellx1000\cellx2000\cellx3000\pard\intbl\cell winter\cell 25\cell\row"
        r"\trowd\cellx1000\clmgf\cellx2000\clmrg\cellx3000\pard\intbl South\cell free\cell\cell\row\pard After\par"
    )
    assert read(written(tmp_path, body)).text == (
        "Before\n\nquay | fees | fees\nNorth | summer | 40 euros\nNorth | winter | 25\nSouth | free | free\n\nAfter"
    )


def test_a_table_in_a_cell_stays_in_it(tmp_path: Path) -> None:
    body = (
        r"\trowd\cellx1000\cellx2000\pard\intbl quay\cell\pard\intbl\itap2 a\nestcell b\nestcell"
        r"{\*\nesttableprops\trowd\cellx500\cellx900\nestrow}{\nonesttables\par}\pard\intbl\itap1 end\cell"
        r"\trowd\cellx1000\cellx2000\row\pard After"
    )
    assert read(written(tmp_path, body)).text == "quay | a | b end\n\nAfter"


def test_bytes_of_pictures_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(rb"{\rtf1 One {\pict\bin4 }}{\ } two}")
    assert read(path).text == "One two"


def test_the_encoding_of_the_file_may_be_another(tmp_path: Path) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(rb"{\rtf1\ansi\ansicpg1251 " + "Плата".encode("cp1251") + rb"\par}")
    assert read(path).text == "Плата"
    path.write_bytes(rb"{\rtf1\mac\ansicpg99999 \'8e}")
    assert read(path).text == "é"


def test_what_follows_the_end_is_not_read_and_a_cut_file_is(tmp_path: Path) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(rb"{\rtf1 One\par} trailing")
    assert read(path).text == "One"
    path.write_bytes(rb"{\rtf1 One\par{\footnote cut")
    assert read(path).text.startswith("One")


REFUSED = {
    "empty": (b"", "is empty"),
    "no text": (rb"{\rtf1 \par}", "is empty"),
    "no more than NUL": (rb"{\rtf1 \'00\par}", "is empty"),
    "a picture": (rb"{\rtf1{\pict 00}}", "holds images only"),
    "another format": (b"words", "does not begin as RTF does"),
    "too deep": (rb"{\rtf1" + b"{" * (DEEPEST + 1), "nests more than"),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match=reason):
        read(path)


def written(folder: Path, body: str) -> Path:
    path = folder / "a.rtf"
    path.write_bytes(f"{HEAD}{body}}}".encode("latin-1"))
    return path
