"""Whether a message is Codat's, and what it says: signatures and the two dialects."""
