package relay

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestConfigNamesEachFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	c := Config{
		Term: time.Millisecond, BufferRows: -1, RetryMin: time.Minute, RetryMax: time.Second,
		OnDead: "explode", OnDeadByType: map[string]Policy{"t": "x"},
	}
	_, err := New(c)
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"Store", "Sink", "Term", "BufferRows", "RetryMin", "RetryMax", "OnDead", `OnDeadByType["t"]`} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

func TestARenewalHasToComeInTime(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Term: 2 * time.Second, TermMargin: time.Second, RenewEvery: time.Second})
	if err == nil || !strings.Contains(err.Error(), "RenewEvery is 1s and TermMargin 1s") {
		t.Errorf("error: %v", err)
	}
}

func TestDefaultsFollowTheTerm(t *testing.T) {
	t.Parallel()
	c := Config{Term: 6 * time.Second}.WithDefaults()
	got := []time.Duration{c.TermMargin, c.RenewEvery, c.ObserveEvery}
	if d := cmp.Diff([]time.Duration{time.Second, 2500 * time.Millisecond, 3500 * time.Millisecond}, got); d != "" {
		t.Errorf("(-want +got): %s", d)
	}
}

func TestPolicyByType(t *testing.T) {
	t.Parallel()
	c := Config{OnDead: Block, OnDeadByType: map[string]Policy{"a": Park, "b": Block}}
	if d := cmp.Diff(Blocking{ByDefault: true, Except: []string{"a"}}, c.blocking()); d != "" {
		t.Errorf("(-want +got): %s", d)
	}
}
