-- Whoever may read the former event_outbox or insert into it may do so with the new one.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT format('GRANT %s ON event_outbox TO %s', a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END) AS command
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.oid = 'event_outbox_before'::regclass AND a.grantee <> c.relowner AND a.privilege_type IN ('SELECT', 'INSERT')
        UNION ALL
        SELECT format('GRANT %s (%I) ON event_outbox TO %s', a.privilege_type, t.attname, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
        FROM pg_attribute AS t CROSS JOIN LATERAL aclexplode(t.attacl) AS a
        WHERE t.attrelid = 'event_outbox_before'::regclass AND NOT t.attisdropped AND a.privilege_type IN ('SELECT', 'INSERT')
          AND EXISTS (SELECT FROM pg_attribute AS n WHERE n.attrelid = 'event_outbox'::regclass AND n.attname = t.attname)
        UNION ALL
        SELECT format('GRANT %s ON SEQUENCE event_outbox_seq_seq TO %s', a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.oid = 'event_outbox_before_seq_seq'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE given.command;
    END LOOP;
END
$$
