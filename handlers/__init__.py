"""Pure decisions about connections, on the standard library alone. ``handlers.fold`` explains the theory."""
