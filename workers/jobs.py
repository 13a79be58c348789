"""The functions that RQ calls. Each may be called twice, late, or not at all."""

from workers import runtime
from workers.delivery.new_link import send_new_link


def drain() -> int:
    """Drain the cells that no drain serves; request another run if messages remain. The number handled."""
    current = runtime.current()
    drained = current.drain.run()
    if drained.more and not current.stopping():
        current.container.waker.wake_drain()
    return drained.handled


def deliver() -> int:
    """Deliver due notifications; the number of attempts made before it returns."""
    return runtime.current().deliver()


def send_link(company_id: str, holder: str = "", generation: int = 0) -> bool:
    """E-mail a new link to a company's contact or person; whether the mail server accepted it."""
    return send_new_link(runtime.current().container, company_id, holder, generation)


def look() -> int:
    """Poll the companies that are due; their number."""
    return runtime.current().poll()


def sweep() -> int:
    """Run the maintenance tasks that are due; their number."""
    return runtime.current().maintenance.run()


def ask() -> int:
    """Ask Codat the questions that are due; the number of processed ones."""
    return runtime.current().ask()
