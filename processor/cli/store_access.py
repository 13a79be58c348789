"""The store, opened for one command; what goes wrong with it in one sentence."""

import contextlib
import dataclasses
from collections.abc import Iterator

from redis import RedisError

from processor.cli.demo_settings import load_beside
from processor.cli.run import store
from processor.container import Container, for_worker
from processor.errors import Invalid, ProcessorError, StoreUnavailable
from processor.runtime import logs
from processor.store.connection_errors import connection_error_reason


@contextlib.contextmanager
def open_store() -> Iterator[Container]:
    """The collaborators of a command; without ``REDIS_URL`` it joins the embedded engine.

    Commands take no messages in, so they need none of the secrets by which these are recognised. Started in
    the folder of a demonstration that runs, they work with its settings.
    What is raised inside leaves as a :class:`ProcessorError` whose ``detail`` says it all.
    """
    settings = load_beside(inbound=False)
    logs.configure("WARNING", settings.secrets())
    with store(settings) as env:
        url = env.get("REDIS_URL", settings.redis_url)
        container = for_worker(dataclasses.replace(settings, redis_url=url))
        try:
            yield container
        except RedisError as error:
            reason = connection_error_reason(error) or type(error).__name__
            raise StoreUnavailable(f"Redis could not be used: {reason}.") from error
        except Invalid as error:
            raise ProcessorError(in_words(error)) from error
        except UnicodeEncodeError as error:
            raise ProcessorError("An argument is not text in this terminal's encoding.") from error
        finally:
            container.redis.close()
            if container.codat is not None:
                container.codat.close()


def in_words(error: ProcessorError) -> str:
    """The error's sentence, and the fields that are to blame."""
    if not isinstance(error, Invalid) or error.blamed() in error.detail:
        return error.detail
    return f"{error.detail} {error.blamed()}"
