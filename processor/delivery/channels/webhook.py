"""Webhooks to subscribers: each subscriber has a lane, and decides itself which types it receives."""

from processor.delivery.channels.channel import Channel, FailureCondition

WEBHOOK = Channel(
    name="webhook", failure=FailureCondition(code="receiver_failing", sentence="Deliveries to {name} fail")
)
