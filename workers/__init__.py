"""What runs in the background: draining, delivering, and the clock."""
