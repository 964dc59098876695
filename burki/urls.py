"""Every address. Phone-number routes are served under `/` and under `/api/v1/` alike; the staff
pages are at the root."""

from django.contrib import admin
from django.urls import include, path, re_path

from assistants.api.urls import urlpatterns as assistant_routes
from burki import operations
from burki.api import no_such_address
from burki.docs import urlpatterns as docs
from numbers.api.urls import neighbours
from numbers.api.urls import urlpatterns as number_routes
from numbers.ui.urls import urlpatterns as staff_pages
from numbers.webhooks.urls import urlpatterns as webhook_routes
from organizations.api.urls import urlpatterns as organization_routes
from organizations.urls import urlpatterns as sign_in_pages
from organizations.views import admin_sign_in

admin.site.login = admin_sign_in
admin.site.site_header = admin.site.site_title = "Burki Numbers"
admin.site.index_title = "Administration"

urlpatterns = [
    # First what is asked most.
    *webhook_routes,
    path("", include(number_routes)),
    path("api/v1/", include((number_routes, "v1"))),
    path("", include(staff_pages)),
    path("", include(sign_in_pages)),
    path("healthz", operations.healthz),
    path("readyz", operations.readyz),
    path("metrics", operations.prometheus),
    path("admin/", admin.site.urls),
    *docs,
    *neighbours,
    path("api/v1/", include(assistant_routes)),
    *organization_routes,
    # Placing calls and sending messages is not offered: programs get an answer that they can read.
    re_path(r"^(?:(?:api|phone-numbers|sms)/|calls/initiate)", no_such_address),
]

handler400 = "burki.api.bad_request"
handler403 = "burki.api.permission_denied"
handler404 = "burki.api.not_found"
handler500 = "burki.api.server_error"
