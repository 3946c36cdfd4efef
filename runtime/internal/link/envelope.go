package link

// EnvelopeKind says how an event is wrapped in its record.
type EnvelopeKind uint8

const (
	// EnvelopeOutbox is the envelope of outboxgen, and the default.
	EnvelopeOutbox EnvelopeKind = iota
	// EnvelopeCloudEvents is CloudEvents 1.0 in structured JSON mode.
	EnvelopeCloudEvents
	// EnvelopeNone is the event data alone. The envelope's fields are only in the
	// record's headers.
	EnvelopeNone
)

// String returns the name that the configuration file uses.
func (k EnvelopeKind) String() string {
	switch k {
	case EnvelopeOutbox:
		return "outbox"
	case EnvelopeCloudEvents:
		return "cloudevents"
	case EnvelopeNone:
		return "none"
	}
	return "unknown"
}
