package relay

// Outgoing is a record before it has a partition, as the relay makes it from a row. For
// programs that publish rows again; see package replay.
type Outgoing struct {
	// Record has a Partition only if the row names one (Chosen).
	Record Record
	// Size is an upper limit of the record's size in a batch. A batch needs BatchOverhead
	// bytes more.
	Size int64
	// Invalid is the reason why the relay would not send the row; nil: it would.
	Invalid error
}

const (
	// BatchOverhead is the most that a batch adds to its records.
	BatchOverhead = batchOverhead
	// HeaderOverhead is the most that a header adds to its name and value.
	HeaderOverhead = headerOverhead
)

// OutgoingOf makes the records of rows, byte for byte as the relay does.
// stripRouting has the meaning of Config.StripRouting.
func OutgoingOf(rows []Row, stripRouting bool) []Outgoing {
	entries, _ := prepare(rows, stripRouting)
	out := make([]Outgoing, len(entries))
	for i, e := range entries {
		out[i] = Outgoing{Size: e.size, Invalid: e.invalid}
		if e.invalid == nil {
			out[i].Record = e.record()
		}
	}
	return out
}
