"""The page behind an e-mail's unsubscribe link: a look changes nothing, its button does.

Mail programs post to the same address on their reader's behalf (RFC 8058), without any cookie.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.notifications import unsubscribing


@csrf_exempt  # the signed link is the permission, and a mail program has no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show whether e-mails go to the link's address; by POST, end or resume them."""
    address = unsubscribing.address_in(token)
    if address is None:
        return render(request, "notifications/unsubscribe.html", {"address": ""}, status=404)
    if request.method == "POST":
        if "again" in request.POST:
            unsubscribing.subscribe_again(address)
        else:
            unsubscribing.unsubscribe(address, now=timezone.now())
    gone = unsubscribing.is_unsubscribed(address)
    page = {"address": address, "is_unsubscribed": gone}
    answer = render(request, "notifications/unsubscribe.html", page)
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address in the bar is the permission
    return answer
