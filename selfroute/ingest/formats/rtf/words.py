"""The control words of RTF by what they mean: signs, destinations with and without text, and the encodings of fonts."""

from __future__ import annotations

SIGNS = {
    "tab": "\t",
    "emdash": "—",
    "endash": "–",
    "bullet": "•",
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "“",
    "rdblquote": "”",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "line": "\n",
    "lbr": "\n",
}
SYMBOLS = {b"~": " ", b"_": "-", b"-": "", b"\n": "\x00", b"\r": "\x00", b"{": "{", b"}": "}", b"\\": "\\"}
SKIPPED = {
    *("colortbl", "info", "filetbl", "revtbl", "rsidtbl", "generator", "nonshppict", "shprslt", "xe", "tc", "tcn"),
    *("rxe", "txe", "pn", "atnid", "atnauthor", "atntime", "atndate", "atnref", "atnparent", "objclass", "objname"),
    *("objdata", "bkmkstart", "bkmkend", "fldinst", "datafield", "formfield", "listtable", "listoverridetable", "sp"),
    *("pict", "themedata", "colorschememapping", "latentstyles", "datastore", "xmlnstbl", "nonesttables", "fchars"),
    *("lchars", "ftnsep", "ftnsepc", "aftnsep", "aftnsepc", "ftncn", "aftncn", "template", "operator", "private"),
    *("htmltag", "mhtmltag", "blipuid", "picprop", "panose", "falt", "fontemb", "mmathPict", "upr", "pgptbl"),
    *("mmathPr", "ctrlPr", "background", "listname", "wgrffmtfilter", "oldcprops", "oldpprops", "ffname", "ffdeftext"),
    *("list", "listlevel", "leveltext", "levelnumbers", "listoverride", "lfolevel"),
}
KEPT = {
    *("shpinst", "shptxt", "shppict", "shpgrp", "ud", "annotation", "nesttableprops", "moMath", "moMathPara"),
    *("fldrslt", "result", "footnote", "bkmkcoll", "do", "dptxbxtext", "txfieldtext"),
}
"""Destinations that a reader may skip if it does not know them, and that hold text."""
HEADERS = {"header", "footer", "headerl", "headerr", "headerf", "footerl", "footerr", "footerf"}
CHARSETS = {
    0: "cp1252",
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gbk",
    136: "big5",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    255: "cp437",
    2: "symbol",
}
