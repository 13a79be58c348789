"""The roads out: what carries one delivery to where it belongs."""
