"""Opens the store for one command and describes its errors in one sentence."""

import contextlib
import dataclasses
from collections.abc import Iterator

from redis import RedisError

from processor.cli import audited
from processor.cli.demo_settings import load_settings
from processor.cli.run import store_environment
from processor.container import Container, for_worker
from processor.errors import Invalid, ProcessorError, SettingsError, StoreUnavailable
from processor.runtime import logs
from processor.store import layout
from processor.store.connection_errors import connection_error_reason


@contextlib.contextmanager
def open_store(*, to_import: bool = False) -> Iterator[Container]:
    """The container of a command; without ``REDIS_URL`` the command uses the embedded engine.

    Commands receive no messages, so the secrets that authenticate messages may be missing. A command that
    is started in the folder of a running demonstration uses its settings. An error of Redis or of an
    argument leaves the context as a :class:`ProcessorError` with the whole explanation in ``detail``.
    ``to_import`` also opens a store whose import was interrupted.
    """
    settings = load_settings(inbound=False)
    logs.configure("WARNING", settings.secrets())
    with store_environment(settings) as env:
        url = env.get("REDIS_URL", settings.redis_url)
        container = for_worker(dataclasses.replace(settings, redis_url=url))
        try:
            if reason := layout.refusal(container.redis, settings.cells, to_import=to_import):
                raise SettingsError([reason], who="The command")
            try:
                yield container
            except BaseException as error:
                audited.record_failure(container, error)
                raise
            audited.record(container, "done")
        except RedisError as error:
            reason = connection_error_reason(error) or type(error).__name__
            raise StoreUnavailable(f"Redis could not be used: {reason}.") from error
        except Invalid as error:
            raise ProcessorError(describe_error(error)) from error
        except UnicodeEncodeError as error:
            raise ProcessorError("An argument is not text in this terminal's encoding.") from error
        finally:
            container.close()


def describe_error(error: ProcessorError) -> str:
    """The sentence of the error, with the invalid fields."""
    if not isinstance(error, Invalid) or error.summary() in error.detail:
        return error.detail
    return f"{error.detail} {error.summary()}"
