package generator

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
	"github.com/outboxgen/outboxgen/migrations"
)

// AlembicRevision is one migration of Alembic.
type AlembicRevision struct {
	ID   string
	File string // relative to the folder of the migrations, with forward slashes
}

// AlembicHeads returns the revisions in a folder of Alembic's versions that have no
// successor there, sorted by file. It returns none for an empty or missing folder. The
// error names the file whose place in the chain is unknown.
func AlembicHeads(dir string) ([]AlembicRevision, error) {
	found, err := migrationfolder.Heads(dir)
	if err != nil {
		return nil, err
	}
	var heads []AlembicRevision
	for _, r := range found {
		heads = append(heads, AlembicRevision{ID: r.ID, File: r.File})
	}
	return heads, nil
}

// AlembicFolder says where a project keeps Alembic migrations. Both paths are relative
// to the searched folder, with forward slashes.
type AlembicFolder struct {
	Versions string // the folder of the migrations, which need not exist yet
	Script   string // the folder of env.py; "": it is not known
}

// FindAlembic searches dir, up to five folders deep, for Alembic migrations. The
// nearest comes first, then the first by name.
func FindAlembic(dir string) ([]AlembicFolder, error) {
	found, err := migrationfolder.SearchAlembic(dir)
	if err != nil {
		return nil, fmt.Errorf("look for Alembic migrations: %w", err)
	}
	var folders []AlembicFolder
	for _, f := range found {
		folders = append(folders, AlembicFolder(f))
	}
	return folders, nil
}

// AlembicFilter returns the file that keeps Alembic's autogenerate from changing or
// dropping the outbox's tables. Its path is relative to the folder of env.py.
func AlembicFilter() File {
	f := migrations.AlembicFilter()
	return File{Path: f.Name, Content: f.Content}
}

// HasAlembicEnv reports whether a folder has Alembic's env.py.
func HasAlembicEnv(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "env.py"))
	return err == nil
}
