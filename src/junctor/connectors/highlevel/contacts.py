"""Contacts with their tags and notes."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from junctor.connectors.highlevel.account import BASE, LOCATION, VERSION, highlevel, said
from junctor.errors import BundleInvalid
from junctor.language.calls import add_api_call
from junctor.language.connector import Field, Request, path

HEADERS = {"Version": VERSION}

Text = str | None
"""``erase`` in a mapping clears the field at HighLevel; an empty value leaves it as it is."""


class CustomField(TypedDict, total=False):
    """One custom field, by id or key."""

    id: Annotated[str, Field(label="ID")]
    key: Annotated[str, Field(label="Key")]
    field_value: Annotated[Any, Field(label="Value")]


Contact = Annotated[str, Field(label="Contact ID", key="contactId")]
FirstName = Annotated[Text, Field(label="First name", key="firstName")]
LastName = Annotated[Text, Field(label="Last name", key="lastName")]
Name = Annotated[Text, Field(label="Name")]
Email = Annotated[Text, Field(label="E-mail", format="email")]
Phone = Annotated[
    Text,
    Field(
        label="Phone",
        help="Without a country code it belongs to the connection's country.",
        example="+15551234567",
        format="phone",
    ),
]
Tags = Annotated[
    list[str] | None,
    Field(
        label="Tags",
        help="Replaces all tags of an existing contact; *Add tags* keeps the others.",
        advanced=True,
    ),
]
Source = Annotated[Text, Field(label="Source", example="Toky")]
Company = Annotated[Text, Field(label="Company name", key="companyName")]
Assigned = Annotated[Text, Field(label="Assigned to (user ID)", key="assignedTo", advanced=True)]
Street = Annotated[Text, Field(label="Street", key="address1", advanced=True)]
City = Annotated[Text, Field(label="City", advanced=True)]
State = Annotated[Text, Field(label="State", advanced=True)]
PostalCode = Annotated[Text, Field(label="Postal code", key="postalCode", advanced=True)]
Country = Annotated[Text, Field(label="Country", help="Two letters.", advanced=True)]
Website = Annotated[Text, Field(label="Website", format="uri", advanced=True)]
Timezone = Annotated[Text, Field(label="Time zone", example="Europe/Berlin", advanced=True)]
Gender = Annotated[Text, Field(label="Gender", advanced=True)]
Birth = Annotated[
    Text, Field(label="Date of birth", key="dateOfBirth", example="1990-09-25", advanced=True)
]
Dnd = Annotated[bool | None, Field(label="Do not disturb", advanced=True)]
CustomFields = Annotated[
    list[CustomField], Field(label="Custom fields", key="customFields", advanced=True)
]


@highlevel.action("Create or update a contact", effect="idempotent")
def upsert_contact(
    first_name: FirstName = "",
    last_name: LastName = "",
    name: Name = "",
    email: Email = "",
    phone: Phone = "",
    source: Source = "",
    company_name: Company = "",
    tags: Tags = [],  # noqa: B006  # a form's default; `bind` copies it
    assigned_to: Assigned = "",
    address1: Street = "",
    city: City = "",
    state: State = "",
    postal_code: PostalCode = "",
    country: Country = "",
    website: Website = "",
    timezone: Timezone = "",
    gender: Gender = "",
    date_of_birth: Birth = "",
    dnd: Dnd = None,
    custom_fields: CustomFields = [],  # noqa: B006  # as above
) -> Request:
    """Updates the contact with this e-mail or phone, or creates one; says which in `new`.

    Which of the two decides is the location's own setting on duplicate contacts.
    """
    if not email and not phone:
        raise BundleInvalid(
            field="email", reason="neither e-mail nor phone is given; one must say who it is"
        )
    return Request(
        "POST",
        "/contacts/upsert",
        headers=HEADERS,
        json=_contact(
            firstName=first_name,
            lastName=last_name,
            name=name,
            email=email,
            phone=phone,
            source=source,
            companyName=company_name,
            tags=tags,
            assignedTo=assigned_to,
            address1=address1,
            city=city,
            state=state,
            postalCode=postal_code,
            country=country,
            website=website,
            timezone=timezone,
            gender=gender,
            dateOfBirth=date_of_birth,
            dnd="" if dnd is None else dnd,
            customFields=custom_fields,
        ),
    )


@highlevel.action("Create a contact", effect="once")
def create_contact(
    first_name: FirstName = "",
    last_name: LastName = "",
    name: Name = "",
    email: Email = "",
    phone: Phone = "",
    source: Source = "",
    company_name: Company = "",
    tags: Annotated[list[str], Field(label="Tags")] = [],  # noqa: B006  # as above
    assigned_to: Assigned = "",
    custom_fields: CustomFields = [],  # noqa: B006  # as above
) -> Request:
    """Creates a contact; a duplicate is refused if the location forbids duplicates."""
    return Request(
        "POST",
        "/contacts/",
        headers=HEADERS,
        json=_contact(
            firstName=first_name,
            lastName=last_name,
            name=name,
            email=email,
            phone=phone,
            source=source,
            companyName=company_name,
            tags=tags,
            assignedTo=assigned_to,
            customFields=custom_fields,
        ),
    )


def _contact(**fields: Any) -> dict[str, Any]:
    """A body of what is given; ``None`` (erase) is sent as null."""
    given = {name: value for name, value in fields.items() if value not in ("", [])}
    return {**given, "locationId": LOCATION}


@highlevel.action("Get a contact", effect="read", items="contact")
def get_contact(contact_id: Contact) -> Request:
    """Gives a contact by its ID."""
    return Request("GET", path("contacts", contact_id), headers=HEADERS)


@highlevel.action("Add tags to a contact", effect="idempotent")
def add_tags(contact_id: Contact, tags: Annotated[list[str], Field(label="Tags")]) -> Request:
    """Adds tags to a contact and keeps those it has."""
    named = [tag for tag in tags if tag]
    if not named:
        raise BundleInvalid(field="tags", reason="no tag is given; map or type one")
    return Request(
        "POST", path("contacts", contact_id, "tags"), headers=HEADERS, json={"tags": named}
    )


@highlevel.action("Add a note to a contact", effect="once", items="note")
def create_note(
    contact_id: Contact,
    body: Annotated[str, Field(label="Text", multiline=True)],
    title: Annotated[str, Field(label="Title", advanced=True)] = "",
    user_id: Annotated[str, Field(label="User ID", key="userId", advanced=True)] = "",
    color: Annotated[str, Field(label="Colour", example="#FFAA00", advanced=True)] = "",
    pinned: Annotated[bool, Field(label="Pinned", advanced=True)] = False,
) -> Request:
    """Writes a note on a contact."""
    more = {"title": title, "userId": user_id, "color": color, "pinned": pinned}
    return Request(
        "POST",
        path("contacts", contact_id, "notes"),
        headers=HEADERS,
        json={"body": body, **{key: value for key, value in more.items() if value}},
    )


add_api_call(
    highlevel,
    base=BASE,
    docs="For example `/contacts/`.",
    example="/contacts/",
    headers=HEADERS,
    error_text=said,
)
