package manyevents_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/testdata/manyevents"
)

// An event is the same in a project of any size, so that measurements can be compared.
func TestProjectIsStable(t *testing.T) {
	t.Parallel()
	few, many := manyevents.Project(5), manyevents.Project(manyevents.Most)
	const others = 7 // the project file and what the events share
	if len(few) != 5+others || len(many) != manyevents.Most+others {
		t.Errorf("%d and %d files", len(few), len(many))
	}
	maps.DeleteFunc(many, func(name string, _ []byte) bool { _, ok := few[name]; return !ok })
	if diff := cmp.Diff(few, many); diff != "" {
		t.Errorf("the files of five events, in a project of five and of many (-few +many):\n%s", diff)
	}
}
