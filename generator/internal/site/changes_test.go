package site

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// A change that is compatible in one direction only is listed once, with what it
// breaks.
func TestOnce(t *testing.T) {
	t.Parallel()
	at := func(line int, id, direction string, compatible bool) finding.Finding {
		return finding.Finding{Pos: finding.Pos{File: "a", Line: line}, ID: id, Change: finding.Change{Direction: direction, Compatible: compatible}}
	}
	was := func(line int, f finding.Finding) finding.Finding {
		f.Old.Pos = finding.Pos{File: "old", Line: line}
		return f
	}
	got := once([]finding.Finding{
		at(1, "topic", "", false),
		at(2, "removed", "backward", false), at(2, "removed", "backward", false), at(2, "removed", "forward", true),
		at(3, "added", "backward", true), at(3, "added", "forward", false),
		at(4, "open", "backward", true), at(4, "open", "forward", true),
		at(5, "open", "forward", true),
		at(6, "both", "backward", false), at(6, "both", "forward", false),
		was(1, at(7, "removed", "forward", false)), was(2, at(7, "removed", "backward", true)), was(2, at(7, "removed", "forward", true)),
	})
	want := []finding.Finding{
		at(1, "topic", "", false),
		at(2, "removed", "backward", false), at(2, "removed", "backward", false),
		at(3, "added", "forward", false),
		at(4, "open", "backward", true),
		at(5, "open", "forward", true),
		at(6, "both", "backward", false), at(6, "both", "forward", false),
		was(1, at(7, "removed", "forward", false)), was(2, at(7, "removed", "backward", true)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
