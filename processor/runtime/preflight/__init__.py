"""The checks of ``codat-processor check``, which runs before a release is started."""
