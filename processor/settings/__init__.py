"""The settings: their definitions, kinds, loading and documentation."""
