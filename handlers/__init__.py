"""Decisions about connections: pure, on the standard library alone."""
