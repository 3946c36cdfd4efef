package main

import (
	"bytes"
	"testing"

	"github.com/outboxgen/outboxgen/testdata/manyevents"
)

// Each event of the earlier version differs.
func TestEarlier(t *testing.T) {
	t.Parallel()
	now, before := manyevents.Project(4), earlier(manyevents.Project(4))
	changed := 0
	for name := range now {
		if !bytes.Equal(now[name], before[name]) {
			changed++
		}
	}
	if changed != 4 || len(now) != len(before) {
		t.Errorf("%d of %d files differ from %d, want 4", changed, len(now), len(before))
	}
}
