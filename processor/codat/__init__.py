"""The client of Codat's API: calls, rate limit, and responses as models and events."""
