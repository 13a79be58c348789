"""Delivery of notifications: the dispatcher, its attempts, and the senders of the channels."""
