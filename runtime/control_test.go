package outbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestControls(t *testing.T) {
	t.Parallel()
	end, meaning := control{kind: controlEnd}, control{kind: controlMeaning}
	for sql, want := range map[string][]control{
		"":                                      nil,
		"select 1":                              nil,
		"-- name: X :exec\nupdate t set a = $1": nil,
		"begin":                                 nil,
		"SAVEPOINT A":                           {{controlSavepoint, "a"}},
		`savepoint "A ""b"`:                     {{controlSavepoint, `A "b`}},
		" /* x /* y */ */ -- z\n savepoint a;":  {{controlSavepoint, "a"}},
		"release savepoint a; release b":        {{controlRelease, "a"}, {controlRelease, "b"}},
		"rollback to a":                         {{controlRollbackTo, "a"}},
		"rollback work to savepoint a":          {{controlRollbackTo, "a"}},
		"ROLLBACK TRANSACTION TO a":             {{controlRollbackTo, "a"}},
		"rollback":                              {end},
		"rollback and chain":                    {end},
		"abort":                                 {end},
		"commit":                                {end},
		"End;":                                  {end},
		"prepare transaction 'x'":               {end},
		"prepare x as select 1":                 nil,
		"select 1; commit":                      {end},
		"select ';commit'":                      nil,
		"select '\\'; commit":                   {end}, // the backslash is not an escape here
		"select E'\\'; commit'":                 nil,
		"select 'it''s; commit'":                nil,
		`select "; commit"`:                     nil,
		"do $$ begin; commit; end $$":           {meaning},
		"do $a$ ; $$ ; commit $a$; commit":      {meaning, end},
		"select $1; commit":                     {end},
		"select $1$; commit":                    {end},
		"select a$b$; savepoint c":              {{controlSavepoint, "c"}},
		"select '; commit":                      nil,
		"select $x$; commit":                    nil,
		"select 1 -- ; commit":                  nil,
		"/* ; commit":                           nil,
		"select commit from t":                  nil,
		"savepoint":                             {{controlSavepoint, ""}},

		"create function f() returns int begin atomic select 1; select case when a then b end; END; commit":       {meaning, end},
		"CREATE OR REPLACE PROCEDURE p(begin int) BEGIN ATOMIC; insert into t values (1) returning a as end; END": {meaning},
		`create procedure p() begin/**/atomic select t.end, "end" from t; end; savepoint a`:                       {meaning, {controlSavepoint, "a"}},
		"create function f() returns int language sql return 1; end":                                              {meaning, end},
		"create function f() returns int language sql as $$ begin atomic $$; commit":                              {meaning, end},
		"create temp table begin (atomic int); commit":                                                            {end},
		"create table atomic (begin atomic); commit":                                                              {meaning, end},

		"set search_path to b":                                 {meaning},
		"SET LOCAL Search_Path = b; savepoint a":               {meaning, {controlSavepoint, "a"}},
		"set local role b":                                     {meaning},
		"set session authorization default":                    {meaning},
		"set session characteristics as transaction read only": nil,
		"set constraints all deferred":                         nil,
		"set transaction isolation level serializable":         nil,
		"set transaction read only":                            {meaning},
		"start transaction read only":                          {meaning},
		"set local app.tenant = 'a'":                           {meaning},
		"set local log_x.tenant = 'a'":                         {meaning},
		"set local lock_timeout = '1s'":                        nil,
		"set statement_timeout to 0":                           nil,
		"set local synchronous_commit = off":                   nil,
		"set local enable_seqscan = off":                       nil,
		"set time zone 'UTC'":                                  {meaning},
		"set xml option document":                              {meaning},
		"set":                                                  {meaning},
		"reset all":                                            {meaning},
		"reset role":                                           {meaning},
		"reset lock_timeout":                                   nil,
		"discard plans":                                        {meaning},
		"select set_config('search_path', $1, true)":           {meaning},
		"select set_config($1, $2, true)":                      {meaning},
		"select set_config('lock_' || 'timeout', '', true)":    {meaning},
		"select set_config('lock_timeout', '1s', true)":        nil,
		"select set_config('lock_timeout', '1s', true), set_config('role', 'b', true)": {meaning},
		"select set_config":                         {meaning},
		"select 'set_config(' from t":               nil,
		"select 1 -- set_config('role', 'b', true)": nil,
		"select current_setting('search_path')":     nil,
		"select now(), lower(x) from t for update":  nil,
		"call f()":  {meaning},
		"execute x": {meaning},
		"prepare x as select set_config('role', 'b', true)":         {meaning},
		"create table t (a int)":                                    {meaning},
		"create temp table t (a int) on commit drop":                nil,
		"create temporary table event_outbox (a int)":               {meaning},
		"alter table event_outbox disable row level security":       {meaning},
		"drop policy p on event_outbox":                             {meaning},
		"truncate t":                                                nil,
		"truncate t cascade":                                        {meaning},
		"delete from a.event_outbox":                                {meaning},
		`delete from "event_outbox"`:                                {meaning},
		"lock table t, event_outbox":                                {meaning},
		"delete from t":                                             nil,
		"insert into t select set_config('role', 'b', true)":        {meaning},
		"select * from event_outbox":                                nil,
		"with x as (delete from event_outbox returning 1) select 1": {meaning},
		"update pg_settings set setting = 'b' where name = 'role'":  {meaning},
		"select * from pg_settings":                                 nil,
		"fetch next from c":                                         {meaning},
		"move forward all in c":                                     {meaning},
		"declare c cursor for select 1":                             nil,
		"close c":                                                   nil,
		"explain (analyze, buffers) select 1":                       {meaning},
		"create temp table t as execute p":                          {meaning},
		"create temp table t as select 1":                           nil,
		`select U&"set\005fconfig"('role', 'b', true)`:              {meaning},
		`delete from u&"event!005foutbox" uescape '!'`:              {meaning},
		`select u&1, U&'x', u & "a" from t`:                         nil,
		"select pg_catalog.Query_To_XML($1, true, false, '')":       {meaning},
		"select cursor_to_xml('c', 1, true, false, '')":             {meaning},
		"select word from ts_stat($1)":                              {meaning},
		"select 'query_to_xml'":                                     nil,
		"listen x":                                                  nil,
	} {
		if diff := cmp.Diff(want, controls(sql, true), cmp.AllowUnexported(control{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", sql, diff)
		}
	}
}

// The server is not asked about text that is clearly SQL, because that would cost a
// round trip.
func TestOnlyWhatMayBeANameIsLookedUp(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": false, ";": false, "select 1": false, "-- name: Get :one\nSELECT 1": false, "(select 1)": false, "/* x */ with a as (select 1) table a": false,
		"insert into t values ($1)": false, "values(1)": false,
		"get_tenant": true, "begin": true, "switch tenant": true, "tenant(b)": true, "1 2": true, "é à": true, `"select" 1`: true,
	} {
		if got := mayBePrepared(text); got != want {
			t.Errorf("mayBePrepared(%q) = %v", text, got)
		}
	}
}

func FuzzControls(f *testing.F) {
	f.Add("select $a$;'\"E'\\ /* -- ; savepoint")
	f.Fuzz(func(_ *testing.T, sql string) { controls(sql, true) })
}
