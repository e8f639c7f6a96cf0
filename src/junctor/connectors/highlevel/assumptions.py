"""What HighLevel does not publish or says in two ways, in one place.

Each can be overridden where it matters: by a hook's settings, or with *Make an API call*.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

__all__ = [
    "APPOINTMENTS_AHEAD",
    "BARE",
    "EARLY",
    "ENVELOPE",
    "HOOK_MAX_AGE",
    "LATE",
    "LIKE",
    "PUBLIC_KEY",
    "RSA_KEY",
]

PUBLIC_KEY = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="
"""HighLevel's Ed25519 key for webhooks, from its integration guide (SubjectPublicKeyInfo)."""

RSA_KEY = (
    "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSCFrm602qYV0MaAiNnX9O8KxMbiyRKWeL9"
    "JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfB"
    "csedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpvuxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4pe"
    "KaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKU"
    "J062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXpIocmaiFeAO6fUtNjDeFVkhf5LNb59vEC"
    "yrHD2SQIrhgXpO4Q3dVNA5rw576PwTzNh/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhC"
    "HULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJPQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXC"
    "su9aTEGEnKzmsFqwcSsnw3JB31IGKAykT1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ=="
)
"""Its older RSA key, from docs/oauth/WebhookAuthentication.md of the vendor's repository."""

HOOK_MAX_AGE = 7 * 24 * 3600
"""Seconds that an event may be old. The vendor tries up to twelve times with growing waits, and
whether it stamps a repetition anew is unknown; so an event is refused only when it is older than
the seven days for which its `webhookId` is remembered, and a replay is a duplicate until then."""

APPOINTMENTS_AHEAD = timedelta(days=366)
"""How far ahead of now appointments are looked at by gap repair: HighLevel lists them by when they
take place, and how long a span it takes is not said."""

EARLY = timedelta(minutes=1)
"""How much earlier than our clock says something may be dated at HighLevel: clocks differ."""
LATE = timedelta(minutes=5)
"""How much later: a request may wait there before it is carried out."""

ENVELOPE = ("timestamp", "webhookId", "appId", "versionId")
"""What every event has besides its own fields since 2025; its pages' examples are older and do not
show it."""

BARE = ("type", "locationId", "id")
"""Fields of an event whose page was not to be had, and that resembles no other."""

LIKE: Mapping[str, str] = {
    "AppUpdate": "AppInstall",
    "ConversationUpdate": "ConversationUnreadWebhook",
    "UserUpdate": "UserCreate",
    "UserDelete": "UserCreate",
}
"""Events whose page was not to be had, and the one whose fields they are taken to have."""
