"""Pages of campaigns, by number: there are thousands of them, not millions."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from devices.api.pagination import SizedPages
from devices.api.queries import number_in


class CampaignPages(SizedPages, PageNumberPagination):
    """Fifty to a page, or as many as are asked for within reason."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_number(self, request: Request, paginator: Any) -> int:
        """Return the number of the page that is asked for; whether there is one is not looked at.

        Raises:
            ValidationError: the query's number is none.
        """
        return number_in(request, self.page_query_param, most=None, default=1)
