"""The web service: Codat's webhooks, the API, and the pages of operators and merchants."""

from processor.web.app import create_app, create_app_from_environment, create_gateway_from_environment

__all__ = ["create_app", "create_app_from_environment", "create_gateway_from_environment"]
