"""The only functions that RQ calls. Each is harmless when called twice, late, or not at all."""

from workers import runtime
from workers.new_link import send_new_link


def drain(shard: int) -> int:
    """Drain a shard and hand over when messages still wait; how many were handled."""
    own = runtime.current()
    drained = own.drain.run(shard)
    if drained.more and not own.stopping():
        own.bell.wake_shard(shard)
    return drained.handled


def deliver() -> int:
    """Have what is due in the lanes delivered; how many attempts were made before it returns."""
    own = runtime.current()
    return own.deliver()


def send_link(company_id: str) -> bool:
    """Mail a fresh link to a company's contact; whether the mail server took it."""
    own = runtime.current()
    return send_new_link(own.container, company_id)


def look() -> int:
    """Look at the companies that are due; how many that were."""
    own = runtime.current()
    return own.look()


def sweep() -> int:
    """Run the errands of the sweep that are due; how many that were."""
    own = runtime.current()
    return own.sweep.run()


def ask() -> int:
    """Put the questions that are due to Codat; how many were dealt with."""
    own = runtime.current()
    return own.ask()
