-- For databases whose event_outbox was moved with outboxrelay store migrate, and for those that
-- these migrations create from the beginning. If event_outbox is a STORE, nothing changes. If it is
-- empty, it is replaced by a STORE. If it has events, this stops: move them first.
--
-- Privileges on the former event_outbox are gone with it, so let the migration of the grants
-- for a STORE follow.
DO $$
BEGIN
    IF IS_STORE THEN
        RETURN;
    END IF;
    IF HAS_EVENTS THEN
        RAISE EXCEPTION 'event_outbox has events and is no STORE'
            USING HINT = 'Move it: outboxrelay store migrate --to STORE';
    END IF;
END
$$;

-- The same again under a lock. The statement above has a short error.
DO $$
BEGIN
    IF IS_STORE THEN
        RETURN;
    END IF;
    SET LOCAL lock_timeout = '5s';
    LOCK TABLE event_outbox IN ACCESS EXCLUSIVE MODE;
    IF HAS_EVENTS THEN
        RAISE EXCEPTION 'event_outbox has events and is no STORE'
            USING HINT = 'Move it: outboxrelay store migrate --to STORE';
    END IF;
    EXECUTE $replace$

REPLACE

    $replace$;
END
$$;
