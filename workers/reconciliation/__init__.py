"""Comparing companies with Codat in the background."""
