package outbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestControls(t *testing.T) {
	t.Parallel()
	end := control{kind: controlEnd}
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
		"do $$ begin; commit; end $$":           nil,
		"do $a$ ; $$ ; commit $a$; commit":      {end},
		"select $1; commit":                     {end},
		"select $1$; commit":                    {end},
		"select a$b$; savepoint c":              {{controlSavepoint, "c"}},
		"select '; commit":                      nil,
		"select $x$; commit":                    nil,
		"select 1 -- ; commit":                  nil,
		"/* ; commit":                           nil,
		"select commit from t":                  nil,
		"savepoint":                             {{controlSavepoint, ""}},
	} {
		if diff := cmp.Diff(want, controls(sql), cmp.AllowUnexported(control{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", sql, diff)
		}
	}
}

func FuzzControls(f *testing.F) {
	f.Add("select $a$;'\"E'\\ /* -- ; savepoint")
	f.Fuzz(func(_ *testing.T, sql string) { controls(sql) })
}
