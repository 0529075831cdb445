"""A book becomes its chapters in the order of its spine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.archives import MOST_UNPACKED
from selfroute.ingest.epub import read

CONTAINER = '<container xmlns="urn:c"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
CHAPTERS = {"two.xhtml": "<h1>Two</h1><p>Night work.</p>", "sub/one 1.xhtml": "<h1>One</h1><p>The harbour.</p>"}
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><manifest>
<item id="a" href="two.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="sub/one%201.xhtml" media-type="application/xhtml+xml"/>
<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="p" href="cover.png" media-type="image/png"/></manifest>
<spine><itemref idref="n"/><itemref idref="p"/><itemref idref="b"/><itemref idref="a"/><itemref idref="gone"/></spine>
</package>"""


def test_chapters_are_read_in_the_order_of_the_spine_without_the_table_of_contents(tmp_path: Path) -> None:
    assert read(book(tmp_path)).text == "# One\n\nThe harbour.\n\n# Two\n\nNight work."


def test_a_book_that_is_locked_is_refused_and_one_whose_fonts_are_is_not(tmp_path: Path) -> None:
    lock = '<encryption xmlns:e="urn:e"><e:CipherReference URI="{}"/></encryption>'
    assert read(book(tmp_path, **{"META-INF/encryption.xml": lock.format("OPS/font.otf")})).text.startswith("# One")
    with pytest.raises(UnreadableFile, match=r"is encrypted \(DRM\)"):
        read(book(tmp_path, **{"META-INF/encryption.xml": lock.format("OPS/sub/one%201.xhtml")}))


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"META-INF/container.xml": "no XML"}, "container.xml is no XML"),
        ({"META-INF/container.xml": "<container/>"}, "it holds no "),
        ({"OPS/book.opf": "<package/>"}, "its spine names no chapter"),
        ({"OPS/book.opf": PACKAGE.replace("two.xhtml", "three.xhtml")}, "it holds no OPS/three.xhtml"),
        ({"OPS/two.xhtml": "a\0b"}, "NUL"),
    ],
)
def test_a_broken_book_is_refused_with_what_is_missing(tmp_path: Path, parts: dict[str, str], reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(book(tmp_path, **parts))


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


def test_a_chapter_with_an_empty_title_is_read_whole(tmp_path: Path) -> None:
    name, text = next(iter(CHAPTERS.items()))
    path = book(tmp_path, **{f"OPS/{name}": f"<html><head><title/></head><body>{text}</body></html>"})
    assert read(path).text == read(book(tmp_path)).text != ""


def book(folder: Path, **parts: str) -> Path:
    path = folder / "a.epub"
    chapters = {f"OPS/{name}": f"<html><body>{text}</body></html>" for name, text in CHAPTERS.items()}
    known = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OPS/book.opf": PACKAGE}
    with zipfile.ZipFile(path, "w") as file:
        for name, text in (
            known | chapters | {"OPS/nav.xhtml": "<p>Contents</p>", "OPS/cover.png": ""} | parts
        ).items():
            file.writestr(name, text)
    return path
