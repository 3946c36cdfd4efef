package migrationfolder_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
)

// What a changelog does not do on the way up is blank. The rest is as it was, at its
// place. In want, ~ stands for what is blank.
func TestChangesOnTheWayUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ ext, content, want string }{
		"XML": {
			".xml",
			"<changeSet><!-- a\n--><preConditions onFail=\"HALT\"><tableExists tableName=\"a\"/></preConditions>\n<dropTable tableName=\"b\"/><rollback/>\n<rollback>\n<createTable tableName=\"a\"/></rollback></changeSet>",
			"<changeSet>~\n~\n<dropTable tableName=\"b\"/>~\n~\n~</changeSet>",
		},
		"JSON": {
			".json",
			`{"changes": [{"dropTable": {"tableName": "b"}}], "rollback": [{"sql": "] } \" a"}, 1], "preConditions": {"x": [{}]}, "next": 1, "rollback": "a"}`,
			`{"changes": [{"dropTable": {"tableName": "b"}}], "rollback": ~], "preConditions": ~}, "next": 1, "rollback": ~"}`,
		},
		"YAML": {
			".yaml",
			"- changeSet:\n    preConditions:\n    - tableExists:\n        tableName: a\n    changes:\n    # a\n    - dropTable:\n        tableName: b\n    - rollback: empty\n    rollback:\n      - createTable:\n\n          tableName: a\n- changeSet:\n    id: 2\n",
			"- changeSet:\n    ~\n    ~\n        ~\n    changes:\n    ~\n    - dropTable:\n        tableName: b\n    ~\n    ~\n      ~\n\n          ~\n- changeSet:\n    id: 2\n",
		},
		"JSON without an end": {".json", `{"rollback": [`, `{"rollback": ~`},
	} {
		got := migrationfolder.UpOnly([]byte(test.content), test.ext)
		shown := []byte(test.content)
		for i := range got {
			if got[i] != shown[i] {
				shown[i] = '~'
			}
		}
		if diff := cmp.Diff(test.want, regexp.MustCompile(`~[~ ]*`).ReplaceAllString(string(shown), "~")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
