"""Erasing a company: what is removed, and the scan that proves that nothing is left."""
