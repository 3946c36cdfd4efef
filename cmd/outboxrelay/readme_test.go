package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadmeHasTheTableOfSettings(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := printMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- outboxrelay config --markdown -->\n")
	got, _, _ := strings.Cut(rest, "<!-- end -->")
	if diff := cmp.Diff(want.String(), got); diff != "" {
		t.Errorf("the README's table is not what outboxrelay config --markdown prints (-want +got):\n%s", diff)
	}
}
