"""A presentation becomes its slides in their order, with all that stands on them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from wordfiles import OFFICE, relations

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.pptx import read

SPACES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    f' xmlns:r="{OFFICE}/relationships" xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
    ' xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)


def test_slides_are_read_in_the_order_of_the_presentation_under_their_titles(tmp_path: Path) -> None:
    made = read(slides(tmp_path, title("Two") + shape("Winter"), title("One") + shape("Summer"), order=[2, 1]))
    assert made.text == "# One\n\nSummer\n\n# Two\n\nWinter"
    assert made.pages == (0, 15)


def test_a_slide_without_a_title_has_its_number(tmp_path: Path) -> None:
    assert read(slides(tmp_path, title("A"), shape("North quay"))).text == "# A\n\n# Slide 2\n\nNorth quay"


def test_runs_are_written_as_they_are_meant(tmp_path: Path) -> None:
    runs = (
        '<a:r><a:rPr strike="sngStrike"/><a:t>70 </a:t></a:r><a:r><a:t>90 euros per 10</a:t></a:r>'
        '<a:r><a:rPr baseline="30000"/><a:t>6</a:t></a:r><a:r><a:t> litres of H</a:t></a:r>'
        '<a:r><a:rPr baseline="-25000"/><a:t>2</a:t></a:r><a:r><a:t>O</a:t></a:r><a:br/><a:r><a:t>here</a:t></a:r>'
        '<a:fld type="slidenum"><a:t>3</a:t></a:fld>'
    )
    assert read(slides(tmp_path, shape("", runs))).text == "# Slide 1\n\n90 euros per 10^6 litres of H_2O here"


def test_a_mark_that_several_runs_write_is_one(tmp_path: Path) -> None:
    high = '<a:r><a:rPr baseline="30000"/><a:t>{}</a:t></a:r>'
    runs = f"<a:r><a:t>The fee</a:t></a:r>{high.format('[')}{high.format('1]')}<a:r><a:t> is 10</a:t></a:r>"
    text = read(slides(tmp_path, shape("", f"{runs}{high.format('1')}{high.format('2')}"))).text
    assert text == "# Slide 1\n\nThe fee [1] is 10^12"


def test_an_equation_is_never_one_number_out_of_two(tmp_path: Path) -> None:
    half = "<m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath>"
    inside = (
        f"<a:r><a:t>Rate</a:t></a:r><mc:AlternateContent><mc:Choice><a14>{half}</a14></mc:Choice>"
        "<mc:Fallback><a:r><a:t>12</a:t></a:r></mc:Fallback></mc:AlternateContent>"
    )
    assert read(slides(tmp_path, shape("", inside))).text == "# Slide 1\n\nRate 1/2"


def test_list_items_have_their_numbers(tmp_path: Path) -> None:
    def item(text: str, mark: str, level: int = 0) -> str:
        return f'<a:p><a:pPr lvl="{level}">{mark}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>'

    numbered, letters = '<a:buAutoNum type="arabicPeriod" startAt="3"/>', '<a:buAutoNum type="alphaLcParenR"/>'
    body = item("Pay", numbered) + item("by card", letters, 1) + item("by bill", letters, 1) + item("Moor", numbered)
    text = read(slides(tmp_path, f"<p:sp><p:txBody>{body}{item('Leave', '<a:buChar/>')}</p:txBody></p:sp>")).text
    assert text == "# Slide 1\n\n3. Pay\na) by card\nb) by bill\n4. Moor\n- Leave"


def test_spanned_cells_of_a_table_stand_in_each_place(tmp_path: Path) -> None:
    def cell(text: str, about: str = "") -> str:
        return f"<a:tc {about}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"

    rows = [
        cell("quay") + cell("fees", 'gridSpan="2"') + cell("", 'hMerge="1"'),
        cell("North", 'rowSpan="2"') + cell("summer") + cell("40"),
        cell("", 'vMerge="1"') + cell("winter") + cell("25"),
    ]
    frame = f"<p:graphicFrame><a:tbl>{''.join(f'<a:tr>{row}</a:tr>' for row in rows)}</a:tbl></p:graphicFrame>"
    assert read(slides(tmp_path, frame)).text == (
        "# Slide 1\n\nquay | fees | fees\nNorth | summer | 40\nNorth | winter | 25"
    )


def test_shapes_in_groups_are_read_to_a_bound(tmp_path: Path) -> None:
    assert read(slides(tmp_path, f"<p:grpSp><p:grpSp>{shape('Deep')}</p:grpSp></p:grpSp>")).text == "# Slide 1\n\nDeep"
    deep = "<p:grpSp>" * 20_000 + shape("lost") + "</p:grpSp>" * 20_000
    assert read(slides(tmp_path, shape("Kept") + deep)).text == "# Slide 1\n\nKept"


def test_notes_and_comments_are_read_behind_their_slide(tmp_path: Path) -> None:
    parts = {
        "ppt/notes1.xml": f"<p:notes {SPACES}><p:cSld><p:spTree>{shape('Say it slowly')}</p:spTree></p:cSld></p:notes>",
        "ppt/comments1.xml": f"<p:cmLst {SPACES}><p:cm><p:text>Is this so?</p:text></p:cm></p:cmLst>",
        "ppt/comments2.xml": f"<x:cmLst {SPACES} xmlns:x='urn:x'><x:cm><x:txBody><a:p><a:r><a:t>Yes</a:t></a:r></a:p>"
        "</x:txBody></x:cm></x:cmLst>",
    }
    links = {"notesSlide": "../notes1.xml", "comments": "../comments1.xml", "comments:2": "../comments2.xml"}
    text = read(slides(tmp_path, title("Fees"), parts=parts, links=links)).text
    assert text == "# Fees\n\nNotes: Say it slowly\n\nComment: Is this so?\n\nComment: Yes"


def test_the_values_of_a_chart_are_a_table(tmp_path: Path) -> None:
    def points(kind: str, *values: object, code: str = "") -> str:
        inside = "".join(f'<c:pt idx="{at}"><c:v>{value}</c:v></c:pt>' for at, value in enumerate(values))
        return f"<c:{kind}Ref><c:{kind}Cache>{code}{inside}</c:{kind}Cache></c:{kind}Ref>"

    series = (
        f"<c:ser><c:tx>{points('str', 'Share')}</c:tx><c:cat>{points('str', 'North', 'South')}</c:cat>"
        f"<c:val>{points('num', 0.25, 0.75, code='<c:formatCode>0%</c:formatCode>')}</c:val></c:ser>"
    )
    said = "<c:title><c:tx><c:rich><a:p><a:r><a:t>Mooring</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    chart = (
        f"<c:chartSpace {SPACES}><c:chart>{said}<c:plotArea><c:barChart>{series}</c:barChart></c:plotArea></c:chart>"
    )
    frame = '<p:graphicFrame><a:graphicData><c:chart r:id="r1"/></a:graphicData></p:graphicFrame>'
    parts = {"ppt/charts/chart1.xml": f"{chart}</c:chartSpace>"}
    text = read(slides(tmp_path, frame, parts=parts, links={"chart": "../charts/chart1.xml"})).text
    assert text == "# Slide 1\n\nMooring\n\ncategory | Share\nNorth | 25%\nSouth | 75%"


def test_the_texts_of_a_diagram_are_read(tmp_path: Path) -> None:
    point = "<dgm:pt><dgm:t><a:p><a:r><a:t>{}</a:t></a:r></a:p></dgm:t></dgm:pt>"
    data = f"<dgm:dataModel {SPACES}><dgm:ptLst>{point.format('Pay')}{point.format('Moor')}</dgm:ptLst></dgm:dataModel>"
    frame = '<p:graphicFrame><a:graphicData><dgm:relIds r:dm="r1"/></a:graphicData></p:graphicFrame>'
    parts, links = {"ppt/diagrams/data1.xml": data}, {"diagramData": "../diagrams/data1.xml"}
    assert read(slides(tmp_path, frame, parts=parts, links=links)).text == "# Slide 1\n\nPay\n\nMoor"


def test_what_is_said_of_a_picture_is_read_unless_it_is_a_file_name(tmp_path: Path) -> None:
    text = read(slides(tmp_path, title("Fees") + shape("a") + picture("The north quay"))).text
    assert text == "# Fees\n\na\n\nPicture: The north quay"
    assert read(slides(tmp_path, shape("a") + picture("quay.png") + picture("Picture 3"))).text == "# Slide 1\n\na"
    guessed = picture("A boat Description automatically generated with medium confidence")
    assert read(slides(tmp_path, shape("a") + guessed)).text == "# Slide 1\n\na\n\nPicture: A boat"


def test_slides_that_hold_only_a_picture_are_named_and_blank_ones_are_not(tmp_path: Path) -> None:
    made = read(slides(tmp_path, shape("a"), picture(), "", picture() + framing("3", "sldNum")))
    assert made.text == "# Slide 1\n\na"
    assert made.warnings == ("slides 2 and 4 of 4 hold no text: they are images",)
    assert made.readable == pytest.approx(1 / 3)
    assert read(slides(tmp_path, shape("a"), "")).readable == 1
    with pytest.raises(UnreadableFile, match="holds images only"):
        read(slides(tmp_path, picture()))


def test_a_large_picture_below_a_title_alone_is_named_and_a_logo_is_not(tmp_path: Path) -> None:
    made = read(
        slides(tmp_path, title("Plan of the quays") + picture(size=5_000_000), title("Fees") + picture(size=900))
    )
    assert made.warnings == ("slide 1 of 2 holds only a title and an image",)
    assert made.readable == 0.5


def test_embedded_files_and_missing_slides_are_named(tmp_path: Path) -> None:
    made = read(slides(tmp_path, shape("a") + "<p:graphicFrame><p:oleObj/></p:graphicFrame>", order=[1, 7]))
    assert made.warnings == ("slide 1 of 2 holds embedded files: not read", "slide 2 of 2 is missing in the file")
    assert made.readable == 0


def test_hidden_slides_are_read_with_a_mention_and_hidden_shapes_are_not(tmp_path: Path) -> None:
    hidden = shape("x").replace("<p:sp>", '<p:sp><p:nvSpPr><p:cNvPr id="2" hidden="1"/></p:nvSpPr>')
    assert read(slides(tmp_path, title("Old fees") + hidden, about='show="0"')).text == "# Old fees (hidden slide)"


def test_what_stands_on_every_slide_is_read_once(tmp_path: Path) -> None:
    footer = framing("Harbour office", "ftr")
    text = read(slides(tmp_path, title("A") + footer, title("B") + footer)).text
    assert text == "# A\n\nHarbour office\n\n# B"


def test_a_date_that_was_typed_is_read_and_one_that_changes_is_not(tmp_path: Path) -> None:
    field = framing("x", "dt").replace("<a:r><a:t>x</a:t></a:r>", '<a:fld type="datetime1"><a:t>1/2/2024</a:t></a:fld>')
    text = read(slides(tmp_path, title("A") + framing("12 May 2024", "dt"), title("B") + field)).text
    assert text == "# A\n\n12 May 2024\n\n# B"


def test_the_text_of_a_layout_is_read_and_its_examples_are_not(tmp_path: Path) -> None:
    tree = f"{shape('Port of Visby')}{title('Click to edit')}"
    layout = f"<p:sldLayout {SPACES}><p:cSld><p:spTree>{tree}</p:spTree></p:cSld></p:sldLayout>"
    parts, links = {"ppt/layout1.xml": layout}, {"slideLayout": "../layout1.xml"}
    assert read(slides(tmp_path, title("A"), parts=parts, links=links)).text == "# A\n\nPort of Visby"


def test_a_presentation_without_slides_or_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="is empty"):
        read(slides(tmp_path))
    with pytest.raises(UnreadableFile, match="is empty"):
        read(slides(tmp_path, ""))
    with pytest.raises(UnreadableFile, match="holds none of its slides"):
        read(slides(tmp_path, order=[5]))


def title(text: str) -> str:
    return framing(text, "title")


def framing(text: str, kind: str) -> str:
    return (
        f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
        f"<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )


def shape(text: str, inside: str = "") -> str:
    return f"<p:sp><p:txBody><a:p>{inside or f'<a:r><a:t>{text}</a:t></a:r>'}</a:p></p:txBody></p:sp>"


def picture(said: str = "", size: int = 4_000_000) -> str:
    return (
        f'<p:pic><p:nvPicPr><p:cNvPr id="4" descr="{said}"/></p:nvPicPr>'
        f'<p:spPr><a:xfrm><a:ext cx="{size}" cy="{size}"/></a:xfrm></p:spPr></p:pic>'
    )


def related(links: Mapping[str, str]) -> str:
    named = ((f"r{at}", name.split(":")[0], target) for at, (name, target) in enumerate(links.items(), start=1))
    return relations(*named)


def slides(
    folder: Path,
    *found: str,
    order: list[int] | None = None,
    parts: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    about: str = "",
) -> Path:
    """A presentation of slides with these shapes, in this `order`; `links` belong to each of them."""
    numbers = order if order is not None else list(range(1, len(found) + 1))
    listed = "".join(f'<p:sldId id="{255 + at}" r:id="r{at}"/>' for at in numbers)
    path = folder / "a.pptx"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("_rels/.rels", related({"officeDocument": "/ppt/presentation.xml"}))
        file.writestr(
            "ppt/presentation.xml",
            f"<p:presentation {SPACES}><p:sldIdLst>{listed}</p:sldIdLst>"
            '<p:sldSz cx="9144000" cy="6858000"/></p:presentation>',
        )
        names = {f"slide:{at}": f"slides/slide{at}.xml" for at in range(1, len(found) + 1)}
        file.writestr("ppt/_rels/presentation.xml.rels", related(names))
        for at, shapes in enumerate(found, start=1):
            inside = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
            file.writestr(f"ppt/slides/slide{at}.xml", f"<p:sld {SPACES} {about}>{inside}</p:sld>")
            file.writestr(f"ppt/slides/_rels/slide{at}.xml.rels", related(links or {}))
        for name, text in (parts or {}).items():
            file.writestr(name, text)
    return path
