"""Whoever leaves out the slash at the end of an address is led there with what they sent."""

from __future__ import annotations

import functools

from django.http import HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware


class CommonMiddlewareKeepingRequests(CommonMiddleware):
    """Redirects with 308, after which clients send method and body again.

    After Django's 301 most of them make a GET of a POST: whoever creates a campaign without the
    slash would be answered with a list, by 200.
    """

    response_redirect_class = functools.partial(  # type: ignore[assignment]  # made like the class
        HttpResponsePermanentRedirect, preserve_request=True
    )
