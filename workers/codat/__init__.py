"""The runner of questions to Codat."""
