"""Draining the inbox: messages in, decisions of the state machine, one commit per batch."""
