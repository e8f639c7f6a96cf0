"""Waits for an event or a person, and the link under which a person answers.

The functions say what is awaited and for how long; the engine and its driver do the waiting
(``docs/waits.md``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict

from junctor.errors import BundleInvalid
from junctor.language.asks.waits import (
    AwaitApproval,
    AwaitDelivery,
    Comment,
    ListHooks,
    MakeApprovalLink,
)
from junctor.language.connector import Connector, Field

__all__ = ["wait"]

wait = Connector(name="wait", label="Wait")

Unit = Literal["seconds", "minutes", "hours", "days"]
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_LONGEST = 30 * 86_400
_MOST_CHOICES = 8
_LONGEST_TEXT = 10_000

_Limit = Annotated[
    float,
    Field(
        label="Wait at most",
        help="In the unit below, 30 days at most. Then the run goes on, and `timedOut` is true.",
        minimum=0,
    ),
]
_Unit = Annotated[Unit, Field(label="Unit")]


class Match(TypedDict, total=False):
    """What a field of the delivery must hold."""

    field: Annotated[
        str,
        Field(
            label="Field",
            help="Of the hook's trigger, with dots into collections.",
            example="From",
        ),
    ]
    value: Annotated[
        Any,
        Field(
            label="Value",
            help="Phone numbers are equal however they are written; in texts neither case nor "
            "outer blanks matter.",
        ),
    ]


@wait.search("List hooks", name="listHooks")
def list_hooks() -> ListHooks:
    """Gives the hooks whose scenario is active."""
    return ListHooks()


@wait.module("Wait for a delivery", kind="waiter", name="Delivery")
def delivery(
    hook: Annotated[
        str,
        Field(
            label="Hook",
            help="Its name or id: any hook of the organisation whose scenario is active.",
            options=list_hooks,
        ),
    ],
    match: Annotated[
        list[Match],
        Field(
            label="Match", help="All must hold. Nothing here: the next delivery, whatever it is."
        ),
    ] = [],  # noqa: B006  # a form's default
    limit: _Limit = 24,
    unit: _Unit = "hours",
    since: Annotated[
        datetime | None,
        Field(
            label="Since",
            help="Deliveries from then on count, though they came before the wait began; an hour "
            "back at most. Empty: from the start of the run, or the end of its last wait.",
            advanced=True,
        ),
    ] = None,
    also: Annotated[
        bool,
        Field(
            label="Also start the hook's scenario",
            key="alsoStart",
            help="Otherwise a delivery that is waited for does not start it.",
            advanced=True,
        ),
    ] = False,
) -> AwaitDelivery:
    """Waits for a delivery to a hook, such as this person's reply, and gives it out.

    `answered` and `timedOut` say which way to go on; `bundle` is what the hook's trigger makes of
    the delivery, `waited` the seconds. Of several runs that wait for the same, the one that began
    first gets it. In a sequential scenario, what comes after the run waits, too.
    """
    if not hook.strip():
        raise BundleInvalid(field="hook", reason="choose the hook to wait for")
    return AwaitDelivery(
        seconds=_seconds(limit, unit),
        hook=hook.strip(),
        match=tuple((each.get("field", ""), each.get("value")) for each in match),
        since=since,
        also=also,
    )


@wait.module("Wait for an approval", kind="waiter", name="Approval")
def approval(
    question: Annotated[
        str, Field(label="Question", multiline=True, example="May the refund be paid?")
    ],
    details: Annotated[
        str, Field(label="Details", help="Shown below the question.", multiline=True)
    ] = "",
    buttons: Annotated[
        list[str], Field(label="Buttons", help="One for each decision; Approve and Reject if none.")
    ] = [],  # noqa: B006  # a form's default
    comment: Annotated[Comment, Field(label="Comment")] = "optional",
    link: Annotated[
        str,
        Field(
            label="Link",
            help="That of 'Make an approval link', sent to whoever is to decide. Empty: one is "
            "made, shown by `junctor approvals list` and with the run.",
        ),
    ] = "",
    limit: _Limit = 24,
    unit: _Unit = "hours",
) -> AwaitApproval:
    """Waits for a person's decision: by a link, by the API or by the command line.

    `decision` is the button's text, empty if nobody decided in time (`timedOut`); `comment`, `by`
    and `decidedAt` say the rest. The first decision counts. In a sequential scenario, what comes
    after the run waits, too.
    """
    # In one line: a browser sends a line break in a button's text as another than it was.
    lines = (" ".join(each.split())[:60].strip() for each in buttons)
    choices = tuple(dict.fromkeys(text for text in lines if text))
    if len(choices) > _MOST_CHOICES:
        raise BundleInvalid(field="buttons", reason=f"at most {_MOST_CHOICES} buttons are shown")
    if not question.strip():
        raise BundleInvalid(field="question", reason="say what is to be decided")
    return AwaitApproval(
        seconds=_seconds(limit, unit),
        question=question.strip()[:_LONGEST_TEXT],
        details=details.strip()[:_LONGEST_TEXT],
        choices=choices or ("Approve", "Reject"),
        comment=comment,
        link=link.strip(),
    )


@wait.action("Make an approval link", name="ApprovalLink", effect="idempotent")
def approval_link() -> MakeApprovalLink:
    """Gives `link`, to be sent to whoever is to decide; then map it in 'Wait for an approval'.

    Nobody can guess it. Whoever has it can decide, once.
    """
    return MakeApprovalLink()


def _seconds(limit: float, unit: Unit) -> float:
    seconds = limit * _SECONDS[unit]
    if not 1 <= seconds <= _LONGEST:
        raise BundleInvalid(
            field="limit", reason=f"{limit:g} {unit} is not between one second and 30 days"
        )
    return seconds
