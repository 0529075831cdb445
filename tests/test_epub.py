"""A book becomes its chapters in the order of its spine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.archives import MOST_UNPACKED
from selfroute.ingest.formats.epub import read
from selfroute.ingest.formats.texts import Text

CONTAINER = '<container xmlns="urn:c"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
CHAPTERS = {"two.xhtml": "<h1>Two</h1><p>Night work.</p>", "sub/one 1.xhtml": "<h1>One</h1><p>The harbour.</p>"}
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><manifest>
<item id="a" href="two.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="sub/one%201.xhtml" media-type="application/xhtml+xml"/>
<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="p" href="cover.png" media-type="image/png"/></manifest>
<spine><itemref idref="n"/><itemref idref="p"/><itemref idref="b"/><itemref idref="a"/><itemref idref="gone"/></spine>
</package>"""

WHOLE = PACKAGE.replace('<itemref idref="gone"/>', "")


def test_chapters_are_read_in_the_order_of_the_spine_without_the_table_of_contents(tmp_path: Path) -> None:
    assert read(book(tmp_path)).text == "# One\n\nThe harbour.\n\n# Two\n\nNight work."


def test_a_book_that_is_locked_is_refused_and_one_whose_fonts_are_is_not(tmp_path: Path) -> None:
    lock = '<encryption xmlns:e="urn:e">{}</encryption>'
    of = '<e:CipherReference URI="{}"/>'
    fonts = read(book(tmp_path, **{"META-INF/encryption.xml": lock.format(of.format("OPS/font.otf"))}))
    assert fonts.text.startswith("# One")
    one, two = of.format("OPS/sub/one%201.xhtml"), of.format("OPS/two.xhtml")
    partly = read(book(tmp_path, **{"META-INF/encryption.xml": lock.format(one)}))
    assert partly.text == "# Two\n\nNight work."
    assert "OPS/sub/one 1.xhtml is encrypted (DRM)" in partly.warnings[0]
    with pytest.raises(UnreadableFile, match=r"is encrypted \(DRM\)"):
        read(book(tmp_path, **{"META-INF/encryption.xml": lock.format(one + two)}, **{"OPS/book.opf": WHOLE}))


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"META-INF/container.xml": "no XML", "OPS/book.opf": None}, "container.xml is no XML"),
        ({"META-INF/container.xml": "<container/>", "OPS/book.opf": None}, "it holds no "),
        ({"META-INF/container.xml": None, "OPS/book.opf": None}, "it holds no META-INF/container.xml"),
        ({"OPS/book.opf": "<package/>"}, "its spine names no chapter"),
        ({"OPS/book.opf": "no XML"}, "OPS/book.opf is no XML"),
        ({"OPS/two.xhtml": None, "OPS/sub/one 1.xhtml": None}, "OPS/sub/one 1.xhtml is missing from the archive"),
        ({"OPS/two.xhtml": "<img src='a.png'/>", "OPS/sub/one 1.xhtml": "<svg/>"}, "its chapters are images"),
        ({"META-INF/encryption.xml": "no XML"}, "encryption.xml is no XML"),
    ],
)
def test_a_book_of_which_nothing_can_be_read_is_refused_with_what_is_missing(
    tmp_path: Path, parts: dict[str, str | None], reason: str
) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(book(tmp_path, **({"OPS/book.opf": WHOLE} | parts)))


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (None, "OPS/two.xhtml is missing from the archive"),
        ("a\0b", "OPS/two.xhtml holds NUL characters: it is not a text file"),
        ("<div>" * 20_001, "OPS/two.xhtml nests more than 20,000 elements inside each other: it is no page to read"),
    ],
)
def test_a_chapter_that_cannot_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, part: str | None, reason: str
) -> None:
    made = read(book(tmp_path, **{"OPS/book.opf": WHOLE, "OPS/two.xhtml": part}))
    assert made.text == "# One\n\nThe harbour."
    assert made.warnings == (f"1 of 2 chapters could not be read: {reason}",)
    assert made.readable == 0.5


def test_chapters_whose_bytes_are_damaged_are_named(tmp_path: Path) -> None:
    path = book(tmp_path, **{"OPS/book.opf": WHOLE})
    data = path.read_bytes()
    assert data.count(b"Night work") == 1
    path.write_bytes(data.replace(b"Night work", b"Night w0rk"))
    assert read(path).warnings == ("1 of 2 chapters could not be read: OPS/two.xhtml is damaged",)


def test_a_chapter_that_the_list_of_files_lacks_is_named(tmp_path: Path) -> None:
    assert read(book(tmp_path)).warnings == ("1 of 3 chapters could not be read: 'gone' is missing from the archive",)


def test_many_chapters_that_are_missing_are_counted(tmp_path: Path) -> None:
    items = "".join(f'<item id="m{i}" href="m{i}.xhtml" media-type="application/xhtml+xml"/>' for i in range(8))
    spine = "".join(f'<itemref idref="m{i}"/>' for i in range(8))
    package = WHOLE.replace("</manifest>", f"{items}</manifest>").replace("</spine>", f"{spine}</spine>")
    made = read(book(tmp_path, **{"OPS/book.opf": package}))
    assert made.warnings[0].startswith("8 of 10 chapters could not be read: OPS/m0.xhtml is missing")
    assert made.warnings[0].endswith("; and 3 more")
    assert made.readable == 0.2


@pytest.mark.parametrize(
    ("href", "part"),
    [
        ("Text/Ch1.XHTML", "OPS/text/ch1.xhtml"),
        ("text/ch%C3%A9.xhtml", "OPS/text/che\u0301.xhtml"),
        ("text/che\u0301.xhtml", "OPS/text/ch\u00e9.xhtml"),
        ("text\\ch.xhtml", "OPS/text/ch.xhtml"),
        ("text/ch%201.xhtml#start", "OPS/text/ch 1.xhtml"),
        ("text/a%26b.xhtml", "OPS/text/a%26b.xhtml"),
        ("/OPS/text/ch.xhtml", "OPS/text/ch.xhtml"),
        ("../text/ch.xhtml", "text/ch.xhtml"),
        ("../../text/ch.xhtml", "text/ch.xhtml"),
        ("chapter.xhtml", "OPS/elsewhere/chapter.xhtml"),
    ],
)
def test_a_chapter_is_found_by_a_name_that_is_nearly_its_own(tmp_path: Path, href: str, part: str) -> None:
    package = WHOLE.replace("two.xhtml", href)
    parts = {"OPS/book.opf": package, "OPS/two.xhtml": None, part: "<p>Found.</p>"}
    made = read(book(tmp_path, **parts))
    assert made.text == "# One\n\nThe harbour.\n\nFound."
    assert made.warnings == ()


@pytest.mark.parametrize("container", [None, "no XML", "<container/>", CONTAINER.replace("OPS/book", "gone")])
def test_a_book_whose_container_is_odd_is_read_by_the_list_of_files_that_there_is(
    tmp_path: Path, container: str | None
) -> None:
    assert read(book(tmp_path, **{"META-INF/container.xml": container})).text.startswith("# One")


def test_a_book_without_a_spine_is_read_in_the_order_of_its_list_of_files(tmp_path: Path) -> None:
    package = WHOLE[: WHOLE.index("<spine>")] + "</package>"
    assert read(book(tmp_path, **{"OPS/book.opf": package})).text.startswith("# Two")


@pytest.mark.parametrize("kind", ["text/html", "text/x-oeb1-document", "application/octet-stream", "", "text/xml"])
def test_a_chapter_of_an_odd_type_is_read(tmp_path: Path, kind: str) -> None:
    package = WHOLE.replace('two.xhtml" media-type="application/xhtml+xml"', f'two.xhtml" media-type="{kind}"')
    assert read(book(tmp_path, **{"OPS/book.opf": package})).text.endswith("Night work.")


def test_a_picture_in_the_spine_is_read_by_what_stands_in_for_it(tmp_path: Path) -> None:
    package = (
        WHOLE.replace('<itemref idref="p"/>', "")
        .replace('idref="a"', 'idref="p"')
        .replace('id="p"', 'id="p" fallback="a"')
    )
    made = read(book(tmp_path, **{"OPS/book.opf": package}))
    assert made.text.endswith("Night work.")
    assert made.warnings == ()


def test_a_chapter_that_is_a_picture_is_named_unless_it_is_a_cover_or_an_ornament(tmp_path: Path) -> None:
    names = ("cover.xhtml", "scan.xhtml", "blank.xhtml", "line.xhtml")
    items = "".join(f'<item id="i{i}" href="{n}" media-type="application/xhtml+xml"/>' for i, n in enumerate(names))
    spine = "".join(f'<itemref idref="i{i}"/>' for i in range(len(names)))
    package = WHOLE.replace("</manifest>", f"{items}</manifest>").replace("</spine>", f"{spine}</spine>")
    pages = {"cover.xhtml": "<img src='c.jpg'/>", "scan.xhtml": "<p><img src='s.jpg' alt='s'/></p>"}
    pages |= {"blank.xhtml": "<p></p>", "line.xhtml": "<img src='l.png' alt=''/>"}
    made = read(book(tmp_path, **{"OPS/book.opf": package}, **{f"OPS/{name}": text for name, text in pages.items()}))
    assert made.warnings == ("1 of 3 chapters holds no text: it is an image (OPS/scan.xhtml)",)
    assert made.readable == pytest.approx(2 / 3)


def test_contents_are_read_where_they_are_all_that_there_is_or_hold_a_chapter(tmp_path: Path) -> None:
    alone = WHOLE.replace('<itemref idref="b"/><itemref idref="a"/>', "")
    assert read(book(tmp_path, **{"OPS/book.opf": alone})).text == "Contents"
    chapter = "<nav><ol><li>One</li></ol></nav><p>" + "The harbour is open. " * 30 + "</p>"
    assert read(book(tmp_path, **{"OPS/nav.xhtml": chapter})).text.startswith("The harbour is open.")


def test_the_title_of_a_book_is_its_first_heading_unless_it_is_said(tmp_path: Path) -> None:
    title = '<metadata><dc:title xmlns:dc="urn:dc">{}</dc:title></metadata><manifest>'
    for said, begin in (
        ("Norrvik by Night", "# Norrvik by Night\n\n# One"),
        ("One", "# One\n\nThe"),
        ("Unknown", "# One"),
    ):
        package = WHOLE.replace("<manifest>", title.format(said))
        assert read(book(tmp_path, **{"OPS/book.opf": package})).text.startswith(begin)


def test_a_list_of_files_that_is_nearly_xml_is_read(tmp_path: Path) -> None:
    title = '<metadata><dc:title xmlns:dc="urn:dc">Quays & Berths&nbsp;II</dc:title></metadata><manifest>'
    package = "\n<?xml version='1.0'?>" + WHOLE.replace("<manifest>", title)
    assert read(book(tmp_path, **{"OPS/book.opf": package})).text.startswith("# Quays & Berths")


def test_a_chapter_that_is_listed_for_each_of_its_headings_is_read_once(tmp_path: Path) -> None:
    item = '<item id="b2" href="sub/one%201.xhtml#two" media-type="application/xhtml+xml"/></manifest>'
    package = WHOLE.replace("</manifest>", item).replace("</spine>", '<itemref idref="b2"/></spine>')
    assert read(book(tmp_path, **{"OPS/book.opf": package})) == read(book(tmp_path, **{"OPS/book.opf": WHOLE}))


def test_a_book_that_lies_in_a_folder_of_its_archive_is_read(tmp_path: Path) -> None:
    moved = {f"book/OPS/{name}": f"<p>{text}</p>" for name, text in CHAPTERS.items()}
    gone = dict.fromkeys(["META-INF/container.xml", "OPS/book.opf", *(f"OPS/{name}" for name in CHAPTERS)])
    parts = {"book/META-INF/container.xml": CONTAINER, "book/OPS/book.opf": WHOLE}
    assert read(book(tmp_path, **gone, **moved, **parts)).text.startswith("# One")


def test_an_svg_chapter_is_read_by_its_words(tmp_path: Path) -> None:
    package = WHOLE.replace('two.xhtml" media-type="application/xhtml+xml"', 'two.svg" media-type="image/svg+xml"')
    svg = "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><text>Two berths left</text></svg>"
    assert read(book(tmp_path, **{"OPS/book.opf": package, "OPS/two.svg": svg})).text.endswith(
        "[image: Two berths left]"
    )


def test_notes_and_what_is_struck_out_by_the_style_sheet_of_a_book(tmp_path: Path) -> None:
    package = WHOLE.replace("</manifest>", '<item id="c" href="a.css" media-type="text/css"/></manifest>')
    two = (
        '<html xmlns:epub="http://www.idpf.org/2007/ops"><p>The fee is <span class="old">70</span> 90'
        '<a epub:type="noteref" href="#n1">1</a> euros.</p>'
        '<aside epub:type="footnote" id="n1">Since May.</aside></html>'
    )
    parts = {"OPS/a.css": ".old { text-decoration: line-through }", "OPS/book.opf": package, "OPS/two.xhtml": two}
    assert read(book(tmp_path, **parts)).text.endswith("The fee is 90 [1] euros.\n\nSince May.")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_book_that_unpacks_to_too_much_is_refused_before_it_is(tmp_path: Path) -> None:
    path = book(tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file, file.open("OPS/three.xhtml", "w") as part:
        for _ in range(MOST_UNPACKED // 2**20 + 1):
            part.write(b" " * 2**20)
        part.close()
        file.writestr("OPS/book.opf", PACKAGE.replace("two.xhtml", "three.xhtml"))
    with pytest.raises(UnreadableFile, match="unpacks to more than 256 MB"):
        read(path)


def test_the_cases_are_read_as_they_should_be() -> None:
    cases = Path(__file__).parent / "cases" / "documents"
    missing = read(cases / "c5-missing.epub")
    assert (missing.text, missing.readable) == ("Chapter one is here.", 0.5)
    assert missing.warnings == ("1 of 2 chapters could not be read: OPS/b.xhtml is missing from the archive",)
    assert read(cases / "c6-case.epub") == Text("Chapter one is here.")


def test_a_chapter_with_an_empty_title_is_read_whole(tmp_path: Path) -> None:
    name, text = next(iter(CHAPTERS.items()))
    path = book(tmp_path, **{f"OPS/{name}": f"<html><head><title/></head><body>{text}</body></html>"})
    assert read(path).text == read(book(tmp_path)).text != ""


def book(folder: Path, **parts: str | None) -> Path:
    """A book with these parts; None leaves one out."""
    path = folder / "a.epub"
    chapters = {f"OPS/{name}": f"<html><body>{text}</body></html>" for name, text in CHAPTERS.items()}
    known = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OPS/book.opf": PACKAGE}
    others = {"OPS/nav.xhtml": "<p>Contents</p>", "OPS/cover.png": ""}
    with zipfile.ZipFile(path, "w") as file:
        for name, text in (known | chapters | others | parts).items():
            if text is not None:
                file.writestr(name, text)
    return path
