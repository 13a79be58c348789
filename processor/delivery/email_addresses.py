"""E-mail addresses with internationalised domains. Pure.

https://www.rfc-editor.org/rfc/rfc5891. A local part that is not ASCII needs SMTPUTF8 (RFC 6531) on every
server on the way, which a sender cannot know.
"""

import idna


def with_ascii_domain(address: str) -> str:
    """The address with its domain in ASCII: ``zoe@bücher.example`` becomes ``zoe@xn--bcher-kva.example``.

    Raises ``ValueError`` for an invalid domain.
    """
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    return f"{local}{at}{idna.encode(domain, uts46=True).decode('ascii')}"
