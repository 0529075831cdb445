"""API keys: who may ask what, in SQLite under home. Hashes only: a key is shown once, when it is made.

A key is 256 random bits, so its plain SHA-256 cannot be guessed back, and nothing slower is needed. Revoked keys stay
on record, so that what they asked can be told. Blocking. Knows nothing of HTTP.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from selfroute.errors import BadInput, HomeNotWritable, UnusableKeys
from selfroute.index.names import folder_of
from selfroute.types import Limits

NAME = "keys.sqlite"
VERSION = 1
PATIENCE = 5.0
"""Seconds to wait for who is writing."""

_TOKEN = re.compile(r"sk-selfroute-([0-9a-f]{12})-[A-Za-z0-9_-]{43}")
_TABLE = (
    "CREATE TABLE keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, grants TEXT NOT NULL, "
    "made_at TEXT NOT NULL, revoked_at TEXT)",
    "CREATE UNIQUE INDEX valid_names ON keys (name) WHERE revoked_at IS NULL",
)


@dataclass(frozen=True, slots=True)
class Grants:
    """What a key may: ask these `corpora` (`None`: all), so many questions `per_minute`, within `limits`; change
    corpora (`may_write`); see what others asked, and the metrics (`may_audit`)."""

    corpora: tuple[str, ...] | None = None
    per_minute: int | None = None
    limits: Limits = field(default_factory=Limits)
    may_write: bool = False
    may_audit: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept. `id` is no secret: it names the key in the ledger. Times are ISO 8601, UTC."""

    id: str
    name: str
    grants: Grants
    made_at: str
    revoked_at: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A key with the hash that it is known by."""

    key: Key
    hash: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All keys at one moment; `held` says whether there ever was one, revoked ones included: then nobody may do
    without."""

    kept: dict[str, Kept]

    @property
    def held(self) -> bool:
        return bool(self.kept)

    def find(self, token: str) -> Key | None:
        """The valid key that is this token. Takes as long for a wrong one as for a right one."""
        known = _TOKEN.fullmatch(token)
        kept = self.kept.get(known[1]) if known else None
        same = hmac.compare_digest(_hash(token), kept.hash if kept else _hash(""))
        return kept.key if kept is not None and same and kept.key.revoked_at is None else None


class Keyring:
    """One file; safe to use from several threads and processes. It is made with the first key."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Snapshot:
        """Raises `UnusableKeys`: a file that cannot be read lets nobody in."""
        if not self._path.exists():
            return Snapshot({})
        with self._opened() as connection:
            rows = connection.execute("SELECT id, name, hash, grants, made_at, revoked_at FROM keys").fetchall()
        try:
            return Snapshot({row[0]: Kept(Key(row[0], row[1], _grants(row[3]), *row[4:]), row[2]) for row in rows})
        except (ValueError, TypeError, ArithmeticError) as error:
            raise UnusableKeys(self._path, "it holds what is no key") from error

    def listed(self) -> list[Key]:
        """All keys, the oldest first, revoked ones too."""
        return sorted((kept.key for kept in self.read().kept.values()), key=lambda key: (key.made_at, key.id))

    def create(self, name: str, grants: Grants) -> tuple[Key, str]:
        """A new key, and the token that its owner sends: it cannot be had again. Raises `BadInput` for what makes no
        sense, also a name that a valid key has already, and `HomeNotWritable`."""
        _check(name, grants)
        id_ = secrets.token_hex(6)
        token = f"sk-selfroute-{id_}-{secrets.token_urlsafe(32)}"
        key = Key(id_, name, grants, _now())
        self._make()
        with self._opened() as connection:
            try:
                with connection:
                    connection.execute(
                        "INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)",
                        (key.id, name, _hash(token), _told(grants), key.made_at),
                    )
            except sqlite3.IntegrityError:
                raise BadInput(f"there is a key {name!r} already: choose another name, or revoke it first") from None
        return key, token

    def revoke(self, name: str) -> Key:
        """By its name or id. Raises `BadInput` where there is no such valid key."""
        valid = [key for key in self.listed() if key.revoked_at is None]
        found = next((key for key in valid if name in (key.id, key.name)), None)
        if found is None:
            have = ", ".join(key.name for key in valid) or "none"
            raise BadInput(f"no valid key is called {name!r}; have: {have}")
        with self._opened() as connection, connection:
            connection.execute("UPDATE keys SET revoked_at = ? WHERE id = ?", (_now(), found.id))
        return next(key for key in self.listed() if key.id == found.id)

    def _make(self) -> None:
        """The file, for its owner's eyes alone."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError as error:
            raise HomeNotWritable(self._path, (error.strerror or str(error)).lower()) from error
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("PRAGMA user_version").fetchone()[0]:
                for statement in _TABLE:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.commit()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            # Never makes the file: an empty one in its place would let everybody in.
            address = f"{self._path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, timeout=PATIENCE, uri=True)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version > VERSION:
                    raise UnusableKeys(self._path, f"a newer selfroute wrote it, version {version}")
                yield connection
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise UnusableKeys(self._path, str(error)) from error


def _check(name: str, grants: Grants) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", name):
        raise BadInput(f"{name!r} cannot name a key: use up to 64 letters, digits, '.', '_', '@' or '-'")
    for corpus in grants.corpora or ():
        folder_of(Path(), corpus)
    if grants.may_audit and grants.corpora is not None:
        raise BadInput("a key that may see what all others asked cannot be kept to some corpora: leave one of them out")


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _told(grants: Grants) -> str:
    limits = grants.limits
    return json.dumps(
        {
            "corpora": grants.corpora,
            "per_minute": grants.per_minute,
            "tokens": limits.tokens,
            "cost": None if limits.cost is None else str(limits.cost),
            "escalations": limits.escalations,
            "may_write": grants.may_write,
            "may_audit": grants.may_audit,
        }
    )


def _grants(told: str) -> Grants:
    """Raises for a field that is missing: a right that is not understood is no right."""
    said = json.loads(told)
    corpora: Sequence[str] | None = said["corpora"]
    cost: str | None = said["cost"]
    return Grants(
        None if corpora is None else tuple(corpora),
        said["per_minute"],
        Limits(said["tokens"], None if cost is None else Decimal(cost), said["escalations"]),
        said["may_write"],
        said["may_audit"],
    )
