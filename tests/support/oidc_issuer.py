"""A small OpenID Connect provider on loopback: real HTTP, real signatures, and lies on request."""

import base64
import contextlib
import functools
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from processor.simulator.server import stop_serving

CLIENT_ID, CLIENT_SECRET = "our-client", "hush-of-the-client"


@functools.cache
def _issuer_key() -> RSAKey:
    """The key of all providers of this process; making one takes longer than most tests."""
    return RSAKey.generate_key(2048, auto_kid=True)


class Issuer:
    """Authorises everybody; ``claims`` are added to ID tokens, ``key`` signs them.

    Documents have ``padding`` blanks in front, of which ``padded`` were sent.
    """

    def __init__(self) -> None:
        self.key = self.published = _issuer_key()
        self.claims: dict[str, Any] = {"groups": ["ops"], "email": "anna@bank.example"}
        self.asked: dict[str, dict[str, str]] = {}
        self.redeemed: list[str] = []
        self.padding, self.padded = 0, 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("/openid-configuration"):
                    self.answer(issuer.metadata())
                else:
                    self.answer(KeySet([issuer.published]).as_dict(private=False))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                status, answer = issuer.token(form, self.headers.get("Authorization", ""))
                self.answer(answer, status)

            def answer(self, body: Any, status: int = 200) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(issuer.padding + len(data)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    while issuer.padded < issuer.padding:
                        issuer.padded += self.wfile.write(b" " * 65_536)
                    self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        stop_serving(self._server)
        self._server.server_close()
        self._thread.join()

    def metadata(self) -> dict[str, str]:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return {"issuer": self.url, **{name: f"{self.url}/{name}" for name in names}}

    def authorize(self, address: str) -> dict[str, str]:
        """What the browser brings back from ``address``."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        return {"code": code, "state": asked["state"]}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        login = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self.asked.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or authorization != f"Basic {login}" or challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": "0815",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "email_verified": True,
            **self.claims,
        }
        header = {"alg": "RS256", "kid": self.published.kid}
        id_token = jwt.encode(header, claims, self.key)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": id_token}
