"""What numbers cost, which nobody uses, and what others would cost: to read, or as a file."""

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from burki.filters import chosen, filtered
from burki.moments import MomentPagination, walk
from burki.spreadsheet import csv_file, csv_stream
from numbers.api import report_answers as answers
from numbers.api import report_schema as schema
from numbers.filters import PriceComparisonFilter, SpendingFilter, UnusedFilter
from numbers.models import PhoneNumber
from numbers.services import spending
from numbers.services.costs.comparison import Place, compare_prices
from numbers.services.costs.spending_report import SpendingReport, spending_report
from numbers.services.costs.unused import savings, unused_numbers
from organizations.permissions import NUMBERS_READ


class _Reports(GenericViewSet):
    """What both ways of asking share."""

    ordered_by = "unused_since"
    required_scopes = {name: NUMBERS_READ for name in ("spending", "unused", "price_comparison")}

    def _spending(self) -> SpendingReport:
        return spending_report(
            self.request.organization, **chosen(SpendingFilter, self.request.query_params)
        )

    def _unused(self) -> QuerySet[PhoneNumber]:
        numbers = unused_numbers(self.request.organization).select_related("assistant")
        return filtered(UnusedFilter, numbers, self.request.query_params)

    def _places(self) -> list[Place]:
        wanted = chosen(PriceComparisonFilter, self.request.query_params)
        return compare_prices(self.request.organization, **wanted)


class ReportViewSet(_Reports):
    """Reports on what numbers cost."""

    pagination_class = MomentPagination
    operations = schema.REPORTS

    def spending(self, request) -> Response:
        """What the numbers cost in each month."""
        limit = spending.allowance(request.organization)
        return Response(answers.spending_answer(self._spending(), limit))

    def unused(self, request) -> Response:
        """Active numbers without calls and messages, longest ago first."""
        numbers, now = self._unused(), timezone.now()
        page = self.paginate_queryset(numbers)
        response = self.get_paginated_response([answers.unused_answer(row, now) for row in page])
        totals = [answers.saving_answer(saving) for saving in savings(numbers)]
        return Response({"totals": totals} | response.data)

    def price_comparison(self, request) -> Response:
        """What the providers offered in each place."""
        return Response({"items": [answers.place_answer(place) for place in self._places()]})


class _CsvRenderer(JSONRenderer):
    """Tells that text/csv can be asked for. The file is made by the view; errors are JSON."""

    media_type = "text/csv"


class ReportFileViewSet(_Reports):
    """The same reports for a spreadsheet, each as one whole file."""

    operations = schema.REPORT_FILES
    renderer_classes = [_CsvRenderer]

    def spending(self, request) -> HttpResponse:
        """Each row is a month, provider, assistant and currency."""
        rows = answers.spending_rows(self._spending())
        return csv_file("spending", answers.SPENDING_COLUMNS, rows)

    def unused(self, request) -> HttpResponseBase:
        """Each row is a number, however many there are. One that is used while the file is on its
        way may be left out."""
        found = walk(self._unused(), self.ordered_by, answers.unused_told(timezone.now()))
        return csv_stream("unused-numbers", answers.UNUSED_COLUMNS, answers.unused_rows(found))

    def price_comparison(self, request) -> HttpResponse:
        """Each row is a place and a provider."""
        rows = answers.comparison_rows(self._places())
        return csv_file("price-comparison", answers.COMPARISON_COLUMNS, rows)

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        json = JSONRenderer()
        self.request.accepted_renderer = json
        self.request.accepted_media_type = json.media_type
        return response
