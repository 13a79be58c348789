"""Comparing companies with Codat: what to poll when, what differs, and what repairs it."""
