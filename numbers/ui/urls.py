from django.urls import path

from numbers.ui import buying, credentials, inventory, organization, purchases

_CREDENTIAL = "settings/credentials/<int:pk>"

urlpatterns = [
    path("", inventory.overview, name="overview"),
    path("buy", buying.search, name="search"),
    path("buy/results", buying.results, name="search-results"),
    path("buy/confirm", buying.confirm, name="confirm"),
    path("purchases", purchases.ledger, name="purchases"),
    path("purchases/<uuid:pk>", purchases.result, name="purchase"),
    path("purchases/<uuid:pk>/look", purchases.look, name="purchase-look"),
    path("purchases/<uuid:pk>/decide", purchases.decide, name="purchase-decide"),
    path("numbers", inventory.numbers, name="numbers"),
    path("numbers/<int:pk>", inventory.number, name="number"),
    path("settings/credentials", credentials.credentials, name="settings-credentials"),
    path("settings/credentials/add/<provider>", credentials.add, name="settings-credential-add"),
    path(_CREDENTIAL, credentials.credential, name="settings-credential"),
    path(
        "settings/credentials/<int:pk>/check", credentials.check, name="settings-credential-check"
    ),
    path(
        "settings/credentials/<int:pk>/secret",
        credentials.replace_secret,
        name="settings-credential-secret",
    ),
    path(
        "settings/credentials/<int:pk>/default",
        credentials.make_default,
        name="settings-credential-default",
    ),
    path(
        "settings/credentials/<int:pk>/disable",
        credentials.disable,
        name="settings-credential-disable",
    ),
    path(
        "settings/credentials/<int:pk>/enable",
        credentials.enable,
        name="settings-credential-enable",
    ),
    path("settings/organization", organization.organization, name="settings-organization"),
]
