from django.urls import path

from organizations import views
from organizations.ui import account, audit, event_pages, keys, members, two_factor

urlpatterns = [
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-in/code", views.second_factor, name="second-factor"),
    path("sign-out", views.sign_out, name="sign-out"),
    path("organizations/switch", views.switch_organization, name="switch-organization"),
    path("forgot-password", account.forgot_password, name="forgot-password"),
    path("forgot-password/sent", account.forgot_password_sent, name="forgot-password-sent"),
    path("set-password/<uidb64>/<token>", account.set_password, name="set-password"),
    path("account", account.account, name="account"),
    path("account/password", account.change_password, name="change-password"),
    path("account/two-factor", two_factor.two_factor, name="two-factor"),
    path("account/two-factor/set-up", two_factor.set_up, name="two-factor-set-up"),
    path("account/two-factor/codes", two_factor.codes, name="two-factor-codes"),
    path("account/two-factor/new-codes", two_factor.new_codes, name="two-factor-new-codes"),
    path("account/two-factor/off", two_factor.off, name="two-factor-off"),
    path("settings/api-keys", keys.keys, name="settings-keys"),
    path("settings/api-keys/new", keys.new_key, name="settings-key-new"),
    path("settings/api-keys/<int:pk>", keys.key, name="settings-key"),
    path("settings/api-keys/<int:pk>/made", keys.key_made, name="settings-key-made"),
    path("settings/api-keys/<int:pk>/revoke", keys.revoke, name="settings-key-revoke"),
    path("settings/members", members.members, name="settings-members"),
    path("settings/members/add", members.add, name="settings-member-add"),
    path("settings/members/<int:pk>", members.member, name="settings-member"),
    path("settings/members/<int:pk>/remove", members.remove, name="settings-member-remove"),
    path("settings/members/<int:pk>/invite", members.invite, name="settings-member-invite"),
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
    path("audit", audit.log, name="audit"),
    path("audit.csv", audit.export, name="audit-csv"),
]
