package baseline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/contract"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// point is a commit in the history, and what to call it.
type point struct{ commit, name string }

// releases lists the tags that mark releases, the latest first; nil if the config names
// none.
func (r *reader) releases(commit string) ([]point, error) {
	pattern := r.now.Config.Compat.Released
	if pattern == "" {
		return nil, nil
	}
	if r.repo.Shallow() {
		return nil, fmt.Errorf("compat.released needs the tags in the history, but this clone is shallow; %s", deepen)
	}
	tags, err := r.repo.Tags(commit, pattern)
	if err != nil {
		return nil, fmt.Errorf("find the releases: %w", err)
	}
	points := []point{}
	for _, tag := range tags {
		at, err := r.repo.Resolve("refs/tags/" + tag)
		if err != nil {
			continue // a tag of something else
		}
		points = append(points, point{at, tag})
	}
	return points, nil
}

// earlier reads the versions before state s, for changed events whose level is transitive
// or was: without these versions, it would be unknown what a lower level hides.
func (r *reader) earlier(b *Baseline, s *state, releases []point) (map[string][]contract.Before, error) {
	changed := slices.DeleteFunc(slices.Clone(r.now.Events), func(e *schema.Event) bool { return e == nil || b.Unchanged[e] })
	was, _ := contract.Match(changed, s.events)
	types, first := map[string]bool{}, ""
	for _, e := range changed {
		before, ok := was[e]
		if ok && (transitive(e) || transitive(before.Event)) {
			types[before.Event.Type], first = true, cmp.Or(first, e.Type)
		}
	}
	if len(types) == 0 {
		return nil, nil
	}
	if releases == nil && r.now.Config.Compat.Released == "" {
		if r.repo.Shallow() {
			return nil, fmt.Errorf("the transitive level of %s needs the history, but this clone is shallow; %s", first, deepen)
		}
		return r.walk(s, types)
	}
	all := map[string][]contract.Before{}
	for _, at := range releases {
		older, err := r.state(at.commit, at.name, r.unseen)
		if err != nil {
			return nil, err
		}
		collect(all, types, older)
	}
	return all, nil
}

func transitive(e *schema.Event) bool { return strings.HasSuffix(e.Compat.Level, "_TRANSITIVE") }

// walk goes back through the history of the project, also before it was moved.
func (r *reader) walk(s *state, types map[string]bool) (map[string][]contract.Before, error) {
	all := map[string][]contract.Before{}
	visited := map[string]bool{s.commit: true}
	for at := s; at.dir != ""; {
		commits, err := r.repo.History(at.commit, at.dir)
		if err != nil {
			return nil, fmt.Errorf("read the history of the project: %w", err)
		}
		for _, commit := range commits {
			if visited[commit] {
				continue
			}
			visited[commit] = true
			older, err := r.state(commit, commit[:12], r.unseen)
			if err != nil {
				return nil, err
			}
			collect(all, types, older)
		}
		if len(commits) == 0 {
			return all, nil
		}
		parent, err := r.repo.Parent(commits[len(commits)-1])
		if err != nil || parent == "" || visited[parent] {
			return all, err
		}
		visited[parent] = true
		if at, err = r.state(parent, parent[:12], r.unseen); err != nil {
			return nil, err
		}
		collect(all, types, at)
	}
	return all, nil
}

// collect prepends the events of an older state to the known ones.
func collect(all map[string][]contract.Before, types map[string]bool, older *state) {
	for _, b := range older.events {
		if types[b.Event.Type] {
			all[b.Event.Type] = slices.Insert(all[b.Event.Type], 0, b)
		}
	}
}
