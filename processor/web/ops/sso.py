"""Sign-in by an OpenID Connect provider (OIDC_ISSUER): authorization code with PKCE, state and nonce.

Loaded only where OIDC_ISSUER is set. https://openid.net/specs/openid-connect-core-1_0.html
"""

import json
import logging
import re
import secrets
import ssl
import time
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from processor.access.operators import Operator, accounts
from processor.errors import Forbidden, ProcessorError, Unauthorized
from processor.settings.definitions import Settings
from processor.settings.people import USER, role_of

_log = logging.getLogger(__name__)

DISCOVERY = "/.well-known/openid-configuration"
SCOPE = "openid profile email groups"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures of ID tokens; never `none`, and none with a shared key."""

TIMEOUT_S = 5.0
METADATA_S = 600.0
"""How long the discovery document counts, in each process."""

MAX_NAME_CHARS = 64
_OTHER_CHARACTERS = re.compile(r"[^A-Za-z0-9._@+-]")
_known_metadata: dict[str, tuple[float, dict[str, Any]]] = {}
"""Discovery documents by issuer, with the monotonic time at which each ends."""

LEEWAY_S = 60
MAX_ANSWER_BYTES = 262_144


@cache
def _trusted_authorities() -> ssl.SSLContext:
    """The authorities of certifi, loaded once per process: that takes longer than the rest of a sign-in."""
    return httpx.create_ssl_context(trust_env=False)


class ProviderFailed(ProcessorError):
    """The provider of OIDC_ISSUER did not do its part."""

    code = "sign_in_provider_failed"
    status = HTTPStatus.BAD_GATEWAY
    remedy = "Try again; operators find the cause in the log of this service."
    title = "The sign-in provider could not be used"
    sentence = "The provider of OIDC_ISSUER did not answer as it should; try again."


class NoGroup(Forbidden):
    """The person is known to the provider and belongs to no group of OIDC_GROUPS."""

    code = "no_group"
    remedy = "Operators: add one of the person's groups to `OIDC_GROUPS`."
    title = "You have no role here"
    sentence = "Your account belongs to no group that may use these pages."


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """What the browser's cookie keeps between leaving for the provider and coming back."""

    state: str
    nonce: str
    verifier: str
    next_path: str

    def dump(self) -> str:
        """The text for the cookie."""
        return json.dumps([self.state, self.nonce, self.verifier, self.next_path])

    @classmethod
    def load(cls, text: str) -> "PendingSignIn":
        """The inverse of ``dump``. Raises :class:`Unauthorized`."""
        try:
            pending = cls(*map(str, json.loads(text)))
            "".join((pending.state, pending.nonce, pending.verifier, pending.next_path)).encode()
            if pending.state:  # an empty one would equal that of an address without a state
                return pending
        except (TypeError, ValueError, RecursionError):
            pass
        raise Unauthorized("The sign-in was not begun in this browser, or too long ago.")


class Provider:
    """One provider. Each method raises :class:`ProviderFailed`."""

    def __init__(self, settings: Settings, redirect_uri: str) -> None:
        self._settings, self._redirect_uri = settings, redirect_uri

    def begin(self, next_path: str) -> tuple[str, PendingSignIn]:
        """The address to which the browser goes, and what it brings back."""
        pending = PendingSignIn(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), next_path
        )
        with self._client() as client:
            address, _ = client.create_authorization_url(
                self._metadata()["authorization_endpoint"],
                state=pending.state,
                nonce=pending.nonce,
                code_verifier=pending.verifier,
            )
        return str(address), pending

    def finish(self, code: str, pending: PendingSignIn) -> Operator:
        """The operator whom the provider names. Raises also :class:`Unauthorized` and :class:`NoGroup`."""
        metadata = self._metadata()
        try:
            with self._client() as client:
                token = client.fetch_token(
                    metadata["token_endpoint"], code=code, code_verifier=pending.verifier
                )
            keys = KeySet.import_key_set(self._read(metadata["jwks_uri"]))
            claims = jwt.decode(str(token["id_token"]), keys, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                now=int(time.time()),
                leeway=LEEWAY_S,
                iss={"essential": True, "value": metadata["issuer"]},
                aud={"essential": True, "value": self._settings.oidc_client_id or ""},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": pending.nonce},
            ).validate(claims)
        except (OAuthError, JoseError, KeyError, ValueError) as error:
            _log.warning("a sign-in was refused", extra={"error": type(error).__name__})
            raise Unauthorized("The provider's answer is not valid; sign in again.") from error
        except httpx.HTTPError as error:
            raise self._failed(error) from error
        return self._operator(claims)

    def _operator(self, claims: dict[str, Any]) -> Operator:
        parties = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if len(parties) > 1 and claims.get("azp") != self._settings.oidc_client_id:
            raise Unauthorized("The provider's answer is for another client.")
        groups = claims.get("groups")
        names = set(map(str, groups)) if isinstance(groups, list) else {str(groups)}
        roles = [role_of(role) for group, role in self._settings.oidc_groups if group in names]
        if not roles:
            raise NoGroup()
        return Operator(self._name(claims), max(roles))

    def _name(self, claims: dict[str, Any]) -> str:
        """The name under which the person acts, never one of an operator who has a password here."""
        email = claims.get("email") if claims.get("email_verified") is True else None
        for text in (email, claims.get("preferred_username"), claims["sub"]):
            name = _OTHER_CHARACTERS.sub("-", str(text or ""))[:MAX_NAME_CHARS]
            if name and name != USER and name not in accounts(self._settings):
                return name
        raise Unauthorized("The provider's name for you is that of another operator.")

    def _metadata(self) -> dict[str, Any]:
        issuer = self._settings.oidc_issuer or ""
        ends_at, known = _known_metadata.get(issuer, (0.0, {}))
        if time.monotonic() < ends_at:
            return known
        metadata: dict[str, Any] = self._read(issuer + DISCOVERY)
        wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if str(metadata.get("issuer", "")).rstrip("/") != issuer or not all(
            metadata.get(name) for name in wanted
        ):
            raise self._failed(ValueError("the discovery document is of another issuer, or incomplete"))
        _known_metadata[issuer] = (time.monotonic() + METADATA_S, metadata)
        return metadata

    def _read(self, address: str) -> Any:
        content = bytearray()
        try:
            with httpx.stream(
                "GET", address, timeout=TIMEOUT_S, trust_env=False, verify=_trusted_authorities()
            ) as answer:
                answer.raise_for_status()
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > MAX_ANSWER_BYTES:
                        raise ValueError("too long")
            return json.loads(content)
        except (httpx.HTTPError, ValueError) as error:
            raise self._failed(error) from error

    def _client(self) -> OAuth2Client:
        return OAuth2Client(  # type: ignore[no-untyped-call]
            client_id=self._settings.oidc_client_id,
            client_secret=self._settings.oidc_client_secret,
            token_endpoint_auth_method="client_secret_basic" if self._settings.oidc_client_secret else "none",
            scope=SCOPE,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
            trust_env=False,
            verify=_trusted_authorities(),
        )

    def _failed(self, error: Exception) -> ProviderFailed:
        _log.warning("the sign-in provider could not be used", extra={"error": type(error).__name__})
        return ProviderFailed()
