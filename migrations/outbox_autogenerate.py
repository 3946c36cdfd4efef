"""Keeps Alembic's autogenerate away from the tables of the outbox.

Their migrations come from "outboxgen migration", which wrote this file and
replaces it. Autogenerate neither creates nor changes nor drops these tables,
whether or not a model of the service describes them. In env.py, pass both
functions to every context.configure(...):

    context.configure(
        ...,
        include_name=outbox_autogenerate.include_name,
        include_object=outbox_autogenerate.include_object,
    )
"""

import re

TABLES = frozenset(
    {
        "event_outbox",
        "event_outbox_other",
        "event_outbox_cursor",
        "event_outbox_late",
        "event_outbox_failed",
        "event_outbox_tick",
        "event_outbox_deleted",
        "event_outbox_delayed",
        "event_outbox_lease",
        "event_outbox_audit",
        "event_inbox",
    }
)

# The partitions of an outbox that is a log, and what "outboxrelay store migrate"
# keeps of an outbox that has moved.
MADE_LATER = re.compile(r"event_outbox_(d\d{8}|before(_\w+)?)")


def _is_ours(name):
    return name in TABLES or bool(name and MADE_LATER.fullmatch(name))


def include_name(name, type_, parent_names):
    """Say False for the tables of the outbox as the database has them.

    They are not read at all, so SQLAlchemy does not warn of the type xid8.
    """
    return type_ != "table" or not _is_ours(name)


def include_object(object, name, type_, reflected, compare_to):
    """Say False for the tables of the outbox as a model describes them."""
    return type_ != "table" or not _is_ours(name)
