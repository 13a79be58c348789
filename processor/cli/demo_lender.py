"""The simulated lender of a demonstration, with what no caller of the service can do: let time pass."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from processor.clock import utc_now
from processor.container import for_worker
from processor.journey.reminders import Reminders
from processor.journey.wiring import brands_of, make_journey
from processor.languages.catalogues import LANGUAGES, language
from processor.settings.brands import DEFAULT_BRAND
from processor.settings.loading import DOTENV, load
from processor.simulator.lender_client import LenderClient
from processor.simulator.mailbox import Mailbox
from processor.simulator.simulation import Simulation

LONG_AGO = timedelta(days=2)
A_LITTLE = timedelta(minutes=1)


@contextlib.contextmanager
def lender_client(
    environ: Mapping[str, str], mailbox: Mailbox, simulation: Simulation
) -> Iterator[LenderClient]:
    """A caller of the service, which ``simulation`` has while the context lasts.

    The service has the settings ``environ`` and those of ``.env``; its e-mails are in ``mailbox``.
    """
    settings = load(environ, DOTENV)
    container = for_worker(settings)
    past = make_journey(
        settings,
        client=container.redis,
        inbox=container.inbox,
        reader=container.reader,
        waker=container.waker,
        codat=None,
        clock=_clock(-LONG_AGO),
    )

    def pass_days(company_id: str, days: int) -> int:
        decided = Reminders(
            container.redis,
            reader=container.reader,
            waker=container.waker,
            settings=settings,
            read_again=container.journey.read_again,
            clock=_clock(timedelta(days=days) + A_LITTLE),
        ).decide(company_id)
        container.waker.wake_dispatcher()
        return decided

    with (
        contextlib.closing(container),
        LenderClient(
            settings.local_url,
            settings.api_keys[0],
            brands=sorted(brands_of(settings).keys() - {DEFAULT_BRAND}),
            languages={tag: language(tag).name for tag in LANGUAGES},
            mails=lambda: mailbox.mails,
            expired_link=past.links.connect_url,
            pass_days=pass_days,
        ) as client,
    ):
        simulation.lender = client
        try:
            yield client
        finally:
            simulation.lender = None


def _clock(shift: timedelta) -> Callable[[], datetime]:
    return lambda: utc_now() + shift
