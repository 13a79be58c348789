"""Asking Codat the questions that are due."""
