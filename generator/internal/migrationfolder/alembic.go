package migrationfolder

import (
	"path/filepath"
	"slices"
)

// AlembicProject says where a service keeps its Alembic migrations. Both paths are
// relative to the project, with forward slashes.
type AlembicProject struct {
	Versions string // the folder of the migrations, which need not exist yet
	Script   string // the folder of env.py; "": there is none above Versions
}

// SearchAlembic searches a project for folders of Alembic migrations: those next to an
// env.py, and those that contain migrations. Folders nearer to the root come first,
// then by name.
func SearchAlembic(root string) ([]AlembicProject, error) {
	var all []AlembicProject
	err := eachFolder(root, func(dir string) error {
		found, ok, err := lookAlembic(root, dir)
		if ok && !slices.ContainsFunc(all, func(p AlembicProject) bool { return p.Versions == found.Versions }) {
			all = append(all, found)
		}
		return err
	})
	return all, err
}

const envFile = "env.py"

// lookAlembic checks whether one folder has Alembic's env.py or migrations.
func lookAlembic(root, dir string) (AlembicProject, bool, error) {
	names, err := list(filepath.Join(root, dir))
	if err != nil {
		return AlembicProject{}, false, err
	}
	switch path := filepath.Join(root, dir); {
	case slices.Contains(names, envFile) && isAlembic(path, []string{envFile}):
		return AlembicProject{Versions: filepath.ToSlash(filepath.Join(dir, "versions")), Script: filepath.ToSlash(dir)}, true, nil
	case !slices.Contains(names, envFile) && isAlembic(path, names):
		return AlembicProject{Versions: filepath.ToSlash(dir)}, true, nil
	}
	return AlembicProject{}, false, nil
}
