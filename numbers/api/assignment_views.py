"""Which assistant has which number: the organization's lists, and assigning, under
`/api/v1/assistants`."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from burki.errors import InvalidRequest
from burki.fields import validated
from burki.filters import filtered
from burki.paging import SkipPagination
from numbers.api import assignment_schema as schema
from numbers.api.assignment_filters import OrganizationNumbersFilter
from numbers.api.assignment_serializers import (
    AssignByNumberRequest,
    AssignToRequest,
    ChangeRequest,
    UnassignByNumberRequest,
    assigned_answer,
    assigned_by_number_answer,
    bulk_answer,
    unassigned_answer,
    unassigned_by_number_answer,
)
from numbers.api.caller_id_serializers import caller_id_item
from numbers.api.serializers import PhoneNumberSerializer
from numbers.models import PhoneNumber, VerifiedCallerId
from numbers.services.assigning import (
    assign_by_number,
    assign_number,
    bulk_assign,
    find_assistant,
    find_number,
    unassign_by_number,
    unassign_number,
    update_number,
)
from organizations.permissions import NUMBERS_READ, NUMBERS_WRITE


class NumberListViewSet(GenericViewSet):
    """Bare arrays, newest first, page by page."""

    pagination_class = SkipPagination
    operations = schema.LISTS
    required_scopes = {
        "organization": NUMBERS_READ,
        "available": NUMBERS_READ,
        "of_assistant": NUMBERS_READ,
    }

    def organization(self, request) -> Response:
        """The organization's numbers; or, with `is_verified_caller_id=true`, its verified caller
        ids."""
        rows = filtered(OrganizationNumbersFilter, self._numbers(), request.query_params)
        if request.query_params.get("is_verified_caller_id", "").lower() in ("true", "1"):
            rows = VerifiedCallerId.objects.filter(organization=request.organization)
            return self._page(rows, caller_id_item)
        return self._page(rows, PhoneNumberSerializer().to_representation)

    def available(self, request, assistant_id: int | None = None) -> Response:
        """The active numbers that no assistant has."""
        if assistant_id is not None:
            find_assistant(request.organization, assistant_id)
        rows = self._numbers().filter(status=PhoneNumber.Status.ACTIVE, assistant=None)
        return self._page(rows, PhoneNumberSerializer().to_representation)

    def of_assistant(self, request, assistant_id: int) -> Response:
        """The assistant's numbers."""
        assistant = find_assistant(request.organization, assistant_id)
        rows = self._numbers().live().filter(assistant=assistant)
        return self._page(rows, PhoneNumberSerializer().to_representation)

    def _numbers(self) -> QuerySet:
        return PhoneNumber.objects.visible_to(self.request.organization).select_related("assistant")

    def _page(self, rows: QuerySet, told: Callable[[Any], dict[str, Any]]) -> Response:
        return self.get_paginated_response([told(row) for row in self.paginate_queryset(rows)])


class AssignmentViewSet(ViewSet):
    """Assistants and numbers of the caller's organization; others are not found."""

    operations = schema.ASSIGNMENT
    required_scopes = {
        "change": NUMBERS_WRITE,
        "assign": NUMBERS_WRITE,
        "assign_to": NUMBERS_WRITE,
        "unassign": NUMBERS_WRITE,
        "bulk_assign": NUMBERS_WRITE,
        "assign_by_number": NUMBERS_WRITE,
        "unassign_by_number": NUMBERS_WRITE,
    }

    def change(self, request, number_id: int) -> Response:
        """Rename a number, or give it to an assistant (0: to none)."""
        wanted = validated(ChangeRequest, request.data)
        number = update_number(
            actor=request.user,
            organization=request.organization,
            number=find_number(request.organization, number_id),
            **wanted,
        )
        return Response(
            {
                "success": True,
                "message": f"Phone number {number} updated successfully",
                "phone_number": PhoneNumberSerializer(number).data,
            }
        )

    def assign(self, request, assistant_id: int, number_id: int) -> Response:
        """Give a number to an assistant, also when another one has it."""
        return Response(assigned_answer(self._assign(assistant_id, number_id)))

    def assign_to(self, request, number_id: int) -> Response:
        """The same, with the assistant in the body."""
        wanted = validated(AssignToRequest, request.data)
        return Response(assigned_answer(self._assign(wanted["assistantId"], number_id)))

    def _assign(self, assistant_id: int, number_id: int):
        return assign_number(
            actor=self.request.user,
            organization=self.request.organization,
            assistant_id=assistant_id,
            number_id=number_id,
        )

    def unassign(self, request, number_id: int, assistant_id: int | None = None) -> Response:
        """Take a number from an assistant."""
        done = unassign_number(
            actor=request.user,
            organization=request.organization,
            assistant_id=assistant_id,
            number_id=number_id,
        )
        return Response(unassigned_answer(done))

    def bulk_assign(self, request, assistant_id: int) -> Response:
        """Give many numbers to an assistant: a JSON array of their ids."""
        ids = request.data if isinstance(request.data, list) else []
        if not all(type(number_id) is int and number_id >= 1 for number_id in ids):
            raise InvalidRequest("Phone number IDs must be positive integers (e.g., [1, 2])")
        done = bulk_assign(
            actor=request.user,
            organization=request.organization,
            assistant_id=assistant_id,
            number_ids=ids,
        )
        return Response(bulk_answer(done))

    def assign_by_number(self, request, assistant_id: int) -> Response:
        """Give a number to an assistant unless another one has it; adopt it first if only the
        organization's own provider account has it."""
        wanted = validated(AssignByNumberRequest, request.data)
        done = assign_by_number(
            actor=request.user,
            organization=request.organization,
            assistant_id=assistant_id,
            **wanted,
        )
        return Response(assigned_by_number_answer(done))

    def unassign_by_number(self, request, assistant_id: int) -> Response:
        wanted = validated(UnassignByNumberRequest, request.data)
        done = unassign_by_number(
            actor=request.user,
            organization=request.organization,
            assistant_id=assistant_id,
            **wanted,
        )
        return Response(unassigned_by_number_answer(done))
