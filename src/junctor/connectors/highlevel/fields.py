"""Fields that several modules have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from junctor.connectors.highlevel import lists
from junctor.connectors.highlevel.search import search_contacts
from junctor.connectors.highlevel.table import In, custom_fields, field, flag, need, texts
from junctor.language.connector import Field


class CustomField(TypedDict, total=False):
    """One custom field, by id or key; *List custom fields* gives both."""

    id: Annotated[str, Field(label="ID", options=lists.custom_field, options_with={"model": "all"})]
    key: Annotated[str, Field(label="Key")]
    field_value: Annotated[Any, Field(label="Value")]


class Channel(TypedDict, total=False):
    """Whether a contact may be reached by one channel."""

    status: Annotated[Literal["active", "inactive", "permanent"], Field(label="Status")]
    message: Annotated[str, Field(label="Message")]
    code: Annotated[str, Field(label="Code")]


class DndSettings(TypedDict, total=False):
    """*Active* means: do not disturb by this channel."""

    Call: Annotated[Channel, Field(label="Calls")]
    Email: Annotated[Channel, Field(label="E-mail")]
    SMS: Annotated[Channel, Field(label="SMS")]
    WhatsApp: Annotated[Channel, Field(label="WhatsApp")]
    GMB: Annotated[Channel, Field(label="Google Business")]
    FB: Annotated[Channel, Field(label="Facebook")]


class Inbound(TypedDict, total=False):
    """Messages of the contact on all channels."""

    status: Annotated[Literal["active", "inactive"], Field(label="Status")]
    message: Annotated[str, Field(label="Message")]


class InboundSettings(TypedDict, total=False):
    """What the contact may send."""

    all: Annotated[Inbound, Field(label="All channels")]


PHONE_HELP = "Without a country code it belongs to the connection's country."


def contact_id(label: str = "Contact ID", *, required: bool = True, **more: Any) -> In:
    """A contact of the location."""
    return (need if required else field)("contactId", label, options=search_contacts, **more)


def user_id(key: str = "userId", label: str = "User", **more: Any) -> In:
    """A person of the location."""
    return field(key, label, options=lists.user, **more)


def pipeline_id(*, required: bool = False, **more: Any) -> In:
    """A pipeline."""
    return (need if required else field)("pipelineId", "Pipeline", options=lists.pipeline, **more)


def stage_id(**more: Any) -> In:
    """A stage of a pipeline."""
    return field("pipelineStageId", "Stage", options=lists.stage, option_label="fullName", **more)


def calendar_id(*, required: bool = False, **more: Any) -> In:
    """A calendar."""
    return (need if required else field)("calendarId", "Calendar", options=lists.calendar, **more)


def tag_names(*, required: bool = False, **more: Any) -> In:
    """Tags by name."""
    return texts("tags", "Tags", required=required, options=lists.tag, option_value="name", **more)


def custom(key: str = "customFields") -> In:
    """Custom fields with their values."""
    made = field(
        key,
        "Custom fields",
        list[CustomField],
        help="By ID or key, as *List custom fields* gives them.",
        advanced=True,
    )
    return In(key=made.key, hint=made.hint, sent=custom_fields)


PROFILE = (
    field("firstName", "First name"),
    field("lastName", "Last name"),
    field("name", "Name"),
    field("email", "E-mail", format="email"),
    field("phone", "Phone", help=PHONE_HELP, example="+15551234567", format="phone"),
    field("source", "Source", example="Toky"),
)
COMPANY = field("companyName", "Company name")
GENDER = field("gender", "Gender", advanced=True)
REPLACING = tag_names(
    help="Replaces all tags of an existing contact; *Add tags to a contact* keeps the others.",
    advanced=True,
)
MORE = (
    user_id("assignedTo", "Assigned to", advanced=True),
    field("address1", "Street", advanced=True),
    field("city", "City", advanced=True),
    field("state", "State", advanced=True),
    field("postalCode", "Postal code", advanced=True),
    field("country", "Country", help="Two letters.", example="US", advanced=True),
    field("website", "Website", format="uri", advanced=True),
    field("timezone", "Time zone", example="Europe/Berlin", advanced=True),
    field("dateOfBirth", "Date of birth", example="1990-09-25", advanced=True),
    flag("dnd", "Do not disturb", advanced=True),
    field("dndSettings", "Do not disturb, by channel", DndSettings, advanced=True),
    field("inboundDndSettings", "Inbound messages", InboundSettings, advanced=True),
    custom(),
)
