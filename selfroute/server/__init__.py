"""The service: questions, corpora and accounts over HTTP, as our own API and as OpenAI's.

Receives an engine and plain values; knows nothing of settings, and no module here reads a question's text except to
pass it on.
"""
