package relay

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	simSchedules = flag.Int("sim.schedules", 4000, "random schedules that the simulation plays")
	simSeed      = flag.Uint64("sim.seed", 1, "seed of the first schedule")
	simOne       = flag.Bool("sim.one", false, "play the first schedule only, and print it")
)

// simulate plays schedules until one finds something.
func simulate(o simOptions, n int) (seed uint64, v *violation) {
	var next, foundAt atomic.Uint64
	var mu sync.Mutex
	next.Store(o.seed)
	foundAt.Store(^uint64(0))
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				seed := next.Add(1) - 1
				if seed >= o.seed+uint64(n) || seed > foundAt.Load() {
					return
				}
				one := o
				one.seed = seed
				if found := newSim(one).run(); found != nil {
					mu.Lock()
					if seed < foundAt.Load() {
						foundAt.Store(seed)
						v = found
					}
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return foundAt.Load(), v
}

// variants are the settings that schedules are played with.
func variants() map[string]simOptions {
	return map[string]simOptions{
		"park":   {policy: Park},
		"block":  {policy: Block},
		"killer": {policy: Park, killer: true},
		"grow":   {policy: Park, grow: true},
	}
}

func TestSimulationFindsNothing(t *testing.T) {
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			o.seed = *simSeed
			if *simOne {
				o.verbose = true
				s := newSim(o)
				v := s.run()
				for _, l := range s.log {
					fmt.Println(l)
				}
				t.Logf("%v", v)
				return
			}
			if seed, v := simulate(o, *simSchedules/len(variants())); v != nil {
				t.Fatalf("seed %d: %v\nplay it with: go test -run %s -sim.seed %d -sim.one", seed, v, t.Name(), seed)
			}
		})
	}
}

// Each rule of the protocol is there for something: without it, the simulation
// finds the violation.
func TestSimulationFindsWhatEachRulePrevents(t *testing.T) {
	for name, c := range map[string]struct {
		options simOptions
		want    string
	}{
		"the lease is taken before settling":             {simOptions{store: func(s *memStore) { s.settleUnfenced = true }}, "unfenced"},
		"the own deadline is obeyed":                     {simOptions{off: switches{noDeadline: true}}, "deadline"},
		"a tick is what one snapshot shows over another": {simOptions{store: func(s *memStore) { s.readBySeq = true }}, "lost or reordered"},
		"open transactions are part of a snapshot":       {simOptions{store: func(s *memStore) { s.readByXmin = true }}, "lost or reordered"},
		"one wave is resolved before the next is sent":   {simOptions{off: switches{unboundedProduce: true}}, "reordered or counted"},
		"a wave has one batch for each partition":        {simOptions{off: switches{twoBatches: true}}, "reordered"},
		"rows that failed go before those that wait":     {simOptions{off: switches{requeueLast: true}}, "reordered"},
		"the key of a failed row is held":                {simOptions{off: switches{noHold: true}}, "reordered"},
		"skipped rows are read again before later ones":  {simOptions{off: switches{noReadAgain: true}}, "lost or reordered"},
		"outages count against no row":                   {simOptions{off: switches{countOutage: true}}, "counted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.options.policy, c.options.seed = Park, *simSeed
			seed, v := simulate(c.options, 20_000)
			if v == nil {
				t.Fatalf("nothing found in 20,000 schedules; want %s", c.want)
			}
			t.Logf("seed %d: %v", seed, v)
			if !strings.Contains(c.want, v.kind) {
				t.Errorf("found %s, want %s", v.kind, c.want)
			}
		})
	}
}
