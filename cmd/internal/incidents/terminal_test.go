//go:build unix

package incidents_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// terminal runs commands as an operator types them.
type terminal struct {
	dir       string            // working directory
	bin       string            // comes first in PATH
	variables map[string]string // that the operator has set
}

// commandLimit limits one command.
const commandLimit = 2 * time.Minute

// run runs a command, and returns what it printed.
func (o *terminal) run(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\n"+command)
	cmd.Dir = o.dir
	cmd.Env = o.environment()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (o *terminal) environment() []string {
	env := append(surroundings(), "PATH="+o.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, name := range slices.Sorted(maps.Keys(o.variables)) {
		env = append(env, name+"="+o.variables[name])
	}
	return env
}

// surroundings is the environment of this process without settings of outboxrelay, which
// would replace those of the site.
func surroundings() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, "OUTBOXRELAY_") || slices.Contains([]string{"DATABASE_URL", "KAFKA_BROKERS", "REDIS_URL"}, name)
	})
}

// shows reports whether an output has the lines that a step lists, in their order. Then it
// sets the variables that got a value.
func (o *terminal) shows(output string, st step) error {
	known := maps.Clone(o.variables)
	rest := strings.Split(output, "\n")
	for _, want := range st.output {
		if strings.TrimSpace(want) == "…" {
			continue
		}
		pattern := linePattern(want, known)
		at := slices.IndexFunc(rest, pattern.MatchString)
		if at < 0 {
			return fmt.Errorf("%s\nprints no line (below the one before it) like\n%s\nbut\n%s", st.command, want, output)
		}
		for i, name := range pattern.SubexpNames() {
			if name != "" {
				known[name] = pattern.FindStringSubmatch(rest[at])[i]
			}
		}
		rest = rest[at+1:]
	}
	o.variables = known
	return nil
}

var special = regexp.MustCompile(`\s+|…|\$[A-Z][A-Z_]*`)

// linePattern returns the pattern of a line of the page.
func linePattern(line string, known map[string]string) *regexp.Regexp {
	line = strings.TrimSpace(line)
	var b strings.Builder
	b.WriteString(`^\s*`)
	var got []string
	for line != "" {
		at := special.FindStringIndex(line)
		if at == nil {
			b.WriteString(regexp.QuoteMeta(line))
			break
		}
		b.WriteString(regexp.QuoteMeta(line[:at[0]]))
		switch found := line[at[0]:at[1]]; {
		case found == "…":
			b.WriteString(`.*`)
		case found[0] == '$':
			name := found[1:]
			if value, ok := known[name]; ok {
				b.WriteString(regexp.QuoteMeta(value))
			} else if slices.Contains(got, name) {
				b.WriteString(`.*`) // the pattern has it already
			} else {
				got = append(got, name)
				b.WriteString(`(?P<` + name + `>[^\s,:;()"]+)`)
			}
		default:
			b.WriteString(`\s+`)
		}
		line = line[at[1]:]
	}
	b.WriteString(`\s*$`)
	return regexp.MustCompile(b.String())
}

func TestTerminalFindsLinesAndValues(t *testing.T) {
	t.Parallel()
	const output = "outbox shop: 1 problem, 0 warnings\nproblem  topics      topic a.b: the topic does not exist\n         fix         pid 17, see x\n"
	for _, c := range []struct {
		name  string
		lines []string
		want  map[string]string // nil: not found
	}{
		{"a text for anything", []string{"problem topics topic …"}, map[string]string{"KNOWN": "17"}},
		{"a value", []string{"problem topics topic $TOPIC: the topic does not exist"}, map[string]string{"KNOWN": "17", "TOPIC": "a.b"}},
		{"a known value", []string{"fix pid $KNOWN, see …"}, map[string]string{"KNOWN": "17"}},
		{"in order", []string{"outbox shop: …", "…", "fix …"}, map[string]string{"KNOWN": "17"}},
		{"not in this order", []string{"fix …", "outbox shop: …"}, nil},
		{"not the whole line", []string{"problem topics"}, nil},
		{"another value", []string{"fix pid $KNOWN"}, nil},
	} {
		o := &terminal{variables: map[string]string{"KNOWN": "17"}}
		err := o.shows(output, step{output: c.lines})
		if (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v", c.name, err)
		} else if err == nil {
			if diff := cmp.Diff(c.want, o.variables); diff != "" {
				t.Errorf("%s: variables (-want +got):\n%s", c.name, diff)
			}
		}
	}
}
