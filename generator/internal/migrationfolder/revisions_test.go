package migrationfolder_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
)

func TestHeadsOfAlembic(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  []migrationfolder.Revision
		err   string
	}{
		{name: "no folder"},
		{
			name: "as Alembic's template writes it",
			files: map[string]string{
				"a.py": "\"\"\"First\n\nRevision ID: a1\nrevision = \"x\"\n\"\"\"\nfrom typing import Sequence, Union\nrevision: str = 'a1'\ndown_revision: Union[str, Sequence[str], None] = None\n",
				"b.py": "revision: str = \"b2\"  # the second\ndown_revision: str | None = \"a1\"\n\n\ndef upgrade():\n    revision = other()\n    op.execute('''\nrevision = 1\n''')\n",
			},
			want: []migrationfolder.Revision{{ID: "b2", Down: []string{"a1"}, File: "b.py"}},
		},
		{
			name: "merged",
			files: map[string]string{
				"a.py": "revision = 'a'\ndown_revision = None", "b.py": "revision = 'b'\ndown_revision = 'a'", "c.py": "revision = 'c'\ndown_revision = ('a')",
				"m.py": "revision = 'm'\ndown_revision = (\n    'b',  # one\n    \"c\",\n)\n",
			},
			want: []migrationfolder.Revision{{ID: "m", Down: []string{"b", "c"}, File: "m.py"}},
		},
		{
			name: "two heads, one in a folder below",
			files: map[string]string{
				"a.py": "revision = 'a'\ndown_revision = None\n", "b.py": "revision = 'b'\ndown_revision = ['a']\n", "2025/c.py": "revision = 'c'\ndown_revision = 'a'\n",
				"__init__.py": "", "__pycache__/d.py": "not looked at", ".e.py": "not looked at", "README": "not looked at",
			},
			want: []migrationfolder.Revision{{ID: "c", Down: []string{"a"}, File: "2025/c.py"}, {ID: "b", Down: []string{"a"}, File: "b.py"}},
		},
		{
			name:  "the one before is elsewhere",
			files: map[string]string{"b.py": "revision = 'b'\ndown_revision = 'a'\n"},
			err:   "b.py follows the revision a, which is not in this folder",
		},
		{
			name:  "computed",
			files: map[string]string{"b.py": "import this\nrevision = 'b'\ndown_revision = this.before()\n"},
			err:   "b.py: line 3: cannot tell what down_revision is",
		},
		{
			name:  "no migration",
			files: map[string]string{"lib/common.py": "x = {'revision': 1,\nrevision = 2}\nrevision == 3\n"},
			err:   `lib/common.py: no line "revision = ..."`,
		},
		{
			name:  "two names",
			files: map[string]string{"b.py": "revision = 'b', 'c'\ndown_revision = None\n"},
			err:   "b.py: revision is not one string",
		},
		{
			name:  "a byte order mark",
			files: map[string]string{"a.py": "\ufeffrevision = 'a'\ndown_revision = None\n"},
			want:  []migrationfolder.Revision{{ID: "a", File: "a.py"}},
		},
		{
			name:  "a circle",
			files: map[string]string{"a.py": "revision = 'a'\ndown_revision = 'b'\n", "b.py": "revision = 'b'\ndown_revision = 'a'\n"},
			err:   "the revisions form a circle, and a.py is one of them",
		},
		{
			name:  "never ends",
			files: map[string]string{"b.py": "x = 'b\nrevision = 'c'\ndown_revision = ('''a"},
			err:   "b.py: line 3: cannot tell what down_revision is",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "versions")
			for name, text := range tc.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := migrationfolder.Heads(dir)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != tc.err {
				t.Errorf("error %q, want %q", message, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("heads (-want +got):\n%s", diff)
			}
		})
	}
}
