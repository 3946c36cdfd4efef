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
		"select '\\'; commit":                   {end}, // the backslash is not an escape there
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
		"listen x":                                                  nil,
	} {
		if diff := cmp.Diff(want, controls(sql, true), cmp.AllowUnexported(control{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", sql, diff)
		}
	}
}

func FuzzControls(f *testing.F) {
	f.Add("select $a$;'\"E'\\ /* -- ; savepoint")
	f.Fuzz(func(_ *testing.T, sql string) { controls(sql, true) })
}
