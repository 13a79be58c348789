"""Erasing a company: which records are removed, and the scan that verifies that no trace is left."""
