from django.urls import path

from numbers.ui import (
    activity,
    assigning,
    buying,
    credentials,
    inventory,
    number,
    organization,
    proof,
    purchases,
    releasing,
    trying,
)

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
    path("settings/credentials", credentials.credentials, name="settings-credentials"),
    path("settings/credentials/add/<provider>", credentials.add, name="settings-credential-add"),
    path("settings/credentials/<int:pk>", credentials.credential, name="settings-credential"),
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
    path("numbers/export", inventory.export, name="numbers-export"),
    path("numbers/assign", assigning.assign_many, name="assign"),
    path("numbers/release", releasing.release, name="release"),
    path("numbers/release/<uuid:key>", releasing.result, name="release-result"),
    path("numbers/<int:pk>", number.number, name="number"),
    path("numbers/<int:pk>/history", number.whole_history, name="number-history"),
    path("numbers/<int:pk>/row", number.row, name="number-row"),
    path("numbers/<int:pk>/name", number.rename, name="number-name"),
    path("numbers/<int:pk>/assistant", number.assign, name="number-assistant"),
    path("numbers/<int:pk>/check", proof.check, name="number-check"),
    path("numbers/<int:pk>/repair", proof.repair, name="number-repair"),
    path("numbers/<int:pk>/restore", proof.restore, name="number-restore"),
    path("numbers/<int:pk>/call", trying.call, name="number-call"),
    path("numbers/<int:pk>/text", trying.text, name="number-text"),
    path("calls", activity.activities, name="calls"),
]
