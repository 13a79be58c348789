"""The senders of the delivery channels that ``processor.delivery.channels`` declares."""
