"""What is kept in Redis, and the only code that knows how."""
