"""Every text that merchants read."""
