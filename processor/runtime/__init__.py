"""Processes and their supervisor, the web server, the embedded engine, logging and the preflight check."""
