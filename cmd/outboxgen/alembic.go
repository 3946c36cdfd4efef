package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/outboxgen/outboxgen/cmd/outboxgen/internal/output"
	"github.com/outboxgen/outboxgen/generator"
	"github.com/outboxgen/outboxgen/migrations"
)

// firstRevision is what --down-revision says where no revision comes before, as
// Alembic calls it.
const firstRevision = "base"

// runAlembic prints or writes a migration of Alembic behind the head, and writes
// the filter for autogenerate beside env.py.
func runAlembic(io streams, at project, cfg generator.MigrationConfig, to destination) error {
	folders, err := generator.FindAlembic(at.dir)
	if err != nil {
		return err
	}
	if cfg.DownRevision, err = downRevision(at, folders, cfg.DownRevision, to.folder); err != nil {
		return err
	}
	files, err := generator.Migration(cfg)
	if err != nil {
		return err
	}
	if to.folder == "" {
		return printMigration(io, cfg.Format, files, to.down)
	}
	if cfg.Grants || cfg.Pauses || cfg.Moved {
		return writeNew(io, cfg.Dir, to.folder, files)
	}
	filter, err := filterFor(at, folders, to.folder)
	if err != nil {
		return err
	}
	if err := writeNew(io, cfg.Dir, to.folder, files); err != nil {
		return err
	}
	return filter.write(io, at)
}

func printFilter(io streams, format string) error {
	if format != "" && format != string(migrations.Alembic) {
		return fmt.Errorf("--autogenerate needs Alembic, but --format is %s; remove one of them", format)
	}
	f := generator.AlembicFilter()
	if err := printf(io.Err, "file: %s, beside env.py\n", f.Path); err != nil {
		return err
	}
	return printf(io.Out, "%s", f.Content)
}

// downRevision returns the revision that a new Alembic migration follows: the one
// that the flag names, or else the only head of the folder that the migration
// goes into. It is "" where the migration is the first one.
func downRevision(at project, folders []generator.AlembicFolder, flag, out string) (string, error) {
	switch flag {
	case "":
	case firstRevision:
		return "", nil
	default:
		return flag, nil
	}
	shown, err := versionsFolder(at, folders, out)
	if err != nil {
		return "", err
	}
	heads, err := generator.AlembicHeads(joinDir(at.dir, shown))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot determine the head revision of %s: %w; set --down-revision to the output of \"alembic heads\"", shown, err)
	case len(heads) == 1:
		return heads[0].ID, nil
	case len(heads) == 0:
		return "", refuseSecondChain(at, folders, shown)
	}
	var lines strings.Builder
	for _, head := range heads {
		fmt.Fprintf(&lines, "\n  --down-revision %s    (%s)", head.ID, head.File)
	}
	return "", fmt.Errorf("%s has %d heads; nothing was written; run \"alembic merge heads\" first, or select the head to follow:%s", shown, len(heads), lines.String())
}

// versionsFolder returns the folder whose head a migration follows.
func versionsFolder(at project, folders []generator.AlembicFolder, out string) (string, error) {
	switch {
	case out != "" && generator.HasAlembicEnv(joinDir(at.dir, out)):
		return "", fmt.Errorf("%s contains Alembic's env.py, but the migrations belong in the folder beside it; use --out %s", out, filepath.Join(out, "versions"))
	case out != "":
		return out, nil
	case len(folders) == 1:
		return folders[0].Versions, nil
	case len(folders) == 0:
		return "", errors.New("there are no Alembic migrations here, so the head revision is unknown; " +
			"set --down-revision to the output of \"alembic heads\", or --down-revision " + firstRevision + " if this is the first migration")
	}
	var names []string
	for _, f := range folders {
		names = append(names, f.Versions)
	}
	return "", fmt.Errorf("there are several folders of Alembic migrations: %s; select one with --out, or set --down-revision", strings.Join(names, ", "))
}

// refuseSecondChain returns an error if another folder than the empty one has
// revisions: the new migration would stand beside them, not behind them.
func refuseSecondChain(at project, folders []generator.AlembicFolder, shown string) error {
	for _, f := range folders {
		if filepath.Clean(joinDir(at.dir, shown)) == filepath.Clean(joinDir(at.dir, f.Versions)) {
			continue
		}
		if heads, err := generator.AlembicHeads(joinDir(at.dir, f.Versions)); err != nil || len(heads) > 0 {
			return fmt.Errorf("%s has no revisions, but %s does; use --out %s, or --down-revision %s if this migration does not follow them",
				shown, f.Versions, f.Versions, firstRevision)
		}
	}
	return nil
}

// alembicFilter is the file that keeps autogenerate from changing the tables,
// and where it goes.
type alembicFilter struct {
	file   output.File
	folder string // that of env.py; "": it is not known
	same   bool   // the file is there already
}

// filterFor finds out where the filter goes for migrations in the folder out. A
// file of that name that is not ours is an error.
func filterFor(at project, folders []generator.AlembicFolder, out string) (alembicFilter, error) {
	written := generator.AlembicFilter()
	f := alembicFilter{file: output.File{Path: written.Path, Content: written.Content}}
	if beside := filepath.Join(out, ".."); generator.HasAlembicEnv(joinDir(at.dir, beside)) {
		f.folder = beside
	} else if len(folders) == 1 {
		f.folder = folders[0].Script
	}
	if f.folder == "" {
		return f, nil
	}
	there, err := os.ReadFile(filepath.Join(joinDir(at.dir, f.folder), f.file.Path))
	if errors.Is(err, os.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", filepath.Join(f.folder, f.file.Path), err)
	}
	title, _, _ := bytes.Cut(f.file.Content, []byte("\n"))
	if !bytes.HasPrefix(there, title) {
		return f, fmt.Errorf("%s already exists and outboxgen did not generate it; nothing was written", filepath.Join(f.folder, f.file.Path))
	}
	f.same = bytes.Equal(there, f.file.Content)
	return f, nil
}

// write writes the filter, and says what env.py lacks.
func (f alembicFilter) write(io streams, at project) error {
	if f.folder == "" {
		return printf(io.Err, "outboxgen: %s was not written, because there is no env.py; print it with --autogenerate, and put it beside env.py\n", f.file.Path)
	}
	if !f.same {
		if err := apply(io, joinDir(at.dir, f.folder), f.folder, []output.File{f.file}, nil); err != nil {
			return err
		}
	}
	module := strings.TrimSuffix(f.file.Path, ".py")
	env := filepath.Join(f.folder, "env.py")
	if source, err := os.ReadFile(joinDir(at.dir, env)); err == nil && bytes.Contains(source, []byte(module)) {
		return nil
	}
	return printf(io.Out, `
Next, so that autogenerate leaves the outbox's tables alone: in %s, before the functions,

    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parent))
    import %s

and in every call of context.configure:

        include_name=%s.include_name,
        include_object=%s.include_object,
`, env, module, module, module)
}
