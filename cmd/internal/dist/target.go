package main

import (
	"fmt"
	"slices"
	"strings"
)

// target is a system that the commands are built for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

// program returns the file name of a command.
func (t target) program(command string) string {
	if t.os == "windows" {
		return command + ".exe"
	}
	return command
}

// archive returns the file name of a command's archive.
func (t target) archive(command, version string) string {
	name := t.name(command, version)
	if t.os == "windows" {
		return name + ".zip"
	}
	return name + ".tar.gz"
}

// name returns the name of a command's archive without its format.
func (t target) name(command, version string) string {
	return fmt.Sprintf("%s_%s_%s_%s", command, version, t.os, t.arch)
}

func allTargets() []target {
	return []target{
		{"darwin", "amd64"}, {"darwin", "arm64"},
		{"linux", "amd64"}, {"linux", "arm64"},
		{"windows", "amd64"}, {"windows", "arm64"},
	}
}

// selectTargets returns the targets in a comma-separated list; an empty list means all.
func selectTargets(only string) ([]target, error) {
	all := allTargets()
	if only == "" {
		return all, nil
	}
	var selected []target
	for name := range strings.SplitSeq(only, ",") {
		at := slices.IndexFunc(all, func(t target) bool { return t.String() == name })
		if at < 0 {
			var names []string
			for _, t := range all {
				names = append(names, t.String())
			}
			return nil, fmt.Errorf("unknown system %q: use some of %s", name, strings.Join(names, ", "))
		}
		selected = append(selected, all[at])
	}
	return selected, nil
}
