package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A problem that is reported ten times a second for a day is logged at once, and then
// more and more slowly, with a count. One that comes and goes is not logged more often.
func TestAProblemIsLoggedOnceAndThenSlowly(t *testing.T) {
	for name, c := range map[string]struct {
		partitions int
		flaps      bool
		lines      int // warnings
	}{
		"one partition":           {partitions: 1, lines: 99},
		"a thousand partitions":   {partitions: 1000, lines: 99},
		"not about one partition": {partitions: 0, lines: 99},
		"it comes and goes":       {partitions: 0, flaps: true, lines: 99},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var text bytes.Buffer
				n := newNotices(slog.New(slog.NewTextHandler(&text, nil)), timing{}.withDefaults())
				about := subject{kind: kindReading, topic: "orders"}
				every := 100 * time.Millisecond
				if testing.Short() {
					every = 800 * time.Millisecond
				}
				for i := range int(24 * time.Hour / every) {
					partition := int32(-1)
					if c.partitions > 0 {
						partition = int32(i % c.partitions)
					}
					n.report(t.Context(), about, partition, true, "reading failed", errors.New("no"))
					if c.flaps {
						n.over(t.Context(), about, "reading works again")
					}
					time.Sleep(every)
				}
				if got := strings.Count(text.String(), "level=WARN"); got > c.lines || got < c.lines/2 {
					t.Errorf("%d warnings in a day", got)
				}
				if got := strings.Count(text.String(), "level=INFO"); got > c.lines {
					t.Errorf("%d times it is said to be over", got)
				}
				if !c.flaps {
					if diff := cmp.Diff([]string{"topic orders: reading failed: no"}, n.blocking()); diff != "" {
						t.Error(diff)
					}
					n.over(t.Context(), about, "reading works again")
				}
				if reasons := n.blocking(); len(reasons) > 0 {
					t.Errorf("after its end there are %v", reasons)
				}
				// Much later it counts as new.
				time.Sleep(24 * time.Hour)
				text.Reset()
				n.report(t.Context(), about, 1, true, "reading failed", nil)
				if strings.Count(text.String(), "level=WARN") != 1 {
					t.Errorf("the day after it says %s", &text)
				}
			})
		})
	}
}

// A cause that becomes known while a problem lasts is logged at once: the first line
// only says that the group was not joined yet. Causes that alternate are logged no more
// often than problems of their own would be.
func TestAnotherCauseIsLoggedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		n := newNotices(slog.New(slog.NewTextHandler(&text, nil)), timing{}.withDefaults())
		about := subject{kind: kindGroup}
		for i, report := range []struct {
			text string
			err  error
			line string // "": none
		}{
			{text: "not joined yet", line: `msg="not joined yet"`},
			{text: "not joined yet"},
			{text: "refused", err: kerr.GroupMaxSizeReached, line: "msg=refused since="},
			{text: "refused", err: fmt.Errorf("join: %w", kerr.GroupMaxSizeReached)},
			{text: "refused", err: kerr.InconsistentGroupProtocol, line: "INCONSISTENT_GROUP_PROTOCOL"},
			{text: "not joined yet"},
			{text: "refused", err: kerr.GroupMaxSizeReached},
		} {
			text.Reset()
			n.report(t.Context(), about, -1, true, report.text, report.err)
			if got := text.String(); !strings.Contains(got, report.line) || report.line == "" && got != "" {
				t.Errorf("report %d: the log says %q, want %q", i, got, report.line)
			}
			time.Sleep(time.Second)
		}
		text.Reset()
		const causes = 2
		for i := range 24 * 60 * 60 {
			n.report(t.Context(), about, -1, true, fmt.Sprintf("cause %d", i%causes), nil)
			time.Sleep(time.Second)
		}
		if got := strings.Count(text.String(), "level=WARN"); got > causes*99 {
			t.Errorf("%d warnings in a day", got)
		}
	})
}

// The problem of a topic ends with that of its last partition.
func TestTheProblemOfSeveralPartitions(t *testing.T) {
	var text bytes.Buffer
	n := newNotices(slog.New(slog.NewTextHandler(&text, nil)), timing{}.withDefaults())
	about := subject{kind: kindReading, topic: "orders"}
	for p := range int32(3) {
		n.report(t.Context(), about, p, true, "reading failed", nil)
	}
	for p := range int32(3) {
		if len(n.blocking()) != 1 || strings.Contains(text.String(), "again") {
			t.Fatalf("it was over before partition %d was well:\n%s", p, &text)
		}
		n.overFor(t.Context(), about, p, "reading works again")
	}
	if len(n.blocking()) != 0 || !strings.Contains(text.String(), "reading works again") {
		t.Errorf("it is not over:\n%s", &text)
	}
}
