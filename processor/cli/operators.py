"""``operators``: hashes of passwords for OPERATORS, and sessions."""

import click
from werkzeug.security import generate_password_hash

from processor.access.operators import LONGEST_PASSWORD
from processor.access.sessions import SHOWN_ID_CHARS
from processor.cli.options import as_json_option, read_secret
from processor.cli.printing import Column, print_page, print_result
from processor.cli.store_access import open_store
from processor.clock import to_iso

SHORTEST_PASSWORD = 12
SESSION_COLUMNS: tuple[Column, ...] = (
    ("SESSION", "id"),
    ("NAME", "name"),
    ("ROLE", "role"),
    ("BY", "method"),
    ("SINCE", "began_at"),
    ("UNTIL", "ends_at"),
)


@click.group()
def operators() -> None:
    """Who may use the operators' pages."""


@operators.command("hash")
@as_json_option
def hash_password() -> None:
    """Print the hash of a password for OPERATORS; the password is read from the input, or asked for."""
    password = read_secret("Password", twice=True)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise click.UsageError(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    password_hash = generate_password_hash(password)
    print_result({"hash": password_hash}, password_hash)


@operators.command("sessions")
@as_json_option
def list_sessions() -> None:
    """List who is signed in."""
    with open_store() as container:
        items = [
            {
                "id": session.id[:SHOWN_ID_CHARS],
                "name": session.name,
                "role": session.role.label,
                "method": session.method,
                "began_at": to_iso(session.began_at),
                "ends_at": to_iso(session.ends_at),
            }
            for session in container.operator_sessions.all()
        ]
    print_page({"items": items}, SESSION_COLUMNS)


@operators.command("revoke")
@click.argument("name")
@as_json_option
def revoke_sessions(name: str) -> None:
    """End every session of an operator."""
    with open_store() as container:
        count = container.operator_sessions.revoke(name=name)
    print_result({"name": name, "revoked": count}, f"{count} sessions of {name} ended.")
