package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/testdata/manyevents"
)

const checkExplained = "`outboxgen check` on a project of 1,000 events, each of which differs from the earlier version in a folder by a " +
	"compatible change. It looks for risky schemas (lint), compares the generated code with the schemas, and compares the " +
	"versions; the last line leaves the generated code out. The barest code reads all files of both versions and decodes their YAML and JSON, and does nothing " +
	"with them. The CPU seconds and the peak are those of the process with its children."

// checkVariants measures the process outboxgen check. It needs a checkout of this
// repository.
func checkVariants(ctx context.Context, l *lab) ([]variant, error) {
	root, dir, err := l.build(ctx, "outboxgen")
	if err != nil {
		return nil, err
	}
	g := &generated{dir: filepath.Join(dir, "changed"), outboxgen: filepath.Join(dir, "outboxgen")}
	if err := g.write(root, l.effort.schemas); err != nil {
		return nil, err
	}
	before := filepath.Join(dir, "before")
	if err := writeFiles(before, earlier(manyevents.Project(l.effort.schemas))); err != nil {
		return nil, err
	}
	if _, err := g.generate(ctx); err != nil { // what check compares
		return nil, err
	}
	check := func(more ...string) measurement {
		return func(ctx context.Context) ([]float64, error) {
			return g.measure(ctx, g.outboxgen, append([]string{"check", "--against", before}, more...)...)
		}
	}
	return []variant{
		{"read and decode both versions", bareLabel, 0, func(ctx context.Context) ([]float64, error) {
			cmd, err := job{Decode: []string{before, filepath.Join(g.dir, "schemas")}}.command(ctx)
			if err != nil {
				return nil, err
			}
			return timed(cmd)
		}},
		{"outboxgen check", oursLabel, 0, check()},
		{"outboxgen check, without generated code", "skip", 0, check("--skip", "generated")},
	}, nil
}

// earlier returns the files of an earlier version: ids were limited to fewer characters.
func earlier(files map[string][]byte) map[string][]byte {
	const now, before = "255", "200"
	for name, content := range files {
		for _, form := range []string{"maxLength: ", `"maxLength": `} {
			content = bytes.ReplaceAll(content, []byte(form+now), []byte(form+before))
		}
		files[name] = content
	}
	return files
}

// decodeAll reads the YAML and JSON files in folders, and decodes them.
func decodeAll(folders []string) error {
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			decode := yaml.Unmarshal
			if filepath.Ext(path) == ".json" {
				decode = json.Unmarshal
			}
			var into any
			if err := decode(text, &into); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
