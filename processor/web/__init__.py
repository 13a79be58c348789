"""The web service: Codat's messages in, and what operators and integrators read."""

from processor.web.app import create_app, create_app_from_environment, create_gateway_from_environment

__all__ = ["create_app", "create_app_from_environment", "create_gateway_from_environment"]
