package relay

// wave is the batches that are handed to the producer at once, at most one for each
// partition. Nothing more is handed over until all of it is resolved, so no later row
// of a key can overtake a failed one.
type wave struct {
	batches []batch
	rows    int
	bytes   int64
	probe   bool // of partitions that failed before
}

type batch struct {
	p    *partition
	rows []*entry
}

// records lists the records of a wave, batch after batch.
func (w *wave) records() []Record {
	out := make([]Record, 0, w.rows)
	for _, b := range w.batches {
		for _, e := range b.rows {
			out = append(out, e.record())
		}
	}
	return out
}

// put adds a partition's batch.
func (w *wave) put(p *partition, rows []*entry, size int64) {
	if len(rows) == 0 {
		return
	}
	w.batches = append(w.batches, batch{p, rows})
	w.rows += len(rows)
	w.bytes += size
	w.probe = p.probing()
}
