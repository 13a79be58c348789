"""The operators' chat or pager: on with OPERATOR_ALERT_URLS, for alerts and OPERATOR_ALERT_TYPES."""

from processor.delivery.channels.channel import BuiltInChannel, FailureCondition

OPERATORS = BuiltInChannel(
    name="operators",
    is_enabled=lambda settings: bool(settings.operator_alert_urls),
    wants=lambda settings, body, _company: body["type"] in settings.operator_alert_types,
    failure=FailureCondition(code="operators_unreachable", sentence="Deliveries to {name} fail"),
)
