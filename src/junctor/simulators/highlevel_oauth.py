"""HighLevel's OAuth 2.0, simulated: its page (which agrees at once), tokens and their renewal.

Addresses, names and lives follow the vendor's page *Authorization* and ``apps/oauth.json`` (CC0):
a refresh token is good for one use, an access token for a day, a code for ten minutes and one use.
Assumed, because the vendor does not say: a code verifier is checked if a challenge was sent; the
refusals are those of RFC 6749 §5.2; what is obtained with ``user_type`` *Company* is an agency's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from junctor.simulators.admin import body_as
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import Refused, Route
from junctor.simulators.people import text_id
from junctor.simulators.wire import Reply, Request

__all__ = ["HighLevelOAuthSimulator"]

DAY = 86_399
CODE_LIFE = 600
_OPEN = frozenset({"authorize", "get-access-token"})
_SNAKE = {
    "clientId": "client_id",
    "clientSecret": "client_secret",
    "grantType": "grant_type",
    "refreshToken": "refresh_token",
    "userType": "user_type",
    "redirectUri": "redirect_uri",
    "codeVerifier": "code_verifier",
}
_CAMEL = {
    "access_token": "accessToken",
    "token_type": "tokenType",
    "expires_in": "expiresIn",
    "refresh_token": "refreshToken",
}


class _OAuthBody(msgspec.Struct, forbid_unknown_fields=True):
    expire: bool = False
    """All access tokens end now."""
    revoke: bool = False
    """The app is uninstalled: no token is good any more."""
    life: int | None = None
    """Seconds that access tokens last from now on."""


@dataclass(frozen=True, slots=True)
class _Code:
    client_id: str
    redirect_uri: str
    scope: str
    challenge: str
    ends: float


@dataclass(frozen=True, slots=True)
class _Access:
    user_type: str
    scope: str
    ends: float


class HighLevelOAuthSimulator(HighLevelSimulator):
    """HighLevel with an app in its marketplace, which a location and its agency may allow."""

    def populate(self) -> None:
        """As before; nothing is allowed yet."""
        super().populate()
        seed = hashlib.sha256(f"app {self._token}".encode()).hexdigest()
        self.client_id = f"{seed[:24]}-{seed[24:32]}"
        self.client_secret = f"{seed[32:40]}-{seed[40:52]}"
        self.company_id = text_id(self.chance)
        self.life = DAY
        self.renewals = 0
        """Refresh tokens that were taken."""
        self.refused_renewals = 0
        """Refresh tokens that were sent again, or never were good."""
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, tuple[str, str]] = {}

    @property
    def app_id(self) -> str:
        """Of the app that is allowed here."""
        return self.client_id.partition("-")[0]

    @property
    def credentials(self) -> dict[str, str]:
        """Also ``client_id`` and ``client_secret`` of the app, and the agency's ``company_id``."""
        return {
            **super().credentials,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "company_id": self.company_id,
        }

    def snapshot(self) -> dict[str, Any]:
        """Also how often tokens were renewed; never a token."""
        counts = {"renewals": self.renewals, "refused_renewals": self.refused_renewals}
        return {**super().snapshot(), "oauth": counts}

    def routes(self) -> Iterable[Route]:
        """Also those of OAuth."""
        yield from super().routes()
        table = (
            ("GET", "/v2/oauth/chooselocation", "authorize", self._authorize),
            ("GET", "/oauth/chooselocation", "authorize", self._authorize),
            ("POST", "/oauth/token", "get-access-token", self._token_for),
            ("POST", "/oauth/locationToken", "get-location-access-token", self._location_token),
            ("POST", "/oauth/location-token", "get-location-access-token", self._location_token),
            ("GET", "/oauth/installedLocations", "get-installed-location", self._installed),
            ("GET", "/oauth/installed-locations", "get-installed-location", self._installed_v3),
            ("GET", "/companies/{companyId}", "get-company", self._company),
        )
        for method, path, operation, handler in table:
            yield Route(
                method=method, path=path, operation=operation, handler=handler, note="2021-07-28"
            )

    def admin_routes(self) -> Iterable[Route]:
        """Also ``POST /_sim/oauth``: ends or revokes what was allowed, or makes tokens short."""
        yield from super().admin_routes()
        yield Route(
            method="POST", path="/_sim/oauth", operation="oauth", handler=self._change_oauth
        )

    def admit(self, request: Request, route: Route | None) -> tuple[tuple[str, str], ...]:
        """Tokens of the app are as good as the private one, for their scopes and their time."""
        if route is not None and route.operation in _OPEN:
            return ()
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        access = self._access.get(value)
        agency = route is not None and (
            route.path.startswith("/oauth/") or route.operation == "get-company"
        )
        if kind != "Bearer" or access is None:
            # A private token may be an agency's own; the double's one is of both kinds.
            if agency and route is not None and route.operation != "get-company":
                raise Refused(401, "Invalid token: access token is invalid")
            return super().admit(request, route)
        if access.ends <= self.clock.now():
            raise Refused(401, "The access token is expired")
        if (access.user_type == "Company") != agency:
            raise Refused(401, "The token is not authorized for this access level")
        if route is not None:
            self._check_scope(route, access)
        headers = {**request.headers, "authorization": f"Bearer {self._token}"}
        return super().admit(replace(request, headers=headers), route)

    def _check_scope(self, route: Route, access: _Access) -> None:
        looks = route.method == "GET" or route.path.endswith("/search")
        verb = "readonly" if looks else "write"
        if route.path.startswith("/contacts"):
            wanted = f"contacts.{verb}"
        elif route.path.startswith("/calendars/events"):
            wanted = f"calendars/events.{verb}"
        elif route.operation == "get-location-access-token":
            wanted = "oauth.write"
        else:
            return
        if wanted not in access.scope.split():
            raise Refused(401, "The token is not authorized for this scope.")

    # The page and the tokens.

    def _authorize(self, request: Request) -> Reply:
        query = request.query
        target = urlsplit(query.get("redirect_uri", ""))
        if query.get("client_id") != self.client_id:
            raise Refused(400, "Invalid client_id")
        if target.scheme not in {"http", "https"} or not target.hostname or target.fragment:
            raise Refused(400, "Invalid redirect_uri")
        back = dict(parse_qsl(target.query))
        if query.get("state"):
            back["state"] = query["state"]
        if query.get("response_type") != "code":
            back["error"] = "unsupported_response_type"
        elif not query.get("scope"):
            back |= {"error": "invalid_scope", "error_description": "No scope was asked for."}
        else:
            code = self._secret()
            self._codes[code] = _Code(
                self.client_id,
                query["redirect_uri"],
                query["scope"],
                query.get("code_challenge", ""),
                self.clock.now() + CODE_LIFE,
            )
            back["code"] = code
        where = urlunsplit(target._replace(query=urlencode(back)))
        return Reply(302, headers=(("location", where),), content_type="text/html")

    def _token_for(self, request: Request) -> Reply:
        v3 = request.headers.get("version") == "v3"
        given = _fields(request, v3=v3)
        if (given.get("client_id"), given.get("client_secret")) != (
            self.client_id,
            self.client_secret,
        ):
            return _refuse(401, "invalid_client", "Client authentication failed.")
        if given.get("grant_type") == "authorization_code":
            code = self._codes.pop(given.get("code", ""), None)
            if code is None or code.ends <= self.clock.now():
                return _refuse(400, "invalid_grant", "The code is invalid, used or expired.")
            if given.get("redirect_uri") != code.redirect_uri:
                return _refuse(400, "invalid_grant", "redirect_uri differs.")
            if code.challenge and _challenge(given.get("code_verifier", "")) != code.challenge:
                return _refuse(400, "invalid_grant", "code_verifier is wrong.")
            user_type, scope = given.get("user_type") or "Location", code.scope
            self.emit("AppInstall", {"companyId": self.company_id})
        elif given.get("grant_type") == "refresh_token":
            found = self._refresh.pop(given.get("refresh_token", ""), None)
            if found is None:
                self.refused_renewals += 1
                return _refuse(400, "invalid_grant", "This refresh token is invalid")
            self.renewals += 1
            user_type, scope = found
        else:
            return _refuse(400, "unsupported_grant_type", "")
        if user_type not in {"Location", "Company"}:
            return _refuse(400, "invalid_request", "user_type must be Location or Company")
        return self._issue(user_type, scope, v3=v3, refresh=True)

    def _location_token(self, request: Request) -> Reply:
        v3 = request.headers.get("version") == "v3"
        given = _fields(request, v3=v3)
        if given.get("companyId") != self.company_id:
            raise Refused(400, "companyId is invalid")
        if given.get("locationId") != self.location_id:
            raise Refused(400, "The app is not installed in this location")
        kind = request.headers["authorization"].partition(" ")[2]
        return self._issue("Location", self._access[kind].scope, v3=v3, refresh=v3)

    def _issue(self, user_type: str, scope: str, *, v3: bool, refresh: bool) -> Reply:
        token = self._secret()
        self._access[token] = _Access(user_type, scope, self.clock.now() + self.life)
        body: dict[str, Any] = {
            "access_token": token,
            "token_type": "Bearer",
            # In the client's time, as everything that it is told.
            "expires_in": max(1, round(self.life / self.clock.factor)),
            "scope": scope,
            "userType": user_type,
            "companyId": self.company_id,
            "userId": text_id(self.chance),
        }
        if refresh:
            body["refresh_token"] = self._secret()
            self._refresh[body["refresh_token"]] = (user_type, scope)
        if user_type == "Location":
            body["locationId"] = self.location_id
        if v3:
            body = {_CAMEL.get(name, name): value for name, value in body.items()}
        return self._ok(body)

    def _installed(self, request: Request) -> Reply:
        if request.query.get("companyId") != self.company_id:
            raise Refused(422, ["companyId is invalid"])
        row = {"_id": self.location_id, "name": "Simulated location", "isInstalled": True}
        return self._ok({"locations": [row], "count": 1, "installToFutureLocations": False})

    def _installed_v3(self, request: Request) -> Reply:
        """The newer envelope of pages: items and pagination."""
        if request.query.get("companyId") != self.company_id:
            raise Refused(422, ["companyId is invalid"])
        name, address = "Simulated location", "1 Main St, New York, NY"
        row = {"_id": self.location_id, "name": name, "address": address, "isInstalled": True}
        about = {"totalRecords": 1, "hasNextPage": False, "hasPrevPage": False}
        return self._ok({"items": [row], "pagination": {**about, "currentPageSize": 1}})

    def _company(self, request: Request) -> Reply:
        if request.params["companyId"] != self.company_id:
            raise Refused(404, "Company not found")
        return self._ok({"company": {"id": self.company_id, "name": "Simulated agency"}})

    def _change_oauth(self, request: Request) -> Reply:
        body = body_as(request, _OAuthBody)
        if body.life is not None:
            self.life = body.life
        if body.expire or body.revoke:
            self._access = {key: replace(row, ends=0.0) for key, row in self._access.items()}
        if body.revoke:
            self.revoke()
        return Reply.json(self.snapshot()["oauth"])

    def revoke(self) -> None:
        """The app is uninstalled: no token and no code is good any more."""
        self._access.clear()
        self._refresh.clear()
        self._codes.clear()
        self.emit("AppUninstall", {})

    @property
    def tokens(self) -> frozenset[str]:
        """All that are good now, and what must be found nowhere else."""
        return frozenset(self._access) | frozenset(self._refresh)

    def _secret(self) -> str:
        return base64.urlsafe_b64encode(self.chance.randbytes(30)).decode()


def _fields(request: Request, *, v3: bool) -> dict[str, str]:
    """A form, or JSON as its v3 also takes; names as in its date versions."""
    if request.headers.get("content-type", "").startswith("application/json"):
        found = {name: str(value) for name, value in request.json().items()}
    else:
        found = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    return {_SNAKE.get(name, name): value for name, value in found.items()} if v3 else found


def _refuse(status: int, error: str, description: str) -> Reply:
    return Reply.json({"error": error, "error_description": description}, status)


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
