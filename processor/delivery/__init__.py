"""Telling the world: who wants to be told, what waits for whom, and how it is sent safely."""
