"""Settings from the environment: definitions, value kinds, requirements, generated documentation."""
