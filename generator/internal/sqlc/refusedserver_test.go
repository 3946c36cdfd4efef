package sqlc_test

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// verdict is a migration, and the SQLSTATE with which Postgres refuses an insert of an
// event after it; "": it does not.
type verdict struct {
	sql, state string
	// since is the first Postgres that runs the migration, if that is not 15.
	since int
	// unknown says why no finding is expected, although Postgres refuses the insert.
	unknown string
}

const (
	noKeyState, laterState, nullState, generatedState = "42P10", "55000", "23502", "428C9"
)

var (
	// keyed and keyless create the outbox with and without its primary key.
	keyed   = "CREATE TABLE event_outbox (" + ourColumns + ");\n"
	keyless = "CREATE TABLE event_outbox (" + keylessColumns + ");\n"
	tenant  = "CREATE TABLE event_outbox (" + ourColumns + ", tenant uuid NOT NULL);\n"

	keylessColumns = strings.Replace(ourColumns, " PRIMARY KEY", " NOT NULL", 1)
)

// verdicts are grouped by what decides.
var verdicts = map[string]verdict{
	// Expressions that are only the column.
	"index on ((id))":                {keyless + `CREATE UNIQUE INDEX i ON event_outbox ((id));`, "", 0, ""},
	"index on (((id)))":              {keyless + `CREATE UNIQUE INDEX ON event_outbox USING btree ((("id")) DESC);`, "", 0, ""},
	"index on ((event_outbox.id))":   {keyless + `CREATE UNIQUE INDEX ON event_outbox ((event_outbox.id));`, "", 0, ""},
	"index on ((id::uuid))":          {keyless + `CREATE UNIQUE INDEX ON event_outbox ((id::uuid));`, "", 0, ""},
	"index on (CAST(id AS uuid))":    {keyless + `CREATE UNIQUE INDEX ON event_outbox (CAST(id AS uuid));`, "", 0, ""},
	"index on ((id::text))":          {keyless + `CREATE UNIQUE INDEX ON event_outbox ((id::text));`, noKeyState, 0, "a cast may be none"},
	"index on an expression":         {keyless + `CREATE UNIQUE INDEX ON event_outbox ((topic || event_type));`, noKeyState, 0, ""},
	"index on a function":            {keyless + `CREATE UNIQUE INDEX ON event_outbox (lower(topic), id);`, noKeyState, 0, ""},
	"index on (id, id)":              {keyless + `CREATE UNIQUE INDEX ON event_outbox (id, id);`, "", 0, ""},
	"index on (id, topic)":           {keyless + `CREATE UNIQUE INDEX ON event_outbox (id, topic);`, noKeyState, 0, ""},
	"index with INCLUDE":             {keyless + `CREATE UNIQUE INDEX ON event_outbox (id) INCLUDE (topic);`, "", 0, ""},
	"index with NULLS NOT DISTINCT":  {keyless + `CREATE UNIQUE INDEX ON event_outbox (id) NULLS NOT DISTINCT WITH (fillfactor = 70);`, "", 0, ""},
	"index with an operator class":   {keyless + `CREATE UNIQUE INDEX ON event_outbox (id uuid_ops DESC NULLS LAST);`, "", 0, ""},
	"plain index":                    {keyless + `CREATE INDEX ON event_outbox (id);`, noKeyState, 0, ""},
	"partial index":                  {keyless + `CREATE UNIQUE INDEX ON event_outbox (id) WHERE published_at IS NULL;`, noKeyState, 0, ""},
	"index WHERE true":               {keyless + `CREATE UNIQUE INDEX ON event_outbox (id) WHERE (true);`, "", 0, ""},
	"index WHERE 1 = 1":              {keyless + `CREATE UNIQUE INDEX ON event_outbox (id) WHERE 1 = 1;`, "", 0, ""},
	"index WHERE id IS NOT NULL":     {keyless + `CREATE UNIQUE INDEX ON event_outbox (id) WHERE id IS NOT NULL;`, noKeyState, 0, ""},
	"exclusion constraint":           {keyless + `ALTER TABLE event_outbox ADD EXCLUDE USING btree (id WITH =);`, noKeyState, 0, ""},
	"quoted other column":            {strings.Replace(keyless, "partition int", `partition int, "ID" uuid UNIQUE`, 1), noKeyState, 0, ""},
	"quoted table":                   {strings.Replace(keyless, "event_outbox", `"public"."event_outbox"`, 1) + `CREATE UNIQUE INDEX "Uq" ON "event_outbox" ("id");`, "", 0, ""},
	"ALTER TABLE ONLY":               {keyless + `ALTER TABLE ONLY public.event_outbox ADD CONSTRAINT pk PRIMARY KEY (id);`, "", 0, ""},
	"NULLS NOT DISTINCT constraint":  {keyless + `ALTER TABLE event_outbox ADD UNIQUE NULLS NOT DISTINCT (id);`, "", 0, ""},
	"constraint with INCLUDE":        {keyless + `ALTER TABLE event_outbox ADD UNIQUE (id) INCLUDE (topic) WITH (fillfactor = 70);`, "", 0, ""},
	"a key of the column, later":     {strings.Replace(keyless, "id uuid NOT NULL", "id uuid CONSTRAINT later UNIQUE INITIALLY DEFERRED NOT NULL", 1), laterState, 0, ""},
	"checked at once, said":          {keyless + `ALTER TABLE event_outbox ADD UNIQUE (id) NOT DEFERRABLE INITIALLY IMMEDIATE;`, "", 0, ""},
	"deferrable beside another":      {keyed + `ALTER TABLE event_outbox ADD UNIQUE (id) DEFERRABLE;`, laterState, 0, ""},
	"deferrable of two columns":      {keyed + `ALTER TABLE event_outbox ADD UNIQUE (id, topic) DEFERRABLE;`, "", 0, ""},
	"equal constraints are one":      {strings.Replace(keyless, "partition int", "partition int, UNIQUE (id) DEFERRABLE, CONSTRAINT pk PRIMARY KEY (id) DEFERRABLE", 1) + "ALTER TABLE event_outbox DROP CONSTRAINT pk, ADD PRIMARY KEY (id);", "", 0, ""},
	"unequal constraints are two":    {strings.Replace(keyless, "partition int", "partition int, UNIQUE (id), CONSTRAINT pk PRIMARY KEY (id) DEFERRABLE", 1), laterState, 0, ""},
	"equal constraints of an ALTER":  {keyless + `ALTER TABLE event_outbox ADD UNIQUE (id), ADD CONSTRAINT pk PRIMARY KEY (id); ALTER TABLE event_outbox DROP CONSTRAINT pk;`, "", 0, ""},
	"a name of NOT NULL, not of key": {strings.Replace(keyless, "id uuid NOT NULL", "id uuid CONSTRAINT given NOT NULL UNIQUE", 1) + `ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_id_key;`, noKeyState, 0, ""},

	// Which index a name means.
	"DROP INDEX of the first schema":         {keyless + `CREATE SCHEMA old; CREATE TABLE old.t (id int); CREATE INDEX i ON old.t (id); CREATE UNIQUE INDEX i ON event_outbox (id); SET search_path = old, public; DROP INDEX i;`, "", 0, ""},
	"DROP INDEX of the first schema, ours":   {keyless + `CREATE SCHEMA old; CREATE TABLE old.t (id int); CREATE INDEX i ON old.t (id); CREATE UNIQUE INDEX i ON event_outbox (id); SET search_path = public, old; DROP INDEX i;`, noKeyState, 0, ""},
	"DROP INDEX twice":                       {keyless + `CREATE SCHEMA old; CREATE TABLE old.t (id int); CREATE INDEX i ON old.t (id); CREATE UNIQUE INDEX i ON event_outbox (id); SET search_path = old, public; DROP INDEX i; DROP INDEX i;`, noKeyState, 0, ""},
	"DROP INDEX with a schema":               {keyless + `CREATE SCHEMA old; CREATE TABLE old.t (id int); CREATE INDEX i ON old.t (id); CREATE UNIQUE INDEX i ON event_outbox (id); SET search_path = old, public; DROP INDEX public.i;`, noKeyState, 0, ""},
	"DROP INDEX IF EXISTS out of the path":   {keyless + `CREATE SCHEMA old; CREATE UNIQUE INDEX i ON event_outbox (id); SET search_path = old; DROP INDEX IF EXISTS i;`, "", 0, ""},
	"DROP INDEX of a temporary table":        {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); CREATE TEMP TABLE t (id int); CREATE INDEX i ON t (id); DROP INDEX i;`, "", 0, ""},
	"ALTER INDEX of the first schema":        {keyless + `CREATE SCHEMA old; CREATE TABLE old.t (id int); CREATE INDEX i ON old.t (id); CREATE UNIQUE INDEX i ON event_outbox (id); SET search_path = old, public; ALTER INDEX i RENAME TO j; DROP INDEX j;`, "", 0, ""},
	"ALTER INDEX, then DROP":                 {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); ALTER INDEX IF EXISTS public.i RENAME TO j; DROP INDEX IF EXISTS i; DROP INDEX j;`, noKeyState, 0, ""},
	"ALTER TABLE of an index":                {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); ALTER TABLE i RENAME TO j; DROP INDEX j;`, noKeyState, 0, ""},
	"IF NOT EXISTS, of another table":        {keyless + `CREATE TABLE t (id int); CREATE INDEX i ON t (id); CREATE UNIQUE INDEX IF NOT EXISTS i ON event_outbox (id);`, noKeyState, 0, ""},
	"IF NOT EXISTS, in another schema":       {keyless + `CREATE SCHEMA old; CREATE TABLE old.t (id int); CREATE INDEX i ON old.t (id); CREATE UNIQUE INDEX IF NOT EXISTS i ON event_outbox (id);`, "", 0, ""},
	"IF NOT EXISTS, of a table":              {keyless + `CREATE TABLE i (id int); CREATE UNIQUE INDEX IF NOT EXISTS i ON event_outbox (id);`, noKeyState, 0, ""},
	"IF NOT EXISTS, of a sequence":           {keyless + `CREATE SEQUENCE i; CREATE UNIQUE INDEX IF NOT EXISTS i ON event_outbox (id);`, noKeyState, 0, ""},
	"the key of another table of the name":   {keyless + `CREATE SCHEMA old; CREATE TABLE old.event_outbox (id uuid PRIMARY KEY); SET search_path = old, public; DROP TABLE event_outbox;`, noKeyState, 0, ""},
	"an index for another table of the name": {keyless + `CREATE SCHEMA old; CREATE TABLE old.event_outbox (id uuid); SET search_path = old, public; CREATE UNIQUE INDEX i ON event_outbox (id);`, noKeyState, 0, ""},
	"a constraint of another table dropped":  {keyed + `CREATE SCHEMA old; CREATE TABLE old.event_outbox (id uuid PRIMARY KEY); SET search_path = old, public; ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey;`, "", 0, ""},
	"moved with its key":                     {`CREATE SCHEMA old; SET search_path = old; ` + keyed + `ALTER TABLE event_outbox SET SCHEMA public; DROP INDEX IF EXISTS event_outbox_pkey;`, "", 0, ""},
	"renamed with its key":                   {strings.ReplaceAll(keyed, "event_outbox", "outbox") + `ALTER TABLE outbox RENAME TO event_outbox; ALTER TABLE event_outbox DROP CONSTRAINT outbox_pkey;`, noKeyState, 0, ""},
	"dropped and made again":                 {keyed + `DROP TABLE event_outbox; ` + keyless, noKeyState, 0, ""},
	"the schema renamed":                     {`DROP SCHEMA public; CREATE SCHEMA x; SET search_path = x; ` + keyed + `ALTER SCHEMA x RENAME TO public;`, "", 0, ""},
	"a name of Postgres that is taken":       {strings.Replace(keyless, "id uuid", "id uuid UNIQUE", 1) + `ALTER TABLE event_outbox ADD UNIQUE (id); ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_id_key, DROP CONSTRAINT event_outbox_id_key1;`, noKeyState, 0, ""},
	"a name of Postgres that a table has":    {`CREATE TABLE event_outbox_pkey (id int); ` + keyed + `ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey1;`, noKeyState, 0, ""},
	"in a new schema":                        {`CREATE SCHEMA x CREATE TABLE t (id uuid PRIMARY KEY); ` + keyless, noKeyState, 0, ""},
	"a column renamed":                       {strings.Replace(keyed, "id uuid", "event_id uuid", 1) + `ALTER TABLE event_outbox RENAME COLUMN event_id TO id;`, "", 0, ""},
	"a column renamed, then another":         {keyed + `ALTER TABLE event_outbox RENAME id TO old; ALTER TABLE event_outbox ADD id uuid NOT NULL, ALTER old SET DEFAULT gen_random_uuid();`, noKeyState, 0, ""},
	"a column of the index dropped":          {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id) INCLUDE (last_error); ALTER TABLE event_outbox DROP last_error;`, noKeyState, 0, ""},
	"a type changed":                         {strings.Replace(keyed, "id uuid", "id text", 1) + `ALTER TABLE event_outbox ALTER id TYPE uuid USING id::uuid;`, "", 0, ""},
	"ADD COLUMN IF NOT EXISTS with a key":    {keyless + `ALTER TABLE event_outbox ADD COLUMN IF NOT EXISTS id uuid PRIMARY KEY;`, noKeyState, 0, ""},
	"the key dropped and added":              {keyed + `ALTER TABLE event_outbox ADD PRIMARY KEY (id), DROP CONSTRAINT event_outbox_pkey;`, "", 0, ""},
	"the key of a constraint renamed":        {keyed + `ALTER TABLE event_outbox RENAME CONSTRAINT event_outbox_pkey TO pk; ALTER TABLE event_outbox DROP CONSTRAINT IF EXISTS event_outbox_pkey, DROP CONSTRAINT pk;`, noKeyState, 0, ""},
	"the index of a constraint renamed":      {keyed + `ALTER INDEX event_outbox_pkey RENAME TO pk; ALTER TABLE event_outbox DROP CONSTRAINT pk;`, noKeyState, 0, ""},
	"a constraint of that name elsewhere":    {keyed + `CREATE TABLE t (id uuid CONSTRAINT c UNIQUE); ALTER TABLE t RENAME CONSTRAINT c TO d; ALTER TABLE t DROP CONSTRAINT d;`, "", 0, ""},
	"rolled back":                            {`BEGIN; ` + keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); SAVEPOINT s; DROP INDEX i; ROLLBACK TO s; COMMIT;`, "", 0, ""},
	"a search_path that a transaction has":   {keyless + `CREATE SCHEMA old; CREATE TABLE old.event_outbox (id uuid); BEGIN; SET LOCAL search_path = old; CREATE UNIQUE INDEX i ON event_outbox (id); COMMIT;`, noKeyState, 0, ""},

	// A constraint that uses an index.
	"USING INDEX":                            {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); ALTER TABLE event_outbox ADD CONSTRAINT pk PRIMARY KEY USING INDEX i;`, "", 0, ""},
	"USING INDEX, dropped":                   {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); ALTER TABLE event_outbox ADD CONSTRAINT pk PRIMARY KEY USING INDEX i; ALTER TABLE event_outbox DROP CONSTRAINT pk;`, noKeyState, 0, ""},
	"USING INDEX DEFERRABLE":                 {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); ALTER TABLE event_outbox ADD UNIQUE USING INDEX i DEFERRABLE;`, laterState, 0, ""},
	"USING INDEX that was renamed":           {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); ALTER INDEX i RENAME TO j; ALTER TABLE event_outbox ADD UNIQUE USING INDEX j DEFERRABLE;`, laterState, 0, ""},
	"USING INDEX of another table":           {keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); CREATE SCHEMA old; CREATE TABLE old.t (id uuid); CREATE UNIQUE INDEX i ON old.t (id); ALTER TABLE old.t ADD CONSTRAINT k UNIQUE USING INDEX i DEFERRABLE;`, "", 0, ""},
	"USING INDEX, then DROP INDEX of a twin": {keyless + `CREATE SCHEMA old; CREATE TABLE old.t (id uuid); CREATE UNIQUE INDEX i ON old.t (id); CREATE UNIQUE INDEX i ON event_outbox (id); ALTER TABLE event_outbox ADD CONSTRAINT k UNIQUE USING INDEX i; DROP INDEX old.i;`, "", 0, ""},
	"USING INDEX makes a column not null":    {keyed + `ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey, ADD tenant uuid; CREATE UNIQUE INDEX i ON event_outbox (tenant); ALTER TABLE event_outbox ADD PRIMARY KEY USING INDEX i, ADD UNIQUE (id);`, nullState, 0, ""},
	"USING INDEX of a moved table":           {`CREATE SCHEMA old; SET search_path = old; ` + keyless + `CREATE UNIQUE INDEX i ON event_outbox (id); ALTER TABLE event_outbox SET SCHEMA public; ALTER TABLE public.event_outbox ADD CONSTRAINT k UNIQUE USING INDEX i DEFERRABLE;`, laterState, 0, ""},

	// A second CREATE TABLE.
	"CREATE TABLE IF NOT EXISTS, deferrable": {keyed + strings.Replace(strings.Replace(keyless, "TABLE", "TABLE IF NOT EXISTS", 1), "id uuid", "id uuid UNIQUE DEFERRABLE", 1), "", 0, ""},
	"CREATE TABLE IF NOT EXISTS with a key":  {keyless + strings.Replace(keyed, "TABLE", "TABLE IF NOT EXISTS", 1), noKeyState, 0, ""},
	"CREATE TABLE IF NOT EXISTS elsewhere":   {keyless + `CREATE SCHEMA old; SET search_path = old, public; ` + strings.Replace(keyed, "TABLE", "TABLE IF NOT EXISTS", 1), noKeyState, 0, ""},
	"a temporary table":                      {keyed + `CREATE TEMP TABLE event_outbox (id uuid UNIQUE DEFERRABLE); DROP TABLE event_outbox;`, "", 0, ""},
	"unlogged":                               {strings.Replace(keyed, "CREATE", "CREATE UNLOGGED", 1), "", 0, ""},

	// NOT NULL and its names.
	"NOT NULL":                              {tenant, nullState, 0, ""},
	"NOT NULL dropped":                      {tenant + `ALTER TABLE event_outbox ALTER tenant DROP NOT NULL;`, "", 0, ""},
	"NOT NULL added with a name":            {keyed + `ALTER TABLE event_outbox ADD tenant uuid, ADD CONSTRAINT nn NOT NULL tenant;`, nullState, 18, ""},
	"NOT NULL added, NOT VALID":             {keyed + `ALTER TABLE event_outbox ADD tenant uuid; ALTER TABLE event_outbox ADD CONSTRAINT nn NOT NULL tenant NOT VALID;`, nullState, 18, ""},
	"NOT NULL validated":                    {keyed + `ALTER TABLE event_outbox ADD tenant uuid; ALTER TABLE event_outbox ADD CONSTRAINT nn NOT NULL tenant NOT VALID; ALTER TABLE event_outbox VALIDATE CONSTRAINT nn;`, nullState, 18, ""},
	"NOT NULL NO INHERIT":                   {keyed + `ALTER TABLE event_outbox ADD tenant uuid; ALTER TABLE event_outbox ADD NOT NULL tenant NO INHERIT;`, nullState, 18, ""},
	"NOT NULL with a name dropped":          {keyed + `ALTER TABLE event_outbox ADD tenant uuid CONSTRAINT nn NOT NULL; ALTER TABLE event_outbox DROP CONSTRAINT nn;`, "", 18, ""},
	"NOT NULL renamed":                      {keyed + `ALTER TABLE event_outbox ADD tenant uuid CONSTRAINT nn NOT NULL; ALTER TABLE event_outbox RENAME CONSTRAINT nn TO mm;`, nullState, 18, ""},
	"NOT NULL renamed, then dropped":        {keyed + `ALTER TABLE event_outbox ADD tenant uuid CONSTRAINT nn NOT NULL; ALTER TABLE event_outbox RENAME CONSTRAINT nn TO mm; ALTER TABLE event_outbox DROP CONSTRAINT mm;`, "", 18, ""},
	"NOT NULL of Postgres's name":           {tenant + `ALTER TABLE event_outbox RENAME CONSTRAINT event_outbox_tenant_not_null TO nn; ALTER TABLE event_outbox DROP CONSTRAINT nn;`, "", 18, ""},
	"NOT NULL of Postgres's name, kept":     {tenant + `ALTER TABLE event_outbox RENAME TO t; ALTER TABLE t RENAME tenant TO customer; ALTER TABLE t DROP CONSTRAINT event_outbox_tenant_not_null; ALTER TABLE t RENAME TO event_outbox;`, "", 18, ""},
	"NOT NULL of two columns":               {strings.Replace(tenant, "tenant uuid", "a uuid CONSTRAINT nn NOT NULL, tenant uuid", 1) + `ALTER TABLE event_outbox DROP CONSTRAINT nn;`, nullState, 18, ""},
	"NOT NULL set, then dropped by name":    {keyed + `ALTER TABLE event_outbox ADD tenant uuid; ALTER TABLE event_outbox ALTER tenant SET NOT NULL; ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_tenant_not_null;`, "", 18, ""},
	"NOT NULL twice, dropped":               {keyed + `ALTER TABLE event_outbox ADD tenant uuid CONSTRAINT nn NOT NULL; ALTER TABLE event_outbox ALTER tenant SET NOT NULL; ALTER TABLE event_outbox DROP CONSTRAINT nn;`, "", 18, ""},
	"a CHECK by that name":                  {keyed + `ALTER TABLE event_outbox ADD tenant uuid; ALTER TABLE event_outbox ADD CONSTRAINT event_outbox_tenant_not_null CHECK (tenant IS NOT NULL) NOT VALID; ALTER TABLE event_outbox VALIDATE CONSTRAINT event_outbox_tenant_not_null; ALTER TABLE event_outbox ALTER tenant SET NOT NULL; ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_tenant_not_null;`, nullState, 0, ""},
	"a CHECK of the column by that name":    {keyed + `ALTER TABLE event_outbox ADD tenant uuid CONSTRAINT tenant_not_null CHECK (tenant IS NOT NULL); ALTER TABLE event_outbox ALTER tenant SET NOT NULL; ALTER TABLE event_outbox DROP CONSTRAINT tenant_not_null;`, nullState, 0, ""},
	"a key whose column stays not null":     {keyed + `ALTER TABLE event_outbox ADD tenant uuid, DROP CONSTRAINT event_outbox_pkey, ADD UNIQUE (id), ADD CONSTRAINT pk PRIMARY KEY (tenant); ALTER TABLE event_outbox DROP CONSTRAINT pk;`, nullState, 0, ""},
	"DROP CONSTRAINT IF EXISTS of NOT NULL": {tenant + `ALTER TABLE event_outbox DROP CONSTRAINT IF EXISTS nn;`, nullState, 0, ""},
	"a foreign key dropped":                 {`CREATE TABLE tenants (id uuid PRIMARY KEY); ` + tenant + `ALTER TABLE event_outbox ADD CONSTRAINT fk FOREIGN KEY (tenant) REFERENCES tenants; ALTER TABLE event_outbox DROP CONSTRAINT fk;`, nullState, 0, ""},

	// Values of columns.
	"identity":                   {keyed + `ALTER TABLE event_outbox ADD n bigint GENERATED BY DEFAULT AS IDENTITY;`, "", 0, ""},
	"identity dropped":           {keyed + `ALTER TABLE event_outbox ADD n bigint GENERATED BY DEFAULT AS IDENTITY; ALTER TABLE event_outbox ALTER n DROP IDENTITY;`, nullState, 0, ""},
	"identity added":             {keyed + `ALTER TABLE event_outbox ADD n bigint NOT NULL; ALTER TABLE event_outbox ALTER n ADD GENERATED ALWAYS AS IDENTITY;`, "", 0, ""},
	"serial":                     {keyed + `ALTER TABLE event_outbox ADD n bigserial NOT NULL;`, "", 0, ""},
	"serial without its default": {keyed + `ALTER TABLE event_outbox ADD n bigserial; ALTER TABLE event_outbox ALTER n DROP DEFAULT;`, nullState, 0, ""},
	"generated":                  {keyed + `ALTER TABLE event_outbox DROP event_key, ADD event_key text GENERATED ALWAYS AS (aggregate_id) STORED;`, generatedState, 0, ""},
	"generated, not ours":        {keyed + `ALTER TABLE event_outbox ADD n text GENERATED ALWAYS AS (aggregate_id) STORED NOT NULL;`, "", 0, ""},
	"virtual":                    {keyed + `ALTER TABLE event_outbox DROP event_key, ADD event_key text GENERATED ALWAYS AS (aggregate_id);`, generatedState, 18, ""},
	"default that is a function": {keyed + `ALTER TABLE event_outbox ADD n uuid NOT NULL DEFAULT gen_random_uuid();`, "", 0, ""},

	// Domains.
	"a domain":                            {`CREATE DOMAIN d AS int CHECK (VALUE > 0); ` + keyed + `ALTER TABLE event_outbox ADD n d;`, "", 0, ""},
	"a domain that refuses null":          {`CREATE DOMAIN d AS int NOT NULL; ` + keyed + `ALTER TABLE event_outbox ADD n d;`, nullState, 0, ""},
	"a domain with a default":             {`CREATE DOMAIN d AS int DEFAULT 1 + 1 NOT NULL; ` + keyed + `ALTER TABLE event_outbox ADD n d;`, "", 0, ""},
	"a domain that later refuses null":    {`CREATE DOMAIN d AS int; ` + keyed + `ALTER TABLE event_outbox ADD n d; ALTER DOMAIN d SET NOT NULL;`, nullState, 0, ""},
	"a domain that no longer refuses":     {`CREATE DOMAIN d AS int NOT NULL; ` + keyed + `ALTER TABLE event_outbox ADD n d; ALTER DOMAIN d DROP NOT NULL;`, "", 0, ""},
	"a domain with a later default":       {`CREATE DOMAIN d AS int NOT NULL; ` + keyed + `ALTER TABLE event_outbox ADD n d; ALTER DOMAIN d SET DEFAULT 3;`, "", 0, ""},
	"a domain without its default":        {`CREATE DOMAIN d AS int DEFAULT 1; ` + keyed + `ALTER TABLE event_outbox ADD n d NOT NULL; ALTER DOMAIN d DROP DEFAULT;`, nullState, 0, ""},
	"a column of a domain, not null":      {`CREATE DOMAIN d AS int; ` + keyed + `ALTER TABLE event_outbox ADD n d NOT NULL;`, nullState, 0, ""},
	"a domain of a domain":                {`CREATE DOMAIN a AS int DEFAULT 1 NOT NULL; CREATE DOMAIN d AS a; ` + keyed + `ALTER TABLE event_outbox ADD n d;`, "", 0, ""},
	"a domain of a domain, not null":      {`CREATE DOMAIN a AS int NOT NULL; CREATE DOMAIN d AS a; ` + keyed + `ALTER TABLE event_outbox ADD n d;`, nullState, 0, ""},
	"a domain of a domain, later default": {`CREATE DOMAIN a AS int; CREATE DOMAIN d AS a NOT NULL; ALTER DOMAIN a SET DEFAULT 1; ` + keyed + `ALTER TABLE event_outbox ADD n d;`, nullState, 0, ""},
	"an array of a domain":                {`CREATE DOMAIN d AS int NOT NULL; ` + keyed + `ALTER TABLE event_outbox ADD n d[];`, "", 0, ""},
	"a domain for our column":             {`CREATE DOMAIN d AS uuid NOT NULL; ` + strings.Replace(keyed, "id uuid", "id d", 1), "", 0, ""},
	"a domain with a constraint":          {`CREATE DOMAIN d AS int CONSTRAINT nn NOT NULL CONSTRAINT c CHECK (VALUE > 0); ` + keyed + `ALTER TABLE event_outbox ADD n d;`, nullState, 0, ""},

	// Copies, parents and parts.
	"LIKE":                             {strings.ReplaceAll(keyed, "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING INDEXES);`, nullState, 0, ""},
	"LIKE with all":                    {strings.ReplaceAll(keyed, "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING ALL);`, "", 0, ""},
	"LIKE with all, no indexes":        {strings.ReplaceAll(keyed, "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING ALL EXCLUDING INDEXES);`, noKeyState, 0, ""},
	"LIKE with defaults":               {strings.ReplaceAll(keyed, "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING DEFAULTS, PRIMARY KEY (id)); ALTER TABLE event_outbox ALTER seq DROP NOT NULL;`, "", 0, ""},
	"LIKE with defaults, no identity":  {strings.ReplaceAll(keyed, "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING DEFAULTS, PRIMARY KEY (id));`, nullState, 0, ""},
	"LIKE with indexes, deferrable":    {strings.ReplaceAll(strings.Replace(keyless, "id uuid", "id uuid UNIQUE DEFERRABLE", 1), "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING ALL);`, laterState, 0, ""},
	"LIKE without expressions":         {strings.ReplaceAll(strings.Replace(keyed, "event_key text", "event_key text GENERATED ALWAYS AS (aggregate_id) STORED", 1), "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING ALL EXCLUDING GENERATED);`, "", 0, ""},
	"LIKE with expressions":            {strings.ReplaceAll(strings.Replace(keyed, "event_key text", "event_key text GENERATED ALWAYS AS (aggregate_id) STORED", 1), "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING ALL);`, generatedState, 0, ""},
	"LIKE, the key dropped":            {strings.ReplaceAll(keyed, "event_outbox", "t") + `CREATE TABLE event_outbox (LIKE t INCLUDING ALL); ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey;`, noKeyState, 0, ""},
	"a parent":                         {`CREATE TABLE p (tenant uuid NOT NULL); ` + strings.Replace(keyed, ");\n", ") INHERITS (p);\n", 1), nullState, 0, ""},
	"a parent with a default":          {`CREATE TABLE p (tenant uuid NOT NULL DEFAULT gen_random_uuid()); ` + strings.Replace(keyed, ");\n", ") INHERITS (p);\n", 1), "", 0, ""},
	"a parent with the key":            {`CREATE TABLE p (` + withoutIdentity + `, PRIMARY KEY (id)); CREATE TABLE event_outbox () INHERITS (p);`, noKeyState, 0, ""},
	"a parent and a key":               {`CREATE TABLE p (tenant uuid); ` + strings.Replace(keyed, ");\n", ") INHERITS (p);\n", 1), "", 0, ""},
	"a parent that later refuses null": {`CREATE TABLE p (tenant uuid); ` + strings.Replace(keyed, ");\n", ") INHERITS (p);\n", 1) + `ALTER TABLE p ALTER tenant SET NOT NULL;`, nullState, 0, ""},
	"a parent with a later default":    {`CREATE TABLE p (tenant uuid NOT NULL); ` + strings.Replace(keyed, ");\n", ") INHERITS (p);\n", 1) + `ALTER TABLE p ALTER tenant SET DEFAULT gen_random_uuid();`, "", 0, ""},
	"a parent that gets a column":      {`CREATE TABLE p (a int); ` + strings.Replace(keyed, ");\n", ") INHERITS (p);\n", 1) + `ALTER TABLE p ADD tenant uuid NOT NULL;`, nullState, 0, ""},
	"a child with a key":               {keyless + `CREATE TABLE c (UNIQUE (id)) INHERITS (event_outbox);`, noKeyState, 0, ""},
	"a child with a deferrable key":    {keyed + `CREATE TABLE c (UNIQUE (id) DEFERRABLE) INHERITS (event_outbox);`, "", 0, ""},
	"partitions":                       {`CREATE TABLE event_outbox (` + keylessColumns + `, PRIMARY KEY (id)) PARTITION BY HASH (id); CREATE TABLE p PARTITION OF event_outbox FOR VALUES WITH (MODULUS 1, REMAINDER 0);`, "", 17, ""},
	"partitions by another column":     {`CREATE TABLE event_outbox (` + withoutIdentity + `, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at); CREATE TABLE p PARTITION OF event_outbox DEFAULT;`, noKeyState, 0, ""},
	"partitions, deferrable":           {`CREATE TABLE event_outbox (` + withoutIdentity + `, PRIMARY KEY (id) DEFERRABLE) PARTITION BY HASH (id); CREATE TABLE p PARTITION OF event_outbox FOR VALUES WITH (MODULUS 1, REMAINDER 0);`, laterState, 0, ""},
	"an index of the parent only":      {`CREATE TABLE event_outbox (` + withoutIdentity + `) PARTITION BY HASH (id); CREATE TABLE p PARTITION OF event_outbox FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE UNIQUE INDEX i ON ONLY event_outbox (id);`, noKeyState, 0, "it is valid once each partition has such an index"},
	"an index of the parent, attached": {`CREATE TABLE event_outbox (` + withoutIdentity + `) PARTITION BY HASH (id); CREATE TABLE p PARTITION OF event_outbox FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE UNIQUE INDEX i ON ONLY event_outbox (id); CREATE UNIQUE INDEX j ON p (id); ALTER INDEX i ATTACH PARTITION j;`, "", 0, ""},
	"a query":                          {strings.ReplaceAll(keyed, "event_outbox", "t") + `CREATE TABLE event_outbox AS SELECT * FROM t;`, noKeyState, 0, ""},
	"a query and a key":                {strings.ReplaceAll(keyed, "event_outbox", "t") + `CREATE TABLE event_outbox AS SELECT * FROM t; CREATE UNIQUE INDEX ON event_outbox (id);`, "", 0, ""},
	"a query with a domain":            {`CREATE DOMAIN d AS int NOT NULL; ` + strings.ReplaceAll(strings.Replace(keyed, "partition int", "partition int, n d", 1), "event_outbox", "t") + `CREATE TABLE event_outbox AS SELECT * FROM t; ALTER TABLE event_outbox ADD PRIMARY KEY (id);`, nullState, 0, "the query may change the type"},

	// Functions.
	"functions of one name":              {keyless + `CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox ADD PRIMARY KEY (id)'; CREATE FUNCTION f(n int) RETURNS void LANGUAGE sql AS 'SELECT 1'; SELECT f();`, "", 0, ""},
	"functions of one name, dropped":     {keyed + `CREATE FUNCTION f(n int) RETURNS void LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey'; DROP FUNCTION f(integer); SELECT f();`, noKeyState, 0, "a function may do nothing"},
	"a function of another schema":       {keyed + `CREATE SCHEMA old; CREATE FUNCTION old.f() RETURNS void LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey'; SELECT old.f();`, "", 0, ""},
	"a function that is replaced":        {tenant + `CREATE FUNCTION f(int) RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox ALTER tenant DROP NOT NULL'; CREATE OR REPLACE FUNCTION f(integer) RETURNS void LANGUAGE sql AS 'SELECT 1'; SELECT f(1);`, nullState, 0, ""},
	"a function that is dropped":         {tenant + `CREATE FUNCTION f(a text, b double precision) RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox ALTER tenant DROP NOT NULL'; DROP FUNCTION f(text, b float8);`, nullState, 0, ""},
	"a function that is dropped by name": {tenant + `CREATE FUNCTION f(a varchar(9)) RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox ALTER tenant DROP NOT NULL'; DROP FUNCTION IF EXISTS f;`, nullState, 0, ""},
	"an overload that is dropped":        {tenant + `CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox ALTER tenant DROP NOT NULL'; CREATE FUNCTION f(text) RETURNS void LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f(text); SELECT f();`, "", 0, ""},
	"a function that is renamed":         {tenant + `CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox ALTER tenant DROP NOT NULL'; ALTER FUNCTION f() RENAME TO g; SELECT g();`, "", 0, ""},
	"a function with an atomic body":     {tenant + `CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox ALTER tenant DROP NOT NULL'; CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT; END; SELECT f();`, nullState, 0, ""},
	"a procedure":                        {tenant + `CREATE PROCEDURE f(OUT a int) LANGUAGE plpgsql AS 'BEGIN ALTER TABLE event_outbox ALTER tenant DROP NOT NULL; END'; CALL f(NULL);`, "", 0, ""},
	"a default for a parameter":          {tenant + `CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS void LANGUAGE sql AS 'ALTER TABLE event_outbox ALTER tenant DROP NOT NULL'; SELECT f(1);`, "", 0, ""},

	// Blocks.
	"a block":                        {keyed + `DO $$ BEGIN ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey; END $$;`, noKeyState, 0, ""},
	"a block of an EXECUTE":          {keyed + `DO $$ BEGIN EXECUTE 'ALTER TABLE event_outbox RENAME CONSTRAINT event_outbox_pkey TO pk'; ALTER TABLE event_outbox DROP CONSTRAINT pk; END $$;`, noKeyState, 0, ""},
	"a block that drops NOT NULL":    {tenant + `DO $$ BEGIN ALTER TABLE event_outbox ALTER COLUMN tenant DROP NOT NULL; END $$;`, "", 0, ""},
	"a block that sets NOT NULL":     {keyed + `DO $$ BEGIN ALTER TABLE event_outbox ADD tenant uuid; ALTER TABLE event_outbox ALTER tenant SET NOT NULL; END $$;`, nullState, 0, ""},
	"a block that ends before":       {tenant + `DO $$ BEGIN IF current_setting('port') <> '' THEN RETURN; END IF; ALTER TABLE event_outbox ALTER COLUMN tenant DROP NOT NULL; END $$;`, nullState, 0, "a block may end before"},
	"a block that undoes it":         {keyed + `DO $$ BEGIN ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey; PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN NULL; END $$;`, "", 0, ""},
	"a block with a condition":       {keyed + `DO $$ BEGIN IF current_setting('port') = '' THEN ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey; END IF; END $$;`, "", 0, ""},
	"a block with a loop":            {keyed + `DO $$ BEGIN FOR i IN 1..0 LOOP ALTER INDEX event_outbox_pkey RENAME TO pk; END LOOP; END $$; ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_pkey;`, noKeyState, 0, "a loop may rename it"},
	"a block that adds a key":        {keyless + `DO $$ BEGIN ALTER TABLE event_outbox ADD PRIMARY KEY (id); END $$;`, "", 0, ""},
	"a block of another index":       {keyless + `CREATE SCHEMA old; CREATE TABLE old.t (id int); CREATE INDEX i ON old.t (id); CREATE UNIQUE INDEX i ON event_outbox (id); SET search_path = old, public; DO $$ BEGIN DROP INDEX i; END $$;`, "", 0, ""},
	"a block that never runs":        {tenant + `DO $$ BEGIN IF false THEN ALTER TABLE event_outbox ALTER tenant DROP NOT NULL; END IF; END $$;`, nullState, 0, ""},
	"a block that adds a constraint": {tenant + `DO $$ BEGIN ALTER TABLE event_outbox ADD CHECK (retry_count >= 0); END $$;`, nullState, 0, ""},
}

var withoutIdentity = strings.Replace(keylessColumns, "seq bigint GENERATED ALWAYS AS IDENTITY", "seq bigserial", 1)

const insertEvent = `INSERT INTO public.event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers)
	VALUES (gen_random_uuid(), 'a', 'b', 'c', 'd', 'e', '{}', NULL) ON CONFLICT (id) DO NOTHING`

var (
	stateIn = regexp.MustCompile(`SQLSTATE (\w{5})`)
	// fixIn matches the statement in a hint.
	fixIn = regexp.MustCompile(`ALTER TABLE event_outbox [^;]*|CREATE UNIQUE INDEX ON [^;]*`)
)

// The findings of insert-refused are what the servers say of an insert, which they accept
// after the fix that a finding has.
func TestRefusedIsWhatPostgresSays(t *testing.T) {
	t.Parallel()
	for name, test := range verdicts {
		var said []string
		for _, f := range sqlc.Refused(test.sql) {
			said = append(said, stateIn.FindStringSubmatch(f.Message)[1])
		}
		var want []string
		if test.state != "" && test.unknown == "" {
			want = []string{test.state}
		}
		if diff := cmp.Diff(want, slices.Compact(said)); diff != "" {
			t.Errorf("%s: SQLSTATE of the findings (-want +got):\n%s", name, diff)
		}
	}
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		conn := pg.Connect(t.Context())
		var major int
		if err := conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int / 10000").Scan(&major); err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(verdicts)) {
			test := verdicts[name]
			if test.since > major {
				continue
			}
			_, err := conn.Exec(t.Context(), "RESET search_path; DROP SCHEMA IF EXISTS public, old, x CASCADE; DISCARD TEMP; CREATE SCHEMA public")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), test.sql); err != nil {
				t.Errorf("%s: Postgres refuses the migration: %v", name, err)
				_, _ = conn.Exec(t.Context(), "ROLLBACK")
				continue
			}
			state := ""
			if _, err := conn.Exec(t.Context(), insertEvent); err != nil {
				of := new(pgconn.PgError)
				if !errors.As(err, &of) {
					t.Fatal(err)
				}
				state = of.Code
			}
			if diff := cmp.Diff(test.state, state); diff != "" {
				t.Errorf("%s: SQLSTATE of an insert (-want +got):\n%s", name, diff)
			}
			if state != laterState && state != noKeyState || strings.Contains(test.sql, "PARTITION BY RANGE") {
				continue
			}
			for _, f := range sqlc.Refused(test.sql) {
				if fix := fixIn.FindString(f.Hint); fix != "" {
					if _, err := conn.Exec(t.Context(), "RESET search_path; "+fix); err != nil {
						t.Errorf("%s: Postgres refuses %s: %v", name, fix, err)
					}
				}
			}
			if _, err := conn.Exec(t.Context(), insertEvent); err != nil && test.unknown == "" {
				t.Errorf("%s: after the fix: %v", name, err)
			}
		}
	})
}
