package services

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// logged is a server that records its start and its end.
type logged struct {
	log  *[]string
	name string
}

func (l logged) Close() error {
	*l.log = append(*l.log, "stop "+l.name)
	return nil
}

func TestPoolStopsAServerWithItsLastUser(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kept bool
		want []string
	}{
		"without Main": {false, []string{"start a", "1 done", "stop a", "2 done", "start a", "stop a", "3 done", "closed"}},
		"with Main":    {true, []string{"start a", "1 done", "2 done", "3 done", "stop a", "closed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log []string
			var p pool
			p.keep(tt.kept)
			get := func() {
				t.Helper()
				if _, err := p.get("a", func() (io.Closer, error) {
					log = append(log, "start a")
					return logged{&log, "a"}, nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			release := func(user string) {
				t.Helper()
				if err := p.release("a"); err != nil {
					t.Fatal(err)
				}
				log = append(log, user+" done")
			}

			get() // first user
			get() // second user, at the same time
			release("1")
			release("2")
			get() // third user, later
			release("3")
			if err := p.close(); err != nil {
				t.Fatal(err)
			}
			log = append(log, "closed")

			if diff := cmp.Diff(tt.want, log); diff != "" {
				t.Errorf("what happened (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPoolDoesNotRetryAFailedStart(t *testing.T) {
	t.Parallel()
	var p pool
	p.keep(true)
	broken := errors.New("broken")
	var starts int
	for range 2 {
		_, err := p.get("a", func() (io.Closer, error) {
			starts++
			return nil, broken
		})
		if !errors.Is(err, broken) {
			t.Errorf("got error %v, want %v", err, broken)
		}
	}
	if starts != 1 {
		t.Errorf("started %d times, want once", starts)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}
