package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

const maybeCompacted = "grant DESCRIBE_CONFIGS on the topic, or use %s, or --not-compacted if you know that it is not"

// checkTopics looks at all topics before anything is sent. With --skip-compacted it leaves the
// events of compacted topics out, and returns the counts of the others. refused says which
// topics keep the replay from starting.
func (p *pastRun) checkTopics(ctx context.Context, cfg replay.Config, counts []replay.Count) (kept []replay.Count, refused, err error) {
	var names []string
	for _, c := range counts {
		if !slices.Contains(names, c.Topic) {
			names = append(names, c.Topic)
		}
	}
	if p.outbox.toStdout || len(names) == 0 {
		return counts, nil, nil
	}
	check := names
	if p.toTopic != "" { // all go to the same one, which must not be the compacted topic of some
		check = names[:1]
		if slices.Contains(names, p.toTopic) {
			check = []string{p.toTopic}
		}
	}
	found, err := replay.CheckTopics(ctx, cfg, check)
	switch {
	case err != nil && p.dead.dryRun:
		fmt.Fprintf(p.stderr, "outboxrelay: the topics were not checked: %s\n", terminal.Text(p.outbox.secrets.Text(err.Error())))
		return counts, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("nothing was sent: %w", err)
	}
	skipped, problems := map[string]bool{}, []string{}
	advice := "create the topic, or use --topic or --to-topic"
	for _, one := range found {
		compacted, maybe := errors.Is(one, replay.ErrCompacted), errors.Is(one, replay.ErrMaybeCompacted)
		switch {
		case p.skipCompacted && (compacted || maybe):
			skipped[one.Topic] = true
			continue
		case maybe:
			advice = fmt.Sprintf(maybeCompacted, p.otherTopic()) + ", or --skip-compacted to leave its events out"
		case compacted:
			advice = "add --skip-compacted to leave the events of compacted topics out, or use " + p.otherTopic()
		}
		problems = append(problems, one.Error())
	}
	p.leaveOut(names, skipped)
	for _, c := range counts {
		if !skipped[c.Topic] {
			kept = append(kept, c)
		}
	}
	switch {
	case len(problems) > 0:
		refused = fmt.Errorf("nothing was sent: %s\n%s", strings.Join(problems, "; "), advice)
	case len(kept) == 0:
		refused = errors.New("nothing was sent: all topics of the selected events are compacted, or may be; use " + p.otherTopic())
	}
	return kept, refused, nil
}

// otherTopic is the flag with which the events go to a topic that is not compacted.
func (p *pastRun) otherTopic() string {
	if p.toTopic != "" {
		return "another --to-topic"
	}
	return "--to-topic"
}

// leaveOut says which topics are left out, and selects the others only. If there are no others,
// the selection stays: an empty one would select all topics.
func (p *pastRun) leaveOut(names []string, skipped map[string]bool) {
	var others []string
	for _, name := range names {
		if skipped[name] {
			fmt.Fprintf(p.stderr, "outboxrelay: topic %s is left out: it is compacted, or may be\n", terminal.Text(name))
		} else {
			others = append(others, name)
		}
	}
	if len(skipped) > 0 && len(others) > 0 {
		p.selection.Topics = others
	}
}
