"""Every address. Phone-number routes are served under `/` and under `/api/v1/` alike."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from burki import operations
from burki.api import no_such_address
from numbers.api.urls import neighbours
from numbers.api.urls import urlpatterns as number_routes
from numbers.webhooks.urls import urlpatterns as webhook_routes
from organizations.api.urls import urlpatterns as organization_routes

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", operations.healthz),
    path("readyz", operations.readyz),
    path("metrics", operations.prometheus),
    path("admin/", admin.site.urls),
    *webhook_routes,
    path("", include(number_routes)),
    path("api/v1/", include((number_routes, "v1"))),
    *neighbours,
    *organization_routes,
    re_path(r"^(?:api|phone-numbers)/", no_such_address),
]

handler400 = "burki.api.bad_request"
handler403 = "burki.api.permission_denied"
handler404 = "burki.api.not_found"
handler500 = "burki.api.server_error"
