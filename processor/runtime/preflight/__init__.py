"""The preflight check: what ``codat-processor check`` tries before a release is started."""
