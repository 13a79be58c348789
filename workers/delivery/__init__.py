"""Delivering notifications: the dispatcher and its channels."""
