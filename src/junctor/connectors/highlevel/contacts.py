"""Contacts: the records themselves, their tags, followers and business."""

from __future__ import annotations

from typing import Any, Literal

from junctor.connectors.highlevel import lists, probes
from junctor.connectors.highlevel.account import BASE, V3, highlevel, said
from junctor.connectors.highlevel.fields import (
    COMPANY,
    GENDER,
    MORE,
    PHONE_HELP,
    PROFILE,
    REPLACING,
    contact_id,
    tag_names,
)
from junctor.connectors.highlevel.table import (
    In,
    field,
    flag,
    limit_of,
    need,
    operation,
    texts,
)
from junctor.language.calls import add_api_call
from junctor.language.connector import Paging

operation(
    "Create or update a contact",
    "POST",
    "/contacts/upsert",
    "Updates the contact with this e-mail or phone, or creates one; says which in `new`.\n\n"
    "Which of the two decides is the location's own setting on duplicate contacts.",
    *PROFILE,
    COMPANY,
    REPLACING,
    GENDER,
    *MORE,
    flag(
        "createNewIfDuplicateAllowed",
        "Always create",
        help="A new contact even if there is one, where the location allows duplicates.",
        advanced=True,
    ),
    name="upsertContact",
    probe=probes.UPSERTED_CONTACT,
    effect="idempotent",
    effect_of=lambda given: "once" if given.get("createNewIfDuplicateAllowed") else "idempotent",
    location="body",
    one_of=("email", "phone"),
)
operation(
    "Create a contact",
    "POST",
    "/contacts/",
    "Creates a contact; a duplicate is refused if the location forbids duplicates.",
    *PROFILE,
    COMPANY,
    tag_names(),
    GENDER,
    *MORE,
    name="createContact",
    probe=probes.CONTACT,
    location="body",
)
operation(
    "Update a contact",
    "PUT",
    "/contacts/{contactId}",
    "Changes the fields that are filled in and leaves the others.",
    contact_id(),
    *PROFILE,
    REPLACING,
    *MORE,
    name="updateContact",
    items="contact",
)
operation(
    "Get a contact",
    "GET",
    "/contacts/{contactId}",
    "Gives a contact by its ID.",
    contact_id(),
    name="getContact",
    items="contact",
)
operation(
    "Delete a contact",
    "DELETE",
    "/contacts/{contactId}",
    "Deletes a contact with all that belongs to it.",
    contact_id(),
    name="deleteContact",
)
operation(
    "Find a duplicate contact",
    "GET",
    "/contacts/search/duplicate",
    "Gives the contact with this e-mail or phone, if there is one.",
    field("email", "E-mail", format="email"),
    field("number", "Phone", format="phone", help=PHONE_HELP),
    name="findDuplicateContact",
    items="contact",
    location="query",
    one_of=("email", "number"),
)
operation(
    "List contacts of a business",
    "GET",
    "/contacts/business/{businessId}",
    "Lists the contacts that belong to a business.",
    need("businessId", "Business", options=lists.business),
    field("query", "Search for"),
    limit_of(),
    name="listContactsByBusiness",
    items="contacts",
    search=True,
    location="query",
    paging=Paging(style="skip", param="skip"),
)


def _named(tags: Any) -> Any:
    return [tag for tag in tags if tag] if isinstance(tags, list) else tags


def _some_tags() -> In:
    made = tag_names(required=True)
    return In(key=made.key, hint=made.hint, required=True, sent=_named)


operation(
    "Add tags to a contact",
    "POST",
    "/contacts/{contactId}/tags",
    "Adds tags to a contact and keeps those it has.",
    contact_id(),
    _some_tags(),
    name="addTags",
    effect="idempotent",
    one_of=("tags",),
)
operation(
    "Remove tags from a contact",
    "DELETE",
    "/contacts/{contactId}/tags",
    "Takes tags away from a contact and keeps its others.",
    contact_id(),
    _some_tags(),
    name="removeTags",
    at="body",
    one_of=("tags",),
)
operation(
    "Add or remove tags of many contacts",
    "POST",
    "/contacts/bulk/tags/update/{type}",
    "Adds tags to, or takes them from, many contacts at once.",
    need("type", "What to do", Literal["add", "remove"]),
    texts("contacts", "Contact IDs", required=True),
    _some_tags(),
    flag("removeAllTags", "Remove all tags", help="Only with *remove*.", advanced=True),
    name="updateTagsInBulk",
    effect="idempotent",
    location="body",
)
operation(
    "Put contacts into a business",
    "POST",
    "/contacts/bulk/business",
    "Puts contacts into a business; `erase` in *Business* takes them out of theirs.",
    texts("ids", "Contact IDs", required=True),
    field("businessId", "Business", options=lists.business),
    name="setBusinessInBulk",
    effect="idempotent",
    location="body",
)
for _label, _method, _name in (
    ("Add followers to a contact", "POST", "addContactFollowers"),
    ("Remove followers from a contact", "DELETE", "removeContactFollowers"),
):
    operation(
        _label,
        _method,
        "/contacts/{contactId}/followers",
        f"{_label}: users of the location who follow it.",
        contact_id(),
        texts("followers", "Users", required=True, options=lists.user),
        name=_name,
        effect="idempotent",
        at="body",
    )

add_api_call(
    highlevel,
    base=BASE,
    docs="For example `/contacts/`.",
    example="/contacts/",
    headers={"Version": V3},
    error_text=said,
)
