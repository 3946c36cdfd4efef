package pgstore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// The columns of the page queries, in order.
const (
	colSeq = iota
	colID
	colAggregateType
	colAggregateID
	colEventType
	colTopic
	colKey
	colCreatedAt
	colRetryCount
	colData
	colHeaders
	colPartition
	columns
)

// slabBytes is how much is allocated at once for the rows' data.
const slabBytes = 64 << 10

// fewRows is the usual size of a page that is not full. After that many rows, room for
// a full page is allocated.
const fewRows = 256

// leastDropped is how many bytes beyond the page's limit are read and dropped, even for
// a small page.
const leastDropped = 4 << 20

// scanPage reads a page. A row beyond the limit means that there are more. It is
// dropped with the following ones: usually a few, because the query asks only for as
// many rows as should fit. If they are much larger than expected, scanPage calls
// breakOff before all have arrived, which costs the session.
// twice reports whether two of the rows that it has seen have the same seq.
func scanPage(rows pgx.Rows, limit relay.Limit, breakOff func()) (page relay.Page, twice bool, err error) {
	defer rows.Close()
	if err := checkFormats(rows); err != nil {
		return relay.Page{}, false, err
	}
	var last int64
	var kept, dropped int64
	s := scanner{names: map[string]string{}}
	for rows.Next() {
		raw := rows.RawValues()
		n := int64(len(raw[colData]) + len(raw[colHeaders]))
		seq := int64(binary.BigEndian.Uint64(raw[colSeq]))
		twice = twice || seq == last
		last = seq
		if !page.More && len(page.Rows) < limit.Rows && (len(page.Rows) == 0 || kept+n <= limit.Bytes) {
			kept += n
			if len(page.Rows) == fewRows {
				page.Rows = slices.Grow(page.Rows, limit.Rows-fewRows)
			}
			page.Rows = append(page.Rows, s.row(raw))
			continue
		}
		page.More = true
		if dropped > max(limit.Bytes, leastDropped) {
			breakOff()
			return page, twice, nil
		}
		dropped += n
	}
	return page, twice, rows.Err()
}

// checkFormats checks that pgx asked for the formats that row expects.
func checkFormats(rows pgx.Rows) error {
	fields := rows.FieldDescriptions()
	if len(fields) == 0 {
		rows.Close() // sets the error if there is no answer
		if err := rows.Err(); err != nil {
			return err
		}
	}
	if len(fields) != columns {
		return fmt.Errorf("the page query answers with %d columns, not %d", len(fields), columns)
	}
	for _, c := range []int{colSeq, colID, colCreatedAt, colRetryCount, colPartition} {
		if fields[c].Format != pgtype.BinaryFormatCode {
			return fmt.Errorf("column %s came in text format", fields[c].Name)
		}
	}
	return nil
}

// scanner decodes rows with few allocations: it cuts the data from slabs, and repeated
// names share one string.
type scanner struct {
	names map[string]string
	slab  []byte
	keys  []string
}

func (s *scanner) row(raw [][]byte) relay.Row {
	aggregateID := string(raw[colAggregateID])
	return relay.Row{
		Seq:           int64(binary.BigEndian.Uint64(raw[colSeq])),
		ID:            uuid.UUID(raw[colID]),
		AggregateType: s.name(raw[colAggregateType]),
		AggregateID:   aggregateID,
		EventType:     s.name(raw[colEventType]),
		Topic:         s.name(raw[colTopic]),
		Key:           s.key(raw[colKey], aggregateID),
		Data:          s.bytes(raw[colData]),
		Headers:       s.bytes(raw[colHeaders]),
		CreatedAt:     timestamp(raw[colCreatedAt]),
		RetryCount:    int(int32(binary.BigEndian.Uint32(raw[colRetryCount]))),
		Partition:     partition(raw[colPartition]),
	}
}

func (s *scanner) name(raw []byte) string {
	name, ok := s.names[string(raw)]
	if !ok {
		name = string(raw)
		s.names[name] = name
	}
	return name
}

// key returns the key as its own string, or the aggregate's id if they are equal, as
// they usually are. An empty string means no key, as in keyOrNil.
func (s *scanner) key(raw []byte, aggregateID string) *string {
	if len(raw) == 0 {
		return nil
	}
	key := aggregateID
	if string(raw) != aggregateID {
		key = string(raw)
	}
	if len(s.keys) == cap(s.keys) {
		s.keys = make([]string, 0, 64)
	}
	s.keys = append(s.keys, key)
	return &s.keys[len(s.keys)-1]
}

// keyOrNil returns the key of a row. An empty string, which older writers store for a
// row without a key, means no key.
func keyOrNil(key *string) *string {
	if key == nil || *key == "" {
		return nil
	}
	return key
}

// partition decodes an integer that may be null.
func partition(raw []byte) *int32 {
	if raw == nil {
		return nil
	}
	n := int32(binary.BigEndian.Uint32(raw))
	return &n
}

func (s *scanner) bytes(raw []byte) []byte {
	if raw == nil {
		return nil
	}
	if cap(s.slab)-len(s.slab) < len(raw) {
		if len(raw) > slabBytes/4 {
			return append([]byte(nil), raw...)
		}
		s.slab = make([]byte, 0, slabBytes)
	}
	from := len(s.slab)
	s.slab = append(s.slab, raw...)
	return s.slab[from:len(s.slab):len(s.slab)]
}

// timestamp decodes a timestamptz: microseconds since 2000.
func timestamp(raw []byte) time.Time {
	const epoch = 946_684_800_000_000
	return time.UnixMicro(int64(binary.BigEndian.Uint64(raw)) + epoch).UTC()
}
