package main

import (
	"context"
	"errors"
	"fmt"
	stdio "io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

// siteFolder is where docs writes, unless --out says otherwise.
const siteFolder = "site"

// docsFlags are the flags of docs.
type docsFlags struct {
	dirs, configs    []string
	out, serve       string
	title, sourceURL string
	revision         string
	check            bool
}

func newDocs(io streams) *cobra.Command {
	var flags docsFlags
	cmd := &cobra.Command{
		Use:   "docs",
		Short: "Write an event catalogue as a static site",
		Long: `docs writes a static site with all events of one or more projects: who publishes
each event, its topic, key, envelope and fields, an example, its versions and what
changed between them, the Go names, and the JSON Schema. The list of events has a
search. The site needs no server: it can be opened from a disk, or copied to any web
server.

-C names the folder of a project, and --config its project file. Give one of them
several times for a site with several projects. --out is relative to the current
folder. A run writes either all files or none, removes files that it wrote earlier and
that are no longer needed, and never changes other files.

With --source-url, files of the repository become links. {path} is the path from the
root of the git repository, and {line} the line. If the projects are in several
repositories, set source_url in each project file instead.

With --check it writes nothing, and fails if the site in --out is out of date: for a
site that is in git.

With --serve it writes nothing: it serves the site on this machine, and rebuilds it when
a file of a project changes. The address is a port, or a host and a port, such as 8090
or 127.0.0.1:8090. The host has to be a loopback address.`,
		Example: `  outboxgen docs --out public
  outboxgen docs -C services/orders -C services/billing --title "Events of the shop"
  outboxgen docs --source-url 'https://github.com/x/y/blob/main/{path}#L{line}'
  outboxgen docs --out public --check
  outboxgen docs --serve`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && flags.serve == defaultAddress {
				return nil // --serve ADDR
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				flags.serve = args[0]
			}
			if flags.serve == "" && cmd.Flags().Changed("serve") {
				return errors.New("--serve: the address is empty; use --serve alone, or give a port, or a host and a port such as " + defaultAddress)
			}
			return runDocs(cmd.Context(), io, flags, cmd.Flags().Changed("out"))
		},
	}
	set := cmd.Flags()
	set.StringArrayVarP(&flags.dirs, "directory", "C", []string{"."}, "`folder` of a project; may be repeated")
	set.StringArrayVar(&flags.configs, "config", []string{generator.DefaultFile}, "the project `file`, relative to its folder; may be repeated")
	set.StringVarP(&flags.out, "out", "o", siteFolder, "`folder` for the site")
	set.StringVar(&flags.title, "title", "Event catalogue", "`name` of the site")
	set.StringVar(&flags.sourceURL, "source-url", "", "`address` of a file in the repository, with {path} and {line}")
	set.StringVar(&flags.revision, "revision", "", "`text` for the foot of each page, such as the commit")
	set.BoolVar(&flags.check, "check", false, "write nothing; fail if the site is out of date")
	set.StringVar(&flags.serve, "serve", "", "serve the site at this `address`, and write nothing")
	set.Lookup("serve").NoOptDefVal = defaultAddress
	completeFolders(cmd, "directory")
	completeFolders(cmd, "out")
	return cmd
}

func runDocs(ctx context.Context, io streams, flags docsFlags, outGiven bool) error {
	projects, err := flags.projects()
	if err != nil {
		return err
	}
	cfg := generator.DocsConfig{Projects: projects, Dir: flags.out, Title: flags.title, SourceURL: flags.sourceURL, Revision: flags.revision}
	if flags.serve != "" {
		if outGiven {
			return errors.New("--serve writes nothing; remove it or --out")
		}
		if flags.check {
			return errors.New("--serve serves the site and --check compares it; give one of them")
		}
		cfg.Dir = ""
		return serveDocs(ctx, io, cfg, flags.serve)
	}
	site, err := generator.Docs(cfg)
	if err != nil {
		return err
	}
	if err := site.Report(io.Err, io.reportOptions()); err != nil {
		return err
	}
	if site.Failed() {
		return errFindings
	}
	differences, err := site.Compare()
	if err != nil {
		return err
	}
	if flags.check {
		return checked(io, flags.out, differences, len(site.Files))
	}
	if len(differences) > 0 {
		write, remove := changes(differences)
		if err := makeFolder(flags.out, flags.out); err != nil {
			return err
		}
		quiet := io
		quiet.Out = stdio.Discard // the names of hundreds of pages
		if err := apply(quiet, flags.out, flags.out, write, remove); err != nil {
			return fmt.Errorf("write the catalogue to %s: %w", flags.out, err)
		}
		return printf(io.Out, "wrote the catalogue of %s to %s: %s\n", counted(site.Events, "event"), flags.out, changed(len(write), len(remove)))
	}
	return printf(io.Out, "up to date: %d files\n", len(site.Files))
}

// checked reports the files of a site that are not as they would be written.
func checked(io streams, out string, differences []generator.Difference, all int) error {
	if len(differences) == 0 {
		return printf(io.Out, "up to date: %d files\n", all)
	}
	const most = 10
	var names []string
	for _, d := range differences[:min(len(differences), most)] {
		names = append(names, d.Path)
	}
	if len(differences) > most {
		names = append(names, fmt.Sprintf("and %d more", len(differences)-most))
	}
	is := "is"
	if len(differences) > 1 {
		is = "are"
	}
	if err := printf(io.Err, "outboxgen: %s in %s %s out of date: %s; run outboxgen docs again, with the same flags except --check\n",
		counted(len(differences), "file"), out, is, strings.Join(names, ", ")); err != nil {
		return err
	}
	return errFindings
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// changed says how many files were written and removed.
func changed(written, removed int) string {
	text := counted(written, "file") + " changed"
	if removed > 0 {
		text += fmt.Sprintf(", %d removed", removed)
	}
	return text
}

// projects returns the projects of the flags: one file in several folders, or several
// files in one.
func (f docsFlags) projects() ([]generator.Config, error) {
	if len(f.dirs) > 1 && len(f.configs) > 1 {
		return nil, errors.New("give several folders with -C or several files with --config, not both")
	}
	var all []generator.Config
	given := map[string]bool{}
	for _, dir := range f.dirs {
		for _, file := range f.configs {
			name := filepath.Clean(joinDir(dir, file))
			if given[name] {
				return nil, fmt.Errorf("the project file %s is given twice", name)
			}
			given[name] = true
			all = append(all, generator.Config{Dir: dir, File: file})
		}
	}
	return all, nil
}
