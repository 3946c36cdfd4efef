-- What still inserts into the former event_outbox must fail: no relay would read it. Nothing
-- looks at the rows that are there.
ALTER TABLE event_outbox_before ADD CONSTRAINT event_outbox_before_closed CHECK (false) NOT VALID
