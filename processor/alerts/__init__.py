"""Codat's messages: authentication, and the two dialects as events."""
