"""Delivery of notifications: subscribers, lanes, channels, redelivery, and safe senders."""
