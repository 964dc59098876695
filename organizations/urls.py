from django.urls import path

from organizations import event_pages, views

urlpatterns = [
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-out", views.sign_out, name="sign-out"),
    path("organizations/switch", views.switch_organization, name="switch-organization"),
    path("settings/events", event_pages.overview, name="events"),
    path("settings/events/add", event_pages.add, name="event-endpoint-add"),
    path("settings/events/endpoints/<int:pk>", event_pages.endpoint, name="event-endpoint-page"),
    *[
        path(f"settings/events/endpoints/<int:pk>/{verb}", view, name=f"event-endpoint-{verb}-page")
        for verb, view in (
            ("rotate", event_pages.rotate),
            ("test", event_pages.test),
            ("enable", event_pages.enable),
            ("disable", event_pages.disable),
            ("delete", event_pages.delete),
        )
    ],
    path("settings/events/<uuid:pk>", event_pages.event, name="event"),
    path("settings/events/<uuid:pk>/again", event_pages.again, name="event-again"),
]
