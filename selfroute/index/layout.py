"""The file of a store: its tables and their versions, how it is made, opened and read by SQLite's own words.

Knows nothing of documents.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from selfroute.errors import CorruptIndex, HomeNotWritable, UnusableIndex
from selfroute.index.files import publish, staging

NAME = "store.sqlite"
APPLICATION = 0x53524458  # "SRDX": tells our files from other SQLite databases
HEADER = 100
"""Bytes at the start of every SQLite database. It takes a file of none or one for a new database."""

DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What SQLite's library raises for a file that is not as it wrote it, or that it may not read."""

VERSION = 2
"""Of the tables, kept as SQLite's `user_version`."""

TABLES = """
CREATE TABLE about (store TEXT NOT NULL, published INTEGER NOT NULL);
CREATE TABLE documents (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL,
    chunking TEXT NOT NULL, tokens INTEGER NOT NULL, added INTEGER NOT NULL, deleted INTEGER,
    embedder TEXT NOT NULL DEFAULT '', seal TEXT NOT NULL DEFAULT ''
);
CREATE INDEX documents_by_id ON documents (id);
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, tokens INTEGER NOT NULL, vector BLOB NOT NULL, header TEXT NOT NULL DEFAULT ''
);
CREATE INDEX chunks_by_document ON chunks (document);
"""
FILES_TABLE = """CREATE TABLE files (
    path TEXT NOT NULL UNIQUE, name TEXT NOT NULL, hash TEXT NOT NULL, documents INTEGER NOT NULL, seal TEXT NOT NULL
)"""
FILES = f"""
CREATE TABLE pages (document INTEGER PRIMARY KEY REFERENCES documents, starts TEXT NOT NULL);
{FILES_TABLE};
"""
"""Page maps, and the files of which all is in the store."""
WARNINGS = """
CREATE TABLE warnings (
    document INTEGER PRIMARY KEY REFERENCES documents, warnings TEXT NOT NULL, readable REAL NOT NULL
);
"""
"""What could not be read of documents; of those alone of which something could not."""
INDEXES = """
CREATE INDEX documents_known ON documents (added, deleted, id, source, hash, chunking, tokens, embedder);
CREATE INDEX documents_deleted ON documents (deleted) WHERE deleted IS NOT NULL;
"""
"""What is known of documents without their text stands together: behind a long text SQLite would read all of it to
come to the columns after it."""

EARLIER = """
ALTER TABLE about ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN embedder TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN seal TEXT NOT NULL DEFAULT '';
UPDATE documents SET embedder = (SELECT embedder FROM about);
ALTER TABLE about DROP COLUMN embedder;
ALTER TABLE about DROP COLUMN dimension;
"""
"""From version 0, which knew one embedder for all documents."""

HEADERS = """
ALTER TABLE chunks ADD COLUMN header TEXT NOT NULL DEFAULT '';
"""
"""From version 1, whose chunks had no header beside them; it had no warnings either."""


def make(path: Path) -> None:
    """Makes the file under a staging name: one that a killed process left half made would look like another
    program's. A WAL that stood beside an older file of this name would be played into the new one."""
    new = staging(path)
    try:
        for left in (*path.parent.glob(f"{new.name}*"), *path.parent.glob(f"{path.name}-*")):
            left.unlink()
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            lay_out(connection)
            connection.execute("PRAGMA journal_mode = WAL")
        publish(path)
    except sqlite3.OperationalError as error:
        raise HomeNotWritable(path.parent, str(error)) from error
    except OSError as error:
        raise HomeNotWritable(path.parent, (error.strerror or str(error)).lower()) from error


def lay_out(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in statements(TABLES + FILES + WARNINGS + INDEXES):
        connection.execute(statement)
    connection.execute("INSERT INTO about VALUES (?, 0)", (str(uuid4()),))
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def statements(script: str) -> list[str]:
    return script.strip().split(";\n")


def names(version: int) -> set[str]:
    """The tables and indexes there must be in a store of this version."""
    warnings = WARNINGS if version >= VERSION else ""
    return {statement.split()[2] for statement in statements(TABLES + FILES + warnings + INDEXES)}


def translated(error: Exception, folder: Path) -> UnusableIndex:
    """A damaged file, or one that is whole but could not be read just now: only the first should be removed."""
    if isinstance(error, sqlite3.ProgrammingError):
        return UnusableIndex(f"the index in {folder} was closed while it was read: ask again")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # none if the text in it is not UTF-8
    if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
        return UnusableIndex(f"{folder / NAME} cannot be opened ({error}): check its permissions and the disk")
    return CorruptIndex(folder, f"{NAME} cannot be read ({error})", remedy(folder))


def remedy(folder: Path) -> str:
    return f"remove {folder} and run `selfroute index` on its files again"


def address(path: Path) -> str:
    """The file as an SQLite URI. Beside a database in WAL mode SQLite must write, even to read; on a read-only
    disk it can only be opened as unchanging, which leaves a WAL unread: so only if there is none."""
    wal = path.with_name(path.name + "-wal")
    unchanging = not os.access(path.parent, os.W_OK, effective_ids=True) and not (wal.exists() and wal.stat().st_size)
    return path.resolve().as_uri() + ("?immutable=1" if unchanging else "?mode=rw")
