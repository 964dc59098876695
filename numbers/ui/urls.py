from django.urls import path

from numbers.ui import assistants, bulks, buying, inventory, many, overview, purchases

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("buy", buying.search, name="search"),
    path("buy/results", buying.results, name="search-results"),
    path("buy/confirm", buying.confirm, name="confirm"),
    path("buy/many", many.ask, name="buy-many"),
    path("buy/many/all", bulks.bulks, name="bulks"),
    path("buy/many/confirm/<uuid:key>", many.confirm, name="buy-many-confirm"),
    path("buy/many/<uuid:pk>", bulks.bulk, name="bulk"),
    path("buy/many/<uuid:pk>/stop", bulks.stop, name="bulk-stop"),
    path("purchases", purchases.ledger, name="purchases"),
    path("purchases/<uuid:pk>", purchases.result, name="purchase"),
    path("purchases/<uuid:pk>/look", purchases.look, name="purchase-look"),
    path("purchases/<uuid:pk>/decide", purchases.decide, name="purchase-decide"),
    path("numbers", inventory.numbers, name="numbers"),
    path("numbers/<int:pk>", inventory.number, name="number"),
    path("assistants", assistants.assistants, name="assistants"),
    path("assistants/new", assistants.new, name="assistant-new"),
    path("assistants/<int:pk>", assistants.assistant, name="assistant"),
    path("assistants/<int:pk>/edit", assistants.edit, name="assistant-edit"),
    path("assistants/<int:pk>/delete", assistants.delete, name="assistant-delete"),
    path("assistants/<int:pk>/secret", assistants.secret, name="assistant-secret"),
]
