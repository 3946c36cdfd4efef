package consume

// Empty reports whether no handler is registered, for event types or tombstones.
// Such a router skips every record.
func (r *Router) Empty() bool { return len(r.handlers)+len(r.tombstones)+len(r.eventTombstones) == 0 }
