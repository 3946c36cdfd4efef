package gen

import "github.com/outboxgen/outboxgen/runtime/internal/link"

// EnvelopeKind says how an event is wrapped in its record. String returns the name that
// the configuration file uses.
type EnvelopeKind = link.EnvelopeKind

const (
	// EnvelopeOutbox is the envelope of outboxgen, and the default.
	EnvelopeOutbox = link.EnvelopeOutbox
	// EnvelopeCloudEvents is CloudEvents 1.0 in structured JSON mode.
	EnvelopeCloudEvents = link.EnvelopeCloudEvents
	// EnvelopeNone is the event data alone. The envelope's fields are only in the
	// record's headers.
	EnvelopeNone = link.EnvelopeNone
)
