package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A terminal has one line, which changes. A file and a pipe have one for each measurement.
func TestProgress(t *testing.T) {
	t.Parallel()
	tell := func(p progress) {
		p.say("first …")
		p.say("second …")
		p.clear()
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "progress.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it is read below
	tell(newProgress(file))
	inFile, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	var terminal strings.Builder
	tell(progress{to: &terminal, terminal: true})
	want := map[string]string{
		"file":     "first …\nsecond …\n",
		"terminal": "\r\033[Kfirst …\r\033[Ksecond …\r\033[K",
	}
	got := map[string]string{"file": string(inFile), "terminal": terminal.String()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}
