"""Scores of predictions against references: pure functions of text."""
