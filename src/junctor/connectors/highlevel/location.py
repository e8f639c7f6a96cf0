"""The location itself: users, businesses, tags, custom fields and values, links, templates."""

from __future__ import annotations

from typing import Any, Literal

from junctor.connectors.highlevel import lists, probes
from junctor.connectors.highlevel.fields import PHONE_HELP
from junctor.connectors.highlevel.table import (
    In,
    field,
    flag,
    limit_of,
    need,
    number,
    operation,
    texts,
)
from junctor.language.connector import Paging, Probe

SKIP = Paging(style="skip", param="skip")

# Users

USER = need("userId", "User", options=lists.user)
_COMPANY = need("companyId", "Agency (company) ID")
_PERSON = (
    field("phone", "Phone", format="phone", help=PHONE_HELP),
    texts("scopes", "Scopes", advanced=True),
    texts("scopesAssignedToOnly", "Scopes for assigned data only", advanced=True),
    field("permissions", "Permissions", dict[str, bool], advanced=True),
    field("profilePhoto", "Photo", format="uri", advanced=True),
    field("twilioPhone", "Numbers by location", dict[str, Any], advanced=True),
    field("platformLanguage", "Language", example="en_US", advanced=True),
)
Kind = Literal["account", "agency"]
Role = Literal["admin", "user"]
operation(
    "Search users",
    "GET",
    "/users/search",
    "Finds people of an agency.",
    _COMPANY,
    field("query", "Search for"),
    field("type", "Kind", Kind),
    field("role", "Role", Role),
    texts("ids", "User IDs", advanced=True),
    field("sort", "Sort by", example="dateAdded", advanced=True),
    field("sortDirection", "Order", Literal["asc", "desc"], advanced=True),
    flag("enabled2waySync", "With calendar synchronisation", advanced=True),
    limit_of(),
    name="searchUsers",
    items="users",
    search=True,
    location="query",
    paging=Paging(style="skip", param="skip", size=25),
)
operation(
    "Find users by e-mail",
    "POST",
    "/users/search/filter-by-email",
    "Finds people of an agency by their e-mail addresses.",
    _COMPANY,
    need("emails", "E-mails", help="Several with commas."),
    flag("deleted", "Deleted ones", advanced=True),
    name="findUsersByEmail",
    items="users",
    search=True,
)
operation("Get a user", "GET", "/users/{userId}", "Gives a user by ID.", USER, name="getUser")
operation(
    "Create a user",
    "POST",
    "/users/",
    "Creates a person who may use the agency or some of its locations.",
    _COMPANY,
    need("firstName", "First name"),
    need("lastName", "Last name"),
    need("email", "E-mail", format="email"),
    need("password", "Password"),
    need("type", "Kind", Kind),
    need("role", "Role", Role),
    texts("locationIds", "Locations", required=True, options=lists.location),
    *_PERSON,
    name="createUser",
    probe=probes.USER,
)
operation(
    "Update a user",
    "PUT",
    "/users/{userId}",
    "Changes the fields of a user that are filled in.",
    USER,
    field("firstName", "First name"),
    field("lastName", "Last name"),
    field("email", "E-mail", format="email"),
    field("password", "Password", advanced=True),
    field("type", "Kind", Kind),
    field("role", "Role", Role),
    field("companyId", "Agency (company) ID", advanced=True),
    texts("locationIds", "Locations", options=lists.location),
    *_PERSON,
    name="updateUser",
)
operation("Delete a user", "DELETE", "/users/{userId}", "Deletes a user.", USER, name="deleteUser")

# Businesses

BUSINESS = need("businessId", "Business", options=lists.business)
_FIRM = (
    field("phone", "Phone", format="phone", help=PHONE_HELP),
    field("email", "E-mail", format="email"),
    field("website", "Website", format="uri"),
    field("address", "Street"),
    field("city", "City"),
    field("postalCode", "Postal code"),
    field("state", "State"),
    field("country", "Country", help="Two letters.", example="US"),
    field("description", "Description", multiline=True),
)
operation(
    "Get a business",
    "GET",
    "/businesses/{businessId}",
    "Gives a business by its ID.",
    BUSINESS,
    name="getBusiness",
    items="business",
)
operation(
    "Create a business",
    "POST",
    "/businesses/",
    "Creates a business that contacts may belong to.\n\nThe answer has it under `buiseness`, as "
    "the vendor spells it.",
    need("name", "Name"),
    *_FIRM,
    name="createBusiness",
    probe=probes.BUSINESS,
    location="body",
)
operation(
    "Update a business",
    "PUT",
    "/businesses/{businessId}",
    "Changes the fields of a business that are filled in.",
    BUSINESS,
    field("name", "Name"),
    *_FIRM,
    name="updateBusiness",
)
operation(
    "Delete a business",
    "DELETE",
    "/businesses/{businessId}",
    "Deletes a business; its contacts stay.",
    BUSINESS,
    name="deleteBusiness",
)

# Tags

_Row = tuple[str, str, str, str]
"""Label, method, name and help."""


def _kept(
    template: str, item: str, which: In, content: tuple[In, ...], probe: Probe, *rows: _Row
) -> None:
    """What is made, read, changed and deleted by the same few fields."""
    for label, method, name, about in rows:
        operation(
            label,
            method,
            template + ("" if method == "POST" else f"/{{{which.key}}}"),
            about,
            *(() if method == "POST" else (which,)),
            *(content if method in {"POST", "PUT"} else ()),
            name=name,
            items=None if method == "DELETE" else item,
            probe=probe if method == "POST" else None,
            location="path",
        )


_kept(
    "/locations/{locationId}/tags",
    "tag",
    need("tagId", "Tag", options=lists.tag),
    (need("name", "Name"),),
    probes.TAG,
    ("Create a tag", "POST", "createTag", "Creates a tag that contacts may carry."),
    ("Get a tag", "GET", "getTag", "Gives a tag by its ID."),
    ("Rename a tag", "PUT", "updateTag", "Gives a tag another name."),
    ("Delete a tag", "DELETE", "deleteTag", "Deletes a tag."),
)

# Custom fields and values

_FIELD = need("id", "Custom field", options=lists.custom_field)
_SHAPE = (
    field("placeholder", "Placeholder"),
    texts("acceptedFormat", "Accepted files", example=[".pdf"], advanced=True),
    flag("isMultipleFile", "Several files", advanced=True),
    number("maxNumberOfFiles", "Most files", minimum=1, advanced=True),
    field("textBoxListOptions", "Text boxes", list[dict[str, Any]], advanced=True),
    number("position", "Position", advanced=True),
    field("model", "Of", Literal["contact", "opportunity"]),
)
operation(
    "Get a custom field",
    "GET",
    "/locations/{locationId}/customFields/{id}",
    "Gives a custom field by its ID.",
    _FIELD,
    name="getCustomField",
    items="customField",
    location="path",
)
operation(
    "Create a custom field",
    "POST",
    "/locations/{locationId}/customFields",
    "Creates a custom field of contacts or opportunities.",
    need("name", "Name"),
    need(
        "dataType",
        "Type",
        help="Such as TEXT, LARGE_TEXT, NUMERICAL, PHONE, MONETORY, CHECKBOX, SINGLE_OPTIONS, "
        "MULTIPLE_OPTIONS, DATE, TEXTBOX_LIST, FILE_UPLOAD, as the vendor spells them.",
        example="TEXT",
    ),
    *_SHAPE,
    name="createCustomField",
    probe=probes.CUSTOM_FIELD,
    items="customField",
    location="path",
)
operation(
    "Update a custom field",
    "PUT",
    "/locations/{locationId}/customFields/{id}",
    "Changes a custom field.",
    _FIELD,
    need("name", "Name"),
    *_SHAPE,
    name="updateCustomField",
    items="customField",
    location="path",
)
operation(
    "Delete a custom field",
    "DELETE",
    "/locations/{locationId}/customFields/{id}",
    "Deletes a custom field with its values.",
    _FIELD,
    name="deleteCustomField",
    location="path",
)
_kept(
    "/locations/{locationId}/customValues",
    "customValue",
    need("id", "Custom value", options=lists.custom_value),
    (need("name", "Name"), need("value", "Value", multiline=True)),
    probes.CUSTOM_VALUE,
    ("Create a custom value", "POST", "createCustomValue", "Creates a custom value."),
    ("Get a custom value", "GET", "getCustomValue", "Gives a custom value by its ID."),
    ("Update a custom value", "PUT", "updateCustomValue", "Changes a custom value."),
    ("Delete a custom value", "DELETE", "deleteCustomValue", "Deletes a custom value."),
)

# Trigger links

_LINK = need("linkId", "Link", options=lists.link)
_GOES = (need("name", "Name"), need("redirectTo", "Goes to", format="uri"))
operation(
    "Create a trigger link",
    "POST",
    "/links/",
    "Creates a link whose clicks start workflows.",
    *_GOES,
    name="createLink",
    probe=probes.LINK,
    items="link",
    location="body",
)
operation(
    "Update a trigger link",
    "PUT",
    "/links/{linkId}",
    "Changes a trigger link.",
    _LINK,
    *_GOES,
    name="updateLink",
    items="link",
)
operation(
    "Delete a trigger link",
    "DELETE",
    "/links/{linkId}",
    "Deletes a trigger link.",
    _LINK,
    name="deleteLink",
)

# Location and agency

operation(
    "Get a location",
    "GET",
    "/locations/{locationId}",
    "Gives the sub-account with its settings.",
    name="getLocation",
    items="location",
    location="path",
)
operation(
    "Get an agency",
    "GET",
    "/companies/{companyId}",
    "Gives the agency (company) that locations belong to.",
    _COMPANY,
    name="getCompany",
    items="company",
)
operation(
    "List time zones",
    "GET",
    "/locations/{locationId}/timezones",
    "Gives the time zones that a location may have.",
    name="listTimezones",
    location="path",
)
operation(
    "List templates",
    "GET",
    "/locations/{locationId}/templates",
    "Lists the templates of SMS and e-mails.",
    need("originId", "Origin ID", help="The location's, for its own templates."),
    field("type", "Kind", Literal["sms", "email", "whatsapp"]),
    flag("deleted", "Deleted ones", advanced=True),
    limit_of(),
    name="listTemplates",
    items="templates",
    search=True,
    location="path",
    paging=SKIP,
)
