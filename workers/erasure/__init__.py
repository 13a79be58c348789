"""Erasing companies that were deleted at Codat."""
