"""Pages of campaigns, by number: there are thousands of them, not millions."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination


class CampaignPages(PageNumberPagination):
    """Fifty to a page, or as many as are asked for within reason."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
