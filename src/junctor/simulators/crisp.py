"""A double of Crisp's REST API v1: websites, conversations, messages, people, visitors, hooks.

Routes and bodies follow the vendor's own library for Node (crisp-api 11.3.0, MIT); hooks its pages
on web hooks. What is assumed is said where it stands, above all in `crisp_account`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from junctor.simulators import checks
from junctor.simulators.crisp_content import require
from junctor.simulators.crisp_conversations import PLUGIN, ConversationRoutes, page_of
from junctor.simulators.crisp_document import described
from junctor.simulators.crisp_people import PeopleRoutes
from junctor.simulators.crisp_state import WebsiteState, website
from junctor.simulators.describe import Description
from junctor.simulators.kit import Refused, Route
from junctor.simulators.people import uuid_text
from junctor.simulators.wire import Reply, Request

__all__ = ["PASSWORD", "CrispSimulator"]

PASSWORD = "crisp-demo-password"  # noqa: S105  # of an account that does not exist
"""What a deletion asks for."""

W = "/website/{website_id}"


class CrispSimulator(ConversationRoutes, PeopleRoutes):
    """Crisp, with an account of its own."""

    def routes(self) -> Iterable[Route]:
        """All operations; the note names the tiers that may use each."""
        yield from self.conversation_routes()
        yield from self.people_routes()
        table = (
            ("HEAD", "/website", "check_website", self._exists, PLUGIN),
            ("POST", "/website", "create_website", self._create_website, "user"),
            ("GET", W, "get_website", self._website, PLUGIN),
            ("DELETE", W, "delete_website", self._delete_website, "user"),
            ("DELETE", W + "/expunge", "keep_website", self._keep_website, "user"),
            ("GET", W + "/operators/list", "list_operators", self._operators, PLUGIN),
            ("GET", W + "/operator/{user_id}", "get_operator", self._operator, PLUGIN),
            ("GET", W + "/inboxes/list/{page_number}", "list_inboxes", self._inboxes, PLUGIN),
            ("GET", "/user/account/websites", "list_own_websites", self._own, "user"),
            ("GET", "/plugin/connect/account", "plugin_account", self._plugin, "plugin"),
            (
                "GET",
                "/plugin/connect/websites/all/{page_number}",
                "list_plugin_websites",
                self._plugin_websites,
                "plugin",
            ),
        )
        for method, path, operation, handler, tiers in table:
            yield Route(method=method, path=path, operation=operation, handler=handler, note=tiers)

    def described(self) -> Description:
        """What they take."""
        return described(self.state.websites[self.website_id], tuple(self.tokens), PASSWORD)

    def _exists(self, request: Request) -> Reply:
        wanted = request.query.get("domain", "").lower()
        if not wanted:
            raise Refused(400, "invalid_data", said="domain should not be empty")
        domains = [site.facts["domain"].lower() for site in self.state.websites.values()]
        if wanted not in domains:
            raise Refused(404, "not_found")
        return self.ok("exists")

    def _create_website(self, request: Request) -> Reply:
        body = request.json()
        require(body, {"name": checks.filled, "domain": checks.filled}, ("name", "domain"))
        domains = [site.facts["domain"] for site in self.state.websites.values()]
        if body["domain"] in domains:
            raise Refused(409, "domain_exists")
        made = uuid_text(self.chance)
        site = WebsiteState(website(made, body["name"], body["domain"]), plugin=False)
        self.state.websites[made] = site
        return self.ok("added", {"website_id": made}, 201)

    def _website(self, request: Request) -> Reply:
        return self.ok("resolved", self.site(request).facts)

    def _delete_website(self, request: Request) -> Reply:
        body = request.json()
        shape = {
            "method": checks.one_of("password", "token", "google"),
            "secret": checks.filled,
        }
        require(body, {"verify": checks.mapping}, ("verify",))
        require(body["verify"], shape, ("method", "secret"))
        if body["verify"]["secret"] != PASSWORD:
            raise Refused(403, "invalid_password")
        # Today's API does it some days later and tells the owners meanwhile.
        self.site(request).deletion = True
        return self.ok("scheduled", status=202)

    def _keep_website(self, request: Request) -> Reply:
        self.site(request).deletion = False
        return self.ok("aborted")

    def _operators(self, request: Request) -> Reply:
        return self.ok("listed", self.site(request).operators)

    def _operator(self, request: Request) -> Reply:
        for row in self.site(request).operators:
            if row["details"]["user_id"] == request.params["user_id"]:
                return self.ok("resolved", row["details"])
        raise Refused(404, "operator_not_found")

    def _inboxes(self, request: Request) -> Reply:
        return self.ok("listed", page_of(request, self.site(request).inboxes, size=20))

    def _own(self, _request: Request) -> Reply:
        return self.ok("listed", [site.facts for site in self.state.websites.values()])

    def _plugin(self, _request: Request) -> Reply:
        return self.ok("resolved", {"plugin_id": self.tokens["plugin"][0]})

    def _plugin_websites(self, request: Request) -> Reply:
        rows: list[dict[str, Any]] = [
            {"website_id": site.id, "token": "", "settings": {}}
            for site in self.state.websites.values()
            if site.plugin
        ]
        return self.ok("listed", page_of(request, rows, size=20))
