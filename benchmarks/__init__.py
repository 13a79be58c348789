"""Benchmarks: what a message costs, beside what a user would pick instead. ``make bench`` runs them all."""
