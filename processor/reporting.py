"""Reporting faults of ours to Sentry, where ``SENTRY_DSN`` is set and the extra ``sentry`` installed."""

from importlib import import_module

from processor.errors import SettingsError
from processor.settings import Settings


def report_faults(settings: Settings) -> bool:
    """Send what is logged as an error to Sentry from now on, without bodies, headers or users.

    Whether anything is sent. Raises :class:`SettingsError` when the extra is missing.
    """
    if settings.sentry_dsn is None:
        return False
    try:
        sentry = import_module("sentry_sdk")
    except ImportError:
        raise SettingsError(
            ["SENTRY_DSN is set, but sentry-sdk is not installed: install codat-processor[sentry]."]
        ) from None
    sentry.init(
        dsn=settings.sentry_dsn,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
    )
    return True
