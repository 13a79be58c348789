"""The live status of one connection: waiting, access given, reading, ready, or what went wrong."""

from flask import Blueprint, Response, request

from processor.web.context import container
from processor.web.pages import visits
from processor.web.pages.cards import Card
from processor.web.pages.choosing import leave_for
from processor.web.pages.curiosity import Curiosity
from processor.web.pages.visits import PATH, Live, Visit, fragment, guard, journey, opened, page, visit_of

blueprint = Blueprint("watch", __name__, url_prefix=f"{PATH}/<token>/connections/<connection_id>")
guard(blueprint)

PART = "_status"


@blueprint.get("")
def show(token: str, connection_id: str) -> Response:
    """How one connection stands."""
    visit = visit_of(token)
    card = visit.card(connection_id)
    curiosity().about(visit.company_id, card)
    return page(visit, "watch", card=card, live=changing(visit, card), notice=None, quoted=None)


@blueprint.get("/live")
def live(token: str, connection_id: str) -> Response:
    """The part of that page that changes."""
    visit = visit_of(token)
    card = visit.card(connection_id, just_back=request.args.get("back") == "1")
    curiosity().about(visit.company_id, card)
    return fragment(visit, PART, card=card)


@blueprint.get("/link")
def back_to_watching(token: str, connection_id: str) -> Response:
    """Where somebody lands who opens the address of the form."""
    return show(token, connection_id)


@blueprint.post("/link")
def resume(token: str, connection_id: str) -> Response:
    """Go to Codat's Link: to finish, to try again, or to connect again."""
    visit = opened(token)
    return leave_for(visit, journey().link(connection_id, company_id=visit.company_id))


def changing(visit: Visit, card: Card, *, just_back: bool = False) -> Live:
    """The status of a connection, as the part of a page that changes."""
    url = visit.url("watch.live", connection_id=card.id, back=1 if just_back else None)
    return visits.live(visit, url, PART, card=card)


def curiosity() -> Curiosity:
    """Asks Codat for those who wait."""
    own = container()
    return Curiosity(own.redis, own.journey, own.clock)
