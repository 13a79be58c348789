"""E-mail addresses in the characters that mail servers take. Pure.

Domains: https://www.rfc-editor.org/rfc/rfc5891. A local part that is not ASCII needs SMTPUTF8 on the whole
way to the reader (RFC 6531), which no sender can know.
"""

import idna


def with_ascii_domain(address: str) -> str:
    """The address with its domain in ASCII: ``zoe@bücher.example`` is ``zoe@xn--bcher-kva.example``.

    Raises ``ValueError`` for a domain that has no such form.
    """
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    return f"{local}{at}{idna.encode(domain, uts46=True).decode('ascii')}"
