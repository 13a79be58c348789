"""The only functions that RQ calls. Each is harmless when called twice, late, or not at all."""

from workers import runtime
from workers.delivery.new_link import send_new_link


def drain(shard: int) -> int:
    """Drain a shard and hand over when messages still wait; how many were handled."""
    current = runtime.current()
    drained = current.drain.run(shard)
    if drained.more and not current.stopping():
        current.waker.wake_shard(shard)
    return drained.handled


def deliver() -> int:
    """Have what is due in the lanes delivered; how many attempts were made before it returns."""
    current = runtime.current()
    return current.deliver()


def send_link(company_id: str) -> bool:
    """Mail a fresh link to a company's contact; whether the mail server took it."""
    current = runtime.current()
    return send_new_link(current.container, company_id)


def look() -> int:
    """Look at the companies that are due; how many that were."""
    current = runtime.current()
    return current.look()


def sweep() -> int:
    """Run the errands of the sweep that are due; how many that were."""
    current = runtime.current()
    return current.sweep.run()


def ask() -> int:
    """Put the questions that are due to Codat; how many were dealt with."""
    current = runtime.current()
    return current.ask()
