package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator"
)

func TestReportOptions(t *testing.T) {
	t.Parallel()
	// The null device is a character device, as a terminal is.
	terminal, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	for name, test := range map[string]struct {
		io   streams
		env  map[string]string
		want generator.ReportOptions
	}{
		"terminal":               {streams{Err: terminal}, map[string]string{"TERM": "xterm"}, generator.ReportOptions{Carets: true, Color: true}},
		"terminal with NO_COLOR": {streams{Err: terminal}, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, generator.ReportOptions{Carets: true}},
		"dumb terminal":          {streams{Err: terminal}, map[string]string{"TERM": "dumb"}, generator.ReportOptions{Carets: true}},
		"file":                   {streams{Err: file}, nil, generator.ReportOptions{}},
		"pipe":                   {streams{Err: new(bytes.Buffer)}, nil, generator.ReportOptions{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.io.Env = func(name string) string { return test.env[name] }
			if diff := cmp.Diff(test.want, test.io.reportOptions()); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}
