"""How often a key, and all keys and people of an organization together, may ask.

Counted in the cache: per process, unless `CACHE_URL` names one that all share.
"""

from rest_framework.throttling import SimpleRateThrottle


class _Throttle(SimpleRateThrottle):
    """The view's `throttle_scopes` maps an action to `purchase` or `search`; anything else is
    `default`. Each kind of request is counted by itself."""

    suffix = ""

    def __init__(self):
        """The rate depends on the view: `allow_request` finds it."""

    def allow_request(self, request, view) -> bool:
        kind = getattr(view, "throttle_scopes", {}).get(view.action, "default")
        self.scope = f"{kind}{self.suffix}"
        self.rate = self.get_rate()
        self.num_requests, self.duration = self.parse_rate(self.rate)
        return super().allow_request(request, view)

    def get_cache_key(self, request, view) -> str | None:
        """None, which is never throttled, for the few endpoints that need no key."""
        return request.user and f"throttle:{self.scope}:{self.ident(request)}"

    def ident(self, request) -> str:
        raise NotImplementedError


class CallerThrottle(_Throttle):
    """Per API key, or per person."""

    def ident(self, request) -> str:
        return request.user.throttle_ident


class OrganizationThrottle(_Throttle):
    """Per organization: a tenant cannot multiply its share by making more keys."""

    suffix = "_organization"

    def ident(self, request) -> str:
        return str(request.organization.pk)
