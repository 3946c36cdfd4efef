package terminal_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"plain äöü 漢字 🙂", "plain äöü 漢字 🙂"},
		{"\x1b[31mred", `\x1b[31mred`},
		{"a\nb\rc\td\a", `a\nb\rc\td\x07`},
		{`C:\x1b`, `C:\\x1b`},
		{"\u009b31m\u202e\u2028\u200b", `\u009b31m\u202e\u2028\u200b`},
		{"\U000e0041", `\U000e0041`},
		{"bad \xff\xfe utf-8 \ufffd", `bad \xff\xfe utf-8 ` + "\ufffd"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, terminal.Text(tt.in)); diff != "" {
			t.Errorf("Text(%q) (-want +got):\n%s", tt.in, diff)
		}
	}
	if got := terminal.Lines("one\x1b\n\ttwo \\"); got != "one\\x1b\n  two \\" {
		t.Errorf("Lines = %q", got)
	}
}

func TestJSONMeansTheSame(t *testing.T) {
	t.Parallel()
	in := "a\u009b\u202e\U000e0041\x7f\x1b\n\u2028🙂\\"
	var out bytes.Buffer
	if err := json.NewEncoder(terminal.JSON(&out)).Encode(in); err != nil {
		t.Fatal(err)
	}
	if want := `"a\u009b\u202e\udb40\udc41\u007f\u001b\n\u2028🙂\\"` + "\n"; out.String() != want {
		t.Errorf("wrote %s, want %s", out.String(), want)
	}
	var back string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != in {
		t.Errorf("read back %q (%v)", back, err)
	}
}

func TestIs(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	if terminal.Is(null) {
		t.Error("the null device counts as a terminal")
	}
}
