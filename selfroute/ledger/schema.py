"""The ledger's tables and the migrations that make them. A migration, once released, is never changed."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, MetaData, Table, Text

metadata = MetaData()

questions = Table(
    "questions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("asked_at", Text, nullable=False),  # ISO 8601, UTC
    Column("question", Text),
    Column("policy", Text, nullable=False),
    Column("corpus", Text, nullable=False),
    Column("answer", Text),
    Column("outcome", Text),
    Column("route", Text),
    Column("coverage", Float),
    Column("long_context_tokens", Integer),
    Column("saved_tokens", Integer),
    Column("seconds", Float),
    Column("error", Text),
    Column("rewritten", Text),  # the question as it was read, if it was not as it was asked
    Column("key", Text),  # the id of the API key that asked; null: nobody's
    Column("record", Text),  # the whole answer as JSON
    Column("run", Text),  # of an evaluation whose answer was judged: its folder; null: a question that was asked
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("question", Text, ForeignKey("questions.id"), nullable=False),
    Column("at", Text, nullable=False),  # ISO 8601, UTC
    Column("verdict", Text, nullable=False),
    Column("better_answer", Text),
)

calls = Table(
    "calls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("question", Text, ForeignKey("questions.id"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("cached_input_tokens", Integer, nullable=False),
    Column("cache_write_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("reasoning_tokens", Integer, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("cost", Text),  # decimal US dollars; null: price unknown
    Column("seconds", Float, nullable=False),
    Column("error", Text),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE questions (id TEXT PRIMARY KEY, asked_at TEXT NOT NULL, question TEXT, policy TEXT NOT NULL, "
        "corpus TEXT NOT NULL, answer TEXT, outcome TEXT, route TEXT, coverage REAL, long_context_tokens INTEGER, "
        "saved_tokens INTEGER, seconds REAL, error TEXT)",
        "CREATE TABLE calls (id INTEGER PRIMARY KEY, question TEXT NOT NULL REFERENCES questions (id), "
        "stage TEXT NOT NULL, model TEXT NOT NULL, input_tokens INTEGER NOT NULL, "
        "cached_input_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, "
        "reasoning_tokens INTEGER NOT NULL, estimated BOOLEAN NOT NULL, cost TEXT, seconds REAL NOT NULL, error TEXT)",
        "CREATE INDEX calls_by_question ON calls (question)",
    ),
    ("ALTER TABLE questions ADD COLUMN rewritten TEXT",),
    (
        "ALTER TABLE questions ADD COLUMN key TEXT",
        "ALTER TABLE questions ADD COLUMN record TEXT",
        "CREATE INDEX questions_by_time ON questions (asked_at)",
        "CREATE TABLE feedback (id INTEGER PRIMARY KEY, question TEXT NOT NULL REFERENCES questions (id), "
        "at TEXT NOT NULL, verdict TEXT NOT NULL, better_answer TEXT)",
        "CREATE INDEX feedback_by_question ON feedback (question)",
    ),
    ("CREATE INDEX questions_by_key ON questions (key, asked_at)",),
    ("ALTER TABLE questions ADD COLUMN run TEXT",),
    (
        # All that sums of questions look at: behind the texts of a row, each would cost a walk through its pages.
        "CREATE INDEX questions_for_sums ON questions (asked_at, corpus, key, policy, route, run, long_context_tokens, "
        "saved_tokens, id)",
        "DROP INDEX questions_by_time",
    ),
)
"""Statements from version n to n + 1, by n; the file's version is SQLite's `user_version`."""
