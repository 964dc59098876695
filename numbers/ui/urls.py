from django.urls import path

from numbers.ui import buying, costs, inventory, purchases

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
    path("numbers/unused", costs.unused, name="unused-numbers"),
    path("spending", costs.spending, name="spending"),
    path("numbers/<int:pk>", inventory.number, name="number"),
]
