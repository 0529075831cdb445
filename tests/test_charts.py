"""Charts and diagrams of office files: titles, and tables in which each value stands beside its category."""

from __future__ import annotations

import time
from xml.etree import ElementTree

from selfroute.ingest.formats.charts import MOST_CELLS, chart, diagram


def test_each_series_is_a_column_under_its_name() -> None:
    made = charted(
        series(text("Summer"), categories("North", "South"), values("4.2999999999999998", "2", code="General")),
        series(text("Share"), categories("North", "South"), values("0.4", "n/a", code="0%")),
    )
    assert made == ["category | Summer | Share\nNorth | 4.3 | 40%\nSouth | 2 | n/a"]


def test_titles_are_told_once_whether_they_are_written_or_shown_from_cells() -> None:
    shown = f"<title><tx><strRef>{points('Fees', 'of 2024')}</strRef></tx></title>"
    written = "<title><tx><rich><p><r><t>Quay</t></r></p></rich></tx></title>"
    assert charted(shown, written, written) == ["Fees of 2024", "Quay"]


def test_categories_in_levels_have_the_names_of_all_levels() -> None:
    levels = f"<cat><multiLvlStrRef><lvl>{points('Q1', 'Q2', 'Q1')}</lvl><lvl>{points('2023', '', '2024')}</lvl>"
    made = charted(series(text("Fee"), f"{levels}</multiLvlStrRef></cat>", values("1", "2", "3")))
    assert made == ["category | Fee\n2023 Q1 | 1\n2023 Q2 | 2\n2024 Q1 | 3"]


def test_series_with_places_of_their_own_are_tables_of_their_own() -> None:
    first = series(text("A"), f"<xVal>{points('1', '2')}</xVal>", values("5", "6"), f"<bubbleSize>{points('8', '9')}")
    second = series(text("B"), f"<xVal>{points('3', '4')}</xVal>", values("7", "8"))
    made = charted(first.replace("</ser>", "</bubbleSize></ser>"), second)
    assert made == ["category | A | A size\n1 | 5 | 8\n2 | 6 | 9", "category | B\n3 | 7\n4 | 8"]


def test_series_and_categories_without_names_are_counted() -> None:
    made = charted(series(categories("North", "South"), values("1")), series(values("2", "3")), series(text("Empty")))
    assert made == ["category | series 1 | series 2\nNorth | 1 | 2\nSouth |  | 3"]
    assert charted(series(categories("", ""), values("1", "2"))) == ["category | series 1\n1 | 1\n2 | 2"]


def test_days_are_told_by_the_format_of_their_place_or_their_own() -> None:
    own = '<val><numCache><pt idx="0" formatCode="0.0"><v>7</v></pt></numCache></val>'
    days = f"<cat><numRef><numCache><formatCode>m/d/yyyy</formatCode>{points('45415')}</numCache></numRef></cat>"
    assert charted(series(days, own)) == ["category | series 1\n2024-05-03 | 7.0"]
    assert charted(series(values("1e999", code="0"))) == ["category | series 1\n1 | inf"]


def test_charts_of_the_newer_kind_are_read() -> None:
    data = (
        '<data id="0"><strDim type="cat"><lvl><pt idx="0">North</pt><pt idx="1">South</pt></lvl></strDim>'
        '<numDim type="val"><lvl formatCode="0%"><pt idx="0">0.5</pt><pt idx="1">0.25</pt></lvl></numDim></data>'
    )
    assert charted(data) == ["category | series 1\nNorth | 50%\nSouth | 25%"]


def test_a_chart_cannot_make_a_small_file_a_huge_text() -> None:
    began = time.perf_counter()
    many = series(values(*"1" * 3_000)) + series(values("1")) * 3_000 + series('<val><pt idx="999999999"/></val>')
    (made,) = charted(many)
    assert made.count("|") <= MOST_CELLS + 3_001
    assert time.perf_counter() - began < 10


def test_the_points_of_a_diagram_are_told_and_not_how_they_are_drawn() -> None:
    point = '<pt type="{}"><t><p><r><t>{}</t></r></p><p><r><t>now</t></r></p></t></pt>'
    data = point.format("node", "Pay") + point.format("pres", "x") + point.format("asst", "Moor") + "<pt/>"
    assert diagram(ElementTree.fromstring(f"<dataModel>{data}</dataModel>")) == ["Pay now", "Moor now"]


def charted(*inside: str) -> list[str]:
    return chart(ElementTree.fromstring(f"<chart>{''.join(inside)}</chart>"))


def series(*inside: str) -> str:
    return f"<ser>{''.join(inside)}</ser>"


def text(name: str) -> str:
    return f"<tx><strRef>{points(name)}</strRef></tx>"


def categories(*names: str) -> str:
    return f"<cat>{points(*names)}</cat>"


def values(*numbers: str, code: str = "") -> str:
    return f"<val><numCache>{f'<formatCode>{code}</formatCode>' if code else ''}{points(*numbers)}</numCache></val>"


def points(*texts: str) -> str:
    return "".join(f'<pt idx="{at}"><v>{one}</v></pt>' for at, one in enumerate(texts))
