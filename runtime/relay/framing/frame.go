package framing

import (
	"encoding/binary"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// ValueHeader is the header that has the schema id with [Header].
const ValueHeader = "__value_schema_id"

const (
	numberMagic  = 0 // the id that follows is a number of four bytes
	guidMagic    = 1 // the id that follows is a GUID
	numberLength = 4
	guidLength   = 16
)

// frame returns the record with its schema id. It does not change r, which may be sent
// again.
func (p *producer) frame(r relay.Record, id schemaID) relay.Record {
	if r.Value == nil {
		return r
	}
	if p.ids.cfg.Mode == Prefix {
		value := make([]byte, 0, 1+numberLength+len(r.Value))
		value = binary.BigEndian.AppendUint32(append(value, numberMagic), id.number)
		r.Value = append(value, r.Value...)
		return r
	}
	var value []byte
	if id.guid != nil {
		value = append(append(make([]byte, 0, 1+guidLength), guidMagic), id.guid...)
	} else {
		value = binary.BigEndian.AppendUint32(append(make([]byte, 0, 1+numberLength), numberMagic), id.number)
	}
	r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], relay.Header{Key: ValueHeader, Value: value})
	return r
}
