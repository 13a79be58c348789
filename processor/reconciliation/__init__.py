"""Codat's truth: what we ask of ourselves, on whose quota, and what follows when messages stay away."""
