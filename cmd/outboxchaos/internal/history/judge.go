package history

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Sum returns the checksum of a record's value.
func Sum(value []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(value) // a hash never fails
	return h.Sum64()
}

// Verdict is the result at the end of a run.
type Verdict struct {
	// Committed is the number of events in the database, and Consumed the number of
	// records in Kafka.
	Committed, Consumed int64
	// Lost counts committed events without a record.
	Lost int64
	// Invented counts events with a record that were not committed.
	Invented int64
	// Reordered counts events whose first delivery came after that of an event of
	// the same topic and key which was committed later.
	Reordered int64
	// Corrupted counts records whose bytes, key or topic differ from what was inserted,
	// and records that were sent before their time.
	Corrupted int64
	// Duplicated counts the records after the first one of each event. Unexplained
	// counts those among them that are explained neither by the end of a term nor by a
	// settlement that failed.
	Duplicated, Unexplained int64
	// Problems describes the first of each kind.
	Problems []string

	shown map[string]int
}

// Zero reports whether the guarantees held.
func (v *Verdict) Zero() bool {
	return v.Lost == 0 && v.Invented == 0 && v.Reordered == 0 && v.Corrupted == 0 && v.Unexplained == 0
}

func (v *Verdict) problem(kind, format string, args ...any) {
	const limit = 10
	if v.shown == nil {
		v.shown = map[string]int{}
	}
	v.shown[kind]++
	if v.shown[kind] <= limit {
		v.Problems = append(v.Problems, kind+": "+fmt.Sprintf(format, args...))
	}
}

// Judge compares what was read with what was committed. Transactions of unknown outcome
// count as rolled back, so call Resolve first.
func (h *History) Judge(journals []Journal) Verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := Verdict{Consumed: h.tally.Records}
	h.judgeEvents(&v)
	h.judgeRecords(&v)
	h.judgeOrder(&v)
	h.judgeRepeats(&v, journals)
	return v
}

func (h *History) judgeEvents(v *Verdict) {
	for id, e := range h.events {
		if !h.committed(e) {
			continue
		}
		v.Committed++
		if h.reads[id] == nil {
			v.Lost++
			v.problem("lost", "%s was committed but never read", e)
		}
	}
}

func (h *History) judgeRecords(v *Verdict) {
	for id, r := range h.reads {
		e := h.events[id]
		if !h.committed(e) {
			v.Invented++
			why := "it was never inserted"
			if e != nil {
				why = "its transaction is " + h.claims[e.tx].String()
				if e.Dropped {
					why = "its savepoint was rolled back"
				}
			}
			v.problem("invented", "%s is at %s; %s", id, r.first.where(), why)
			continue
		}
		for _, d := range append([]Delivery{r.first}, r.again...) {
			if what := e.differs(d); what != "" {
				v.Corrupted++
				v.problem("corrupted", "%s at %s: %s", e, d.where(), what)
			}
		}
	}
}

// differs returns what is wrong with a record of the event, or "".
func (e *event) differs(d Delivery) string {
	switch {
	case d.Topic != e.Topic:
		return "the topic should be " + e.Topic
	case d.Keyed != e.Keyed || d.Key != e.Key:
		return fmt.Sprintf("its key is %q", d.Key)
	case d.Sum != e.Sum:
		return "its value is not what was inserted"
	case d.At.Before(e.DeliverAt.Truncate(time.Millisecond)): // Kafka keeps milliseconds
		return fmt.Sprintf("it was sent at %s, before its time %s", d.At, e.DeliverAt)
	}
	return ""
}

// judgeOrder checks the first deliveries of each key, in the order of the commits.
func (h *History) judgeOrder(v *Verdict) {
	type key struct{ topic, key string }
	keys := map[key][]*event{}
	for id, e := range h.events {
		if e.Keyed && !e.Poison && !e.spared && e.DeliverAt.IsZero() && h.committed(e) && h.reads[id] != nil {
			k := key{e.Topic, e.Key}
			keys[k] = append(keys[k], e)
		}
	}
	for _, events := range keys {
		slices.SortFunc(events, func(a, b *event) int { return cmp.Compare(a.N, b.N) })
		latest := events[0]
		for _, e := range events[1:] {
			before, now := h.reads[latest.ID].first, h.reads[e.ID].first
			if now.Partition != before.Partition {
				v.Reordered++
				v.problem("reordered", "%s is at %s, and %s at %s: another partition", e, now.where(), latest, before.where())
			} else if now.before(before) {
				v.Reordered++
				v.problem("reordered", "%s was first read at %s (%s), before %s at %s (%s)",
					e, now.where(), now.Label, latest, before.where(), before.Label)
				continue
			}
			latest = e
		}
	}
}

func (e *event) String() string {
	if !e.Keyed {
		return fmt.Sprintf("event %s of %s", e.ID, e.Topic)
	}
	return fmt.Sprintf("event %s (number %d of %s/%s)", e.ID, e.N, e.Topic, e.Key)
}

func (d Delivery) where() string {
	if d.Incarnation == 0 {
		return fmt.Sprintf("%s/%d@%d", d.Topic, d.Partition, d.Offset)
	}
	return fmt.Sprintf("%s#%d/%d@%d", d.Topic, d.Incarnation, d.Partition, d.Offset)
}

func (l Label) String() string {
	return fmt.Sprintf("term %d, wave %d, seq %d", l.Epoch, l.Wave, l.Seq)
}

// judgeRepeats looks for the reason why each repeated record was sent again.
func (h *History) judgeRepeats(v *Verdict, journals []Journal) {
	repeated := map[uuid.UUID]*reads{}
	seqs := map[int64]*sends{}
	for id, r := range h.reads {
		if len(r.again) > 0 {
			v.Duplicated += int64(len(r.again))
			repeated[id] = r
			seqs[r.first.Label.Seq] = &sends{}
		}
	}
	for i := range journals {
		journals[i].collect(i, seqs)
	}
	for id, r := range repeated {
		labels := map[Label]int{}
		for _, d := range append([]Delivery{r.first}, r.again...) {
			labels[d.Label]++
		}
		distinct := make([]Label, 0, len(labels))
		for l, n := range labels {
			distinct = append(distinct, l)
			if n > 1 {
				v.Unexplained += int64(n - 1)
				v.problem("unexplained", "event %s was appended %d times by one wave (%s)", id, n, l)
			}
		}
		slices.SortFunc(distinct, Label.compare)
		for i, l := range distinct {
			if i == 0 {
				continue
			}
			if why := seqs[r.first.Label.Seq].unexplained(l); why != "" {
				v.Unexplained++
				v.problem("unexplained", "event %s was sent again (%s): %s", id, l, why)
			}
		}
	}
}
