"""Reading what others wrote: what cannot be used counts as absent, and nothing here raises."""
