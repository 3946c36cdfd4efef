package relay

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	simSchedules = flag.Int("sim.schedules", 4000, "random schedules that the simulation plays")
	simSeed      = flag.Uint64("sim.seed", 1, "seed of the first schedule")
	simFound     = flag.Bool("sim.found", false, "keep the schedules that find what each rule prevents")
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

// At least one of so many schedules in which the sequence is set back compares rows from before and after that.
const simCompared = 20

// variants returns the settings that schedules are played with.
func variants() map[string]simOptions {
	return map[string]simOptions{
		"park":                   {policy: Park},
		"block":                  {policy: Block},
		"killer":                 {policy: Park, killer: true},
		"grow":                   {policy: Park, grow: true},
		"async":                  {policy: Park, async: true},
		"sick":                   {policy: Park, sick: true},
		"wide":                   {policy: Park, wide: true},
		"hang":                   {policy: Park, hang: true, upgrade: true},
		"forget":                 {policy: Park, forget: true},
		"named":                  {policy: Park, named: true},
		"drift":                  {policy: Park, drift: true},
		"stall":                  {policy: Park, sick: true, stall: true},
		"names":                  {policy: Park, names: true},
		"edits":                  {policy: Park, edits: true, names: true, savepoints: true},
		"edits of two":           {policy: Park, edits: true, pairs: true},
		"edits of what blocks":   {policy: Block, edits: true},
		"edits of a sick topic":  {policy: Park, edits: true, sick: true},
		"rows that no index has": {policy: Park, forgot: true},
		"delays":                 {policy: Park, delays: true},
		"delays, block":          {policy: Block, delays: true},
		"chosen":                 {policy: Park, chosen: true},
		"chosen, block":          {policy: Block, chosen: true},
		"chosen, grow":           {policy: Park, chosen: true, grow: true},
		"chosen, sick":           {policy: Park, chosen: true, sick: true},
		"chosen, edits":          {policy: Park, chosen: true, edits: true},
		"pauses":                 {policy: Park, pauses: true},
		"pauses, block":          {policy: Block, pauses: true},
		"pauses, sick":           {policy: Park, pauses: true, sick: true},
		"pauses, edits":          {policy: Park, pauses: true, edits: true},
		"pauses, grow":           {policy: Park, pauses: true, grow: true},
		"pauses, chosen":         {policy: Park, pauses: true, chosen: true, names: true},
		"pauses, wide":           {policy: Block, pauses: true, wide: true},
		"pauses, killer":         {policy: Park, pauses: true, killer: true},
		"log":                    {policy: Park, inLog: true},
		"log, block":             {policy: Block, inLog: true},
		"log, killer":            {policy: Park, inLog: true, killer: true},
		"log, async":             {policy: Park, inLog: true, async: true},
		"log, sick":              {policy: Park, inLog: true, sick: true},
		"log, wide":              {policy: Park, inLog: true, wide: true},
		"log, delays":            {policy: Park, inLog: true, delays: true},
		"log, hang":              {policy: Park, inLog: true, hang: true},
		"log, forget":            {policy: Park, inLog: true, forget: true},
		"log, named":             {policy: Park, inLog: true, named: true},
		"log, chosen":            {policy: Park, inLog: true, chosen: true},
		"log, pauses":            {policy: Park, inLog: true, pauses: true},
		"log, pauses, sick":      {policy: Park, inLog: true, pauses: true, sick: true},
		"log, edits":             {policy: Park, inLog: true, edits: true},
		"log, grow":              {policy: Park, inLog: true, grow: true},
		"log, drift":             {policy: Park, inLog: true, drift: true},
		"log, set back":          {policy: Park, inLog: true, table: cameAgain},
		"log, replaced":          {policy: Park, inLog: true, replaces: true},
		"log, replaced, block":   {policy: Block, inLog: true, replaces: true},
		"log, replaced, sick":    {policy: Park, inLog: true, replaces: true, sick: true},
		"log, replaced, hang":    {policy: Park, inLog: true, replaces: true, hang: true},
		"log, replaced, killer":  {policy: Park, inLog: true, replaces: true, killer: true},
		"log, replaced, pauses":  {policy: Park, inLog: true, replaces: true, pauses: true},
		"log, replaced, async":   {policy: Park, inLog: true, replaces: true, async: true},
	}
}

func TestSimulationFindsNothing(t *testing.T) {
	schedules := *simSchedules / len(variants())
	if testing.Short() || raced {
		schedules /= 8
	}
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
			var compares atomic.Int64
			o.compares = &compares
			seed, v := simulate(o, schedules)
			if v != nil {
				t.Fatalf("seed %d: %v\nplay it with: go test -run %s -sim.seed %d -sim.one", seed, v, t.Name(), seed)
			}
			if n := compares.Load(); o.replaces && n < int64(schedules)/simCompared {
				t.Errorf("rows from before and after the sequence was set back are compared in %d of %d schedules", n, schedules)
			}
		})
	}
}

// A leader that searches the row that kills it must not die under the name of another
// row: in these schedules it sent rows while the lease row still named one that had
// been resolved, or had failed before it was sent.
func TestADeathIsPutDownToTheRowThatWasSent(t *testing.T) {
	for _, seed := range []uint64{1, 16} {
		if v := newSim(simOptions{policy: Park, killer: true, seed: seed}).run(); v != nil {
			t.Errorf("seed %d: %v", seed, v)
		}
	}
}
