-- In the order in which a relay's statements lock them. When the lock is there, every
-- transaction that has inserted an event has ended.
LOCK TABLE event_outbox_lease, event_outbox IN ACCESS EXCLUSIVE MODE
