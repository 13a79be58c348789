"""Polling companies in the background, and the periodic maintenance tasks."""
