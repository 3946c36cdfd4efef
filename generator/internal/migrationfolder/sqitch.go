package migrationfolder

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sqitch reads Sqitch's migrations in the order of the plan: of its folder, or of the
// folder deploy in it.
func sqitch(dir string, names []string) (files []File, ok bool, err error) {
	folder := "deploy"
	plan := filepath.Join(dir, "sqitch.plan")
	if !slices.Contains(names, "sqitch.plan") {
		if filepath.Base(dir) != folder {
			return nil, false, nil
		}
		plan, folder = filepath.Join(dir, "..", "sqitch.plan"), ""
	}
	content, err := os.ReadFile(plan)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	changes := planned(string(content))
	for i, change := range changes {
		name := path.Join(folder, fileOf(changes, i, func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, folder, name))
			return err == nil
		}))
		text, err := readSQL(filepath.Join(dir, name))
		switch {
		case change.tag, errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, false, &UnreadableError{name, err}
		}
		files = append(files, File{Name: name, SQL: up(text)})
	}
	return files, len(files) > 0, nil
}

// change is a change or a tag in a plan of Sqitch.
type change struct {
	name string
	tag  bool
}

func planned(plan string) []change {
	var all []change
	for line := range strings.Lines(plan) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0, strings.ContainsAny(fields[0][:1], "%#-"):
		case fields[0][0] == '@':
			all = append(all, change{fields[0], true})
		default:
			all = append(all, change{strings.TrimPrefix(fields[0], "+"), false})
		}
	}
	return all
}

// fileOf returns the file of a change. A change that is reworked later is in a file
// with the name of a tag between the two.
func fileOf(changes []change, index int, exists func(name string) bool) string {
	name := changes[index].name
	again := slices.IndexFunc(changes[index+1:], func(c change) bool { return c.name == name })
	if again < 0 {
		return name + ".sql"
	}
	for _, between := range slices.Backward(changes[index+1 : index+1+again]) {
		if between.tag && exists(name+between.name+".sql") {
			return name + between.name + ".sql"
		}
	}
	return name + ".sql"
}
