"""Codat's API: the only place from which it is called, and what its answers mean to us."""
