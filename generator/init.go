package generator

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"

	"golang.org/x/mod/modfile"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/schemas"
)

//go:embed scaffold/*.tmpl
var scaffold embed.FS

var scaffolds = template.Must(template.New("").Funcs(template.FuncMap{"yaml": yamlString}).ParseFS(scaffold, "scaffold/*.tmpl"))

var plainYAML = regexp.MustCompile(`^[a-z][a-z0-9_./-]*$`)

// yamlString writes any text as a YAML string, with quotes if needed.
func yamlString(text string) (string, error) {
	if plainYAML.MatchString(text) && !slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}, text) {
		return text, nil
	}
	quoted, err := json.Marshal(text) // a JSON string is a YAML string
	return string(quoted), err
}

// InitConfig configures a new project.
type InitConfig struct {
	// Dir is the folder of go.mod, and of the project file. Default: the current
	// folder.
	Dir string
	// Service is the service's name in the project file. Default: the last
	// element of the module path, in snake_case.
	Service string
	// Out is the folder of the generated package, relative to Dir. Default:
	// events.
	Out string
	// Version is the version of outboxgen in the go:generate line. Default:
	// latest.
	Version string
	// Time is the version in the name of a migration file.
	Time time.Time
}

// Project is a new project.
type Project struct {
	// Files are the files to write, sorted by path, relative to InitConfig.Dir.
	// Existing files are not included.
	Files []File
	// Kept are the files that exist already and are not written.
	Kept []string
	// Migrations is the result of FindMigrations; its Format is "" if there are none.
	Migrations Migrations
	// Next are the remaining steps for the user.
	Next []string
}

// ErrInitialized is returned by Init if there is a project file already.
var ErrInitialized = errors.New(DefaultFile + " already exists; edit it, then run outboxgen generate")

// directiveFile has the go:generate line. go generate lists the files of a package
// before it runs anything, and fails at one that was removed meanwhile. So this file is
// the last one: every file that the run may remove sorts before it.
const directiveFile = "zz_generate.go"

// Init lays out a new project: the project file, an example of an event schema if the
// folder schemas has no event yet, and the go:generate line; also a migration with the outbox's tables, where a
// folder of a tool that Formats lists has none yet. It writes
// nothing, and never replaces a file.
func Init(cfg InitConfig) (*Project, error) {
	cfg.Dir, cfg.Out, cfg.Version = cmp.Or(cfg.Dir, "."), cmp.Or(cfg.Out, "events"), cmp.Or(cfg.Version, "latest")
	if _, err := os.Lstat(filepath.Join(cfg.Dir, DefaultFile)); err == nil {
		return nil, ErrInitialized
	}
	module, err := moduleIn(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cfg.Service == "" {
		cfg.Service = serviceName(module)
	}
	found, ok, err := FindMigrations(cfg.Dir)
	if err != nil {
		return nil, err
	}
	p := &Project{}
	if ok {
		p.Migrations = found
	}
	readable, err := p.migration(cfg)
	if err != nil {
		return nil, err
	}
	if err := p.texts(cfg, readable); err != nil {
		return nil, err
	}
	if err := p.keep(cfg.Dir); err != nil {
		return nil, err
	}
	if within, ok := importableWithin(path.Join(module, path.Clean(filepath.ToSlash(cfg.Out)))); ok {
		p.Next = append(p.Next, "note that only packages of "+within+" can import "+cfg.Out+"; if other modules consume the events, set out: to a folder outside internal/")
	}
	p.Next = append(p.Next,
		"go get github.com/outboxgen/outboxgen/runtime@"+cfg.Version+" for the package that the generated code imports",
		"describe your own events in schemas/, then run go generate ./"+cfg.Out,
		"run go mod tidy once your code uses the package")
	return p, nil
}

// atlasSum is the only file that a new migration changes. Init leaves that to Atlas.
const atlasSum = "atlas.sum"

// moduleIn returns the module path of the go.mod in a folder.
func moduleIn(dir string) (string, error) {
	name := filepath.Join(dir, "go.mod")
	content, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no go.mod in %s; run go mod init, or give the folder of go.mod with -C", dir)
	}
	if err != nil {
		return "", fmt.Errorf("read go.mod: %w", err)
	}
	module := modfile.ModulePath(content)
	if module == "" {
		return "", fmt.Errorf("%s names no module", name)
	}
	return module, nil
}

// serviceName returns the last element of a module path that is not a major version,
// in snake_case.
func serviceName(module string) string {
	base := path.Base(module)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" && path.Dir(module) != "." {
		base = path.Base(path.Dir(module))
	}
	return snake(base)
}

// snake makes a name that is valid in a topic from any text.
func snake(text string) string {
	name := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLower(r) || unicode.IsDigit(r)) {
			return r
		}
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return '_'
	}, text)
	return strings.Trim(name, "_")
}

// migration adds the migration for the outbox's tables if it is missing, and reports
// whether sqlc can read the service's migrations.
func (p *Project) migration(cfg InitConfig) (readable bool, err error) {
	found := p.Migrations
	printed := "add the outbox tables to the database: outboxgen migration --format "
	switch {
	case found.Format == "":
		p.Next = append(p.Next, printed+string(migrations.Plain))
		return false, nil
	case found.Format == string(migrations.Alembic):
		folders, err := FindAlembic(cfg.Dir)
		if err != nil {
			return false, err
		}
		versions := "alembic/versions"
		if len(folders) > 0 {
			versions = folders[0].Versions
		}
		p.Next = append(p.Next, printed+found.Format+" --out "+versions)
		return false, nil
	}
	_, there, err := FindOutbox(join(cfg.Dir, found.Path), "")
	if err != nil || there {
		return there, err
	}
	if found.Format == string(migrations.Plain) {
		p.Next = append(p.Next, printed+found.Format+"; put its output into "+found.Path+", and set sqlc.migrations in "+DefaultFile+" to this path")
		return false, nil
	}
	files, err := Migration(MigrationConfig{Format: found.Format, Dir: join(cfg.Dir, found.Path), Time: cfg.Time})
	if err != nil {
		return false, err
	}
	for _, f := range files {
		if f.Path != atlasSum {
			p.Files = append(p.Files, File{Path: path.Join(found.Path, f.Path), Content: f.Content})
		}
	}
	step := "review and apply the migration in " + found.Path
	if found.Format == string(migrations.Atlas) {
		step += " (after atlas migrate hash)"
	}
	p.Next = append(p.Next, step)
	return true, nil
}

// texts adds the files from templates.
func (p *Project) texts(cfg InitConfig, readable bool) error {
	out := path.Clean(filepath.ToSlash(cfg.Out))
	up, err := filepath.Rel(filepath.FromSlash(out), ".")
	if err != nil || !filepath.IsLocal(cfg.Out) {
		return fmt.Errorf("%s is not a folder inside the module", cfg.Out)
	}
	data := struct{ Service, Name, Out, Package, Up, Version, Migrations, EventSchemaURL, ConfigSchemaURL string }{
		Service: cfg.Service, Name: snake(cfg.Service), Out: out, Package: path.Base(out), Up: filepath.ToSlash(up), Version: cfg.Version,
		EventSchemaURL: schemas.EventSchemaURL, ConfigSchemaURL: schemas.ConfigSchemaURL,
	}
	if readable {
		data.Migrations = p.Migrations.Path
	}
	named := map[string]string{
		DefaultFile:                   "outboxgen.yaml.tmpl",
		path.Join(out, directiveFile): "generate.go.tmpl",
	}
	there, err := hasEvents(join(cfg.Dir, "schemas"))
	if err != nil {
		return err
	}
	if !there {
		named["schemas/order_placed.v1.yaml"] = "order_placed.v1.yaml.tmpl"
	}
	for name, tmpl := range named {
		var text bytes.Buffer
		if err := scaffolds.ExecuteTemplate(&text, tmpl, data); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		p.Files = append(p.Files, File{Path: name, Content: text.Bytes()})
	}
	return nil
}

// hasEvents reports whether a folder, which may be missing, has a schema with x-outbox:
// then no example is needed.
func hasEvents(dir string) (found bool, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) || notFolder(err):
			return nil
		case err != nil:
			return err
		case !d.Type().IsRegular() || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(d.Name())):
			return nil
		}
		content, err := os.ReadFile(name)
		if err == nil && bytes.Contains(content, []byte("x-outbox")) {
			found, err = true, fs.SkipAll
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for events in schemas: %w", err)
	}
	return found, nil
}

// keep removes the files that exist already, and sorts the rest.
func (p *Project) keep(dir string) error {
	var write []File
	for _, f := range p.Files {
		_, err := os.Lstat(join(dir, f.Path))
		switch {
		case err == nil:
			p.Kept = append(p.Kept, f.Path)
		case errors.Is(err, fs.ErrNotExist), notFolder(err):
			write = append(write, f)
		default:
			return fmt.Errorf("inspect existing files: %w", err)
		}
	}
	slices.SortFunc(write, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(p.Kept)
	p.Files = write
	return nil
}
