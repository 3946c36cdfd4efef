package consume

// Empty reports whether no handler is registered, for event types or tombstones.
// Such a router skips every record.
func (r *Router) Empty() bool { return len(r.handlers) == 0 && len(r.tombstones) == 0 }

// Handles reports whether [Router.Dispatch] would call a handler for the message.
// It is false for a message that Dispatch skips, and for one without an event type.
// Any number of goroutines can call it.
func (r *Router) Handles(m Message) bool {
	if m.Tombstone() {
		return r.tombstones[m.Topic] != nil
	}
	eventType, err := m.EventType()
	return err == nil && r.handlers[eventType] != nil
}
