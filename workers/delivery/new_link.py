"""E-mail with a new link to the address that an expired one was made for, which somebody opened."""

import logging
import smtplib
import uuid

from jinja2 import TemplateError

from processor.container import Container
from processor.delivery.email_templates import NEW_LINK, EmailTemplates, to_message
from processor.delivery.mail_server import MailServer
from processor.settings.brands import brand_of

_log = logging.getLogger(__name__)


def send_new_link(container: Container, company_id: str, holder: str, generation: int) -> bool:
    """Send the e-mail, unless links of this generation were revoked; whether the mail server accepted it.

    There is no retry: the merchant can ask again at once.
    """
    settings, links = container.settings, container.journey.links
    address = links.address_of(company_id, holder, generation)
    if settings.smtp_url is None or not links.can_mail or not address:
        return False
    company = container.journey.company(company_id)
    brand = brand_of(container.journey.brands, company.brand)
    try:
        email = EmailTemplates(settings.mail_templates_dir).render(
            {"type": NEW_LINK, "data": {}},
            company_name=company.display_name,
            link=links.mailed_url(company_id, holder),
            product=brand.name,
            support=brand.support_email,
            link_days=settings.link_days,
            language=company.language or settings.default_language,
        )
        message = to_message(
            email,
            message_id=f"link-{uuid.uuid4().hex}",
            sender=settings.sender or "",
            to=address,
            at=container.clock(),
        )
        MailServer(settings.smtp_url, verify=settings.smtp_tls_verify).send(message)
    except (TemplateError, ValueError, smtplib.SMTPException, OSError) as error:
        _log.warning(
            "a new link could not be e-mailed",
            extra={"company_id": company_id, "error": type(error).__name__},
        )
        links.end_pause(company_id, holder)
        return False
    _log.info("a new link was e-mailed", extra={"company_id": company_id})
    return True
