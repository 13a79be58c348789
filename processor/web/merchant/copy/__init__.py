"""The texts that merchants read, beside the prose of the templates."""
