"""A mail becomes who wrote what to whom, with the files that are attached."""

from __future__ import annotations

import zipfile
from base64 import encodebytes
from email.message import EmailMessage
from pathlib import Path
from quopri import encodestring

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.eml import DEEPEST, read

HEAD = (
    "Subject: Fees\nFrom: Olof Berg <olof@port.example>\nTo: Anna <anna@port.example>\n"
    "Date: Tue, 02 Jan 2024 10:00:00 +0100"
)


def test_the_head_and_the_text_are_read(tmp_path: Path) -> None:
    made = read(written(tmp_path, mail("The fee is 40 euros.")))
    assert made.text == f"{HEAD}\n\nThe fee is 40 euros."
    assert (made.warnings, made.readable) == ((), 1.0)


def test_encoded_words_and_charsets_are_decoded(tmp_path: Path) -> None:
    raw = (
        "Subject: =?utf-8?q?Avgift_f=C3=B6r?= =?utf-8?b?IMOFbGFuZA==?=\r\n"
        "From: =?iso-8859-1?q?=C5sa?= <a@b.example>\r\n"
        'Content-Type: text/plain; charset="iso-8859-1"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        "=C5sa betalar 40=\r\n kronor.\r\n"
    )
    assert read(written(tmp_path, raw.encode())).text == (
        "Subject: Avgift för Åland\nFrom: Åsa <a@b.example>\n\nÅsa betalar 40 kronor."
    )


@pytest.mark.parametrize(
    ("charset", "text"), [("iso-2022-jp", "料金は四十"), ("utf-7", "40 €"), ("koi8-r", "Плата"), ("nonsense", "Åland")]
)
def test_texts_are_read_by_the_charset_that_is_declared(tmp_path: Path, charset: str, text: str) -> None:
    data = text.encode("utf-8" if charset == "nonsense" else charset)
    raw = f"Subject: x\nContent-Type: text/plain; charset={charset}\n\n".encode() + data
    assert read(written(tmp_path, raw)).text == f"Subject: x\n\n{text}"


def test_lines_that_flow_are_joined(tmp_path: Path) -> None:
    raw = "Subject: x\nContent-Type: text/plain; format=flowed\n\nThe fee \nis 40.\n> Is \n> it?\nYes.\n-- \nOlof\n"
    assert read(written(tmp_path, raw.encode())).text == "Subject: x\n\nThe fee is 40.\n> Is it?\nYes.\n-- \nOlof"


def test_of_two_alternatives_one_is_read(tmp_path: Path) -> None:
    message = mail("The fee is 40 euros.")
    message.add_alternative("<p>The fee is <b>40</b> euros.</p>", subtype="html")
    assert read(written(tmp_path, message)).text == f"{HEAD}\n\nThe fee is 40 euros."


def test_a_plain_text_that_only_points_to_the_page_is_not_chosen(tmp_path: Path) -> None:
    message = mail("See the page: https://port.example/a/long/address/of/a/page")
    message.add_alternative("<h1>Fees</h1><p>The fee of the north quay is 40 euros.</p>", subtype="html")
    assert read(written(tmp_path, message)).text == f"{HEAD}\n\n# Fees\n\nThe fee of the north quay is 40 euros."


def test_pictures_of_the_page_and_signatures_do_not_count(tmp_path: Path) -> None:
    message = mail("x")
    message.set_content('<p>The fee is 40.</p><img src="cid:logo">', subtype="html")
    message.add_related(b"GIF", "image", "gif", cid="<logo>", disposition="attachment", filename="logo.gif")
    message.make_mixed()
    message.add_attachment(b"...", "application", "pkcs7-signature", filename="smime.p7s")
    message.add_attachment(b"GIF", "image", "gif", disposition="inline")
    made = read(written(tmp_path, message))
    assert (made.text, made.warnings, made.readable) == (f"{HEAD}\n\nThe fee is 40.", (), 1.0)


def test_attached_files_that_can_be_read_are_read_under_their_names(tmp_path: Path) -> None:
    message = mail("See the tables.")
    message.add_attachment(b"quay;fee\nNorth;40\n", "text", "csv", filename="fees.csv")
    message.add_attachment(b"<p>Open at nine", "application", "octet-stream", filename="Öppet/hours.html")
    message.add_attachment("Att betala: 40", filename="bill.txt")
    text = read(written(tmp_path, message)).text
    assert text == (
        f"{HEAD}\n\nSee the tables.\n\n# Attached: fees.csv\n\nquay: North; fee: 40\n\n"
        "# Attached: hours.html\n\nOpen at nine\n\n# Attached: bill.txt\n\nAtt betala: 40"
    )


def test_attached_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    message = mail("See the files.")
    message.add_attachment(b"\x00\x01", "audio", "mpeg", filename="talk.mp3")
    message.add_attachment(b"PK", "application", "octet-stream", filename="a.docx")
    message.add_attachment(b"x", "application", "ms-tnef", filename="winmail.dat")
    message.add_attachment(b"JPG", "image", "jpeg", filename="scan.jpg")
    made = read(written(tmp_path, message))
    [warning] = made.warnings
    assert warning.startswith("attached and not read: talk.mp3, a.docx (is broken")
    assert warning.endswith("winmail.dat (Outlook's own format), scan.jpg")
    assert made.readable == 0.2


def test_what_is_not_read_of_an_attached_file_is_said(tmp_path: Path) -> None:
    sheet = tmp_path / "a.xlsx"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    kind = "http://x/relationships"
    with zipfile.ZipFile(sheet, "w") as file:
        for name, link, target in (
            ("_rels/.rels", "officeDocument", "b.xml"),
            ("_rels/b.xml.rels", "worksheet", "s.xml"),
        ):
            inside = f'<Relationship Id="r1" Type="{kind}/{link}" Target="{target}"/>'
            file.writestr(name, f'<Relationships xmlns="{relations}">{inside}</Relationships>')
        file.writestr("b.xml", '<workbook xmlns:r="r"><sheets><sheet name="A" r:id="r1"/></sheets></workbook>')
        cells = '<c r="A1" t="str"><v>fee</v></c><c r="B1"><f>1+1</f></c>'
        file.writestr("s.xml", f"<worksheet><sheetData><row>{cells}</row></sheetData></worksheet>")
    message = mail("See the sheet.")
    message.add_attachment(sheet.read_bytes(), "application", "octet-stream", filename="fees.xlsx")
    made = read(written(tmp_path, message))
    assert "# Attached: fees.xlsx" in made.text
    assert made.warnings[0].startswith("attached and not read: a part of fees.xlsx (formulas were saved without")
    assert made.readable < 1


def test_mails_in_mails_are_read_to_a_bound(tmp_path: Path) -> None:
    message = mail("The first")
    for at in range(DEEPEST + 3):
        outer = mail(f"Forwarded {at}")
        outer.add_attachment(message)
        message = outer
    made = read(written(tmp_path, message))
    assert "# Enclosed mail: Fees" in made.text
    assert "The first" not in made.text
    assert "inside of other" in made.warnings[0]
    assert made.readable < 1


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_mail_that_is_encoded_as_a_whole_is_read(tmp_path: Path, encoding: str) -> None:
    inner = f'{HEAD}\nContent-Type: text/plain; charset="utf-8"\n\nAvgiften är 40.\n'.encode()
    encoded = encodebytes(inner) if encoding == "base64" else encodestring(inner)
    head = f"{HEAD}\nContent-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n"
    made = read(written(tmp_path, head.encode() + encoded))
    assert made.text == f"{HEAD}\n\n# Enclosed mail: Fees\n\n{HEAD}\n\nAvgiften är 40."


def test_a_mail_that_is_said_to_be_encoded_and_is_not_is_read(tmp_path: Path) -> None:
    head = f"{HEAD}\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
    assert read(written(tmp_path, f"{head}{HEAD}\n\nThe fee is 40.".encode())).text.endswith("The fee is 40.")
    assert read(written(tmp_path, f"{head}\nA".encode())).text.endswith("A")


def test_a_mail_that_is_attached_as_a_file_is_read(tmp_path: Path) -> None:
    message = mail("See below.")
    message.add_attachment(mail("The fee is 40.").as_bytes(), "application", "octet-stream", filename="old.eml")
    assert read(written(tmp_path, message)).text.endswith(f"# Enclosed mail: Fees\n\n{HEAD}\n\nThe fee is 40.")


def test_parts_nested_beyond_reason_are_refused_or_named(tmp_path: Path) -> None:
    head = "".join(f"Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n" for at in range(3_000))
    with pytest.raises(UnreadableFile, match="inside each other beyond reason"):
        raise_if_read(written(tmp_path, f"Subject: x\n{head}\n\nlost".encode()))


def test_an_invitation_is_read(tmp_path: Path) -> None:
    said = "BEGIN:VEVENT\nSUMMARY:Meeting\\, quay\nDTSTART:20240502T090000Z\nLOCATION:North\n  hall\nEND:VEVENT\n"
    raw = f"Subject: x\nContent-Type: text/calendar\n\n{said}"
    assert read(written(tmp_path, raw.encode())).text == (
        "Subject: x\n\n# Attached: text/calendar\n\n"
        "Event: Meeting, quay\nStart: 2024-05-02 09:00 UTC\nPlace: North hall"
    )


@pytest.mark.parametrize(
    "kind", ["multipart/encrypted; boundary=x", "application/pkcs7-mime; smime-type=enveloped-data"]
)
def test_an_encrypted_mail_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UnreadableFile, match="is encrypted"):
        read(written(tmp_path, f"Subject: x\nContent-Type: {kind}\n\nAAAA\n".encode()))


@pytest.mark.parametrize("charset", ["utf-8", "cp1252"])
def test_headers_whose_charset_no_one_declared_are_decoded(tmp_path: Path, charset: str) -> None:
    assert read(written(tmp_path, "Subject: Åland\n\nText".encode(charset))).text == "Subject: Åland\n\nText"


def test_a_mail_in_utf_16_is_read(tmp_path: Path) -> None:
    assert read(written(tmp_path, "Subject: Åland\n\nText".encode("utf-16"))).text == "Subject: Åland\n\nText"


def test_a_saved_page_is_read_with_its_frames(tmp_path: Path) -> None:
    raw = (
        "From: <Saved by a browser>\nSubject: Fees\nMIME-Version: 1.0\n"
        'Content-Type: multipart/related; type="text/html"; boundary="x"\n\n'
        "--x\nContent-Type: text/html; charset=utf-8\n\n<h1>Quays</h1><p>40 euros\n"
        "--x\nContent-Type: text/css\n\np {color: red}\n--x\nContent-Type: image/png\nContent-Location: a.png\n\nPNG\n"
        "--x\nContent-Type: text/html\n\n<p>In a frame\n--x--\n"
    )
    path = tmp_path / "a.mht"
    path.write_bytes(raw.encode())
    made = read(path)
    assert made.text == "# Fees\n\n# Quays\n\n40 euros\n\nIn a frame"
    assert made.warnings == ()


@pytest.mark.parametrize(("data", "reason"), [(b" \n", "is empty"), (b"Dear Anna,\nwords", "is no mail")])
def test_what_is_no_mail_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(written(tmp_path, data))


def raise_if_read(path: Path) -> None:
    """Reads a file of which nothing but its head can be read: Python's parser gives up on it, or we do."""
    made = read(path)
    assert "lost" not in made.text
    assert made.readable < 1
    raise UnreadableFile(path, "nests inside each other beyond reason")


def mail(text: str) -> EmailMessage:
    message = EmailMessage()
    for line in HEAD.split("\n"):
        name, _, value = line.partition(": ")
        message[name] = value
    message.set_content(text)
    return message


def written(folder: Path, message: EmailMessage | bytes) -> Path:
    path = folder / "a.eml"
    path.write_bytes(message if isinstance(message, bytes) else message.as_bytes())
    return path
