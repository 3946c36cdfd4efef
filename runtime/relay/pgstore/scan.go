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
	columns
)

// slabBytes is how much is allocated at a time for the rows' data.
const slabBytes = 64 << 10

// fewRows is what a page mostly has that is not full. After that many there is room
// made for a full one.
const fewRows = 256

// leastDropped is how much of what a page has no room for is read and dropped,
// however small the page.
const leastDropped = 4 << 20

// scanPage reads a page. A row beyond the limit says that there is more, and is
// dropped with those that follow: usually a few, since no more rows were asked for
// than should fit. When they are much larger than those before, breakOff is called
// before they have all come, which costs the session.
func scanPage(rows pgx.Rows, limit relay.Limit, breakOff func()) (relay.Page, error) {
	defer rows.Close()
	if err := checkFormats(rows); err != nil {
		return relay.Page{}, err
	}
	var page relay.Page
	var kept, dropped int64
	s := scanner{names: map[string]string{}}
	for rows.Next() {
		raw := rows.RawValues()
		n := int64(len(raw[colData]) + len(raw[colHeaders]))
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
			return page, nil
		}
		dropped += n
	}
	return page, rows.Err()
}

// checkFormats makes sure that pgx asked for the formats that row expects.
func checkFormats(rows pgx.Rows) error {
	fields := rows.FieldDescriptions()
	if len(fields) == 0 {
		rows.Close() // which tells why there is no answer
		if err := rows.Err(); err != nil {
			return err
		}
	}
	if len(fields) != columns {
		return fmt.Errorf("the page query answers with %d columns, not %d", len(fields), columns)
	}
	for _, c := range []int{colSeq, colID, colCreatedAt, colRetryCount} {
		if fields[c].Format != pgtype.BinaryFormatCode {
			return fmt.Errorf("column %s came in text format", fields[c].Name)
		}
	}
	return nil
}

// scanner turns wire rows into rows with few allocations: data is cut from
// slabs, and names that repeat are one string.
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

// key is the key as a string of its own, or the aggregate's id where they are
// the same, which is the rule. An empty string means no key, as in keyOrNil.
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

// keyOrNil is the key of a row: an empty string, which old writers store where a
// row has no key, is none.
func keyOrNil(key *string) *string {
	if key == nil || *key == "" {
		return nil
	}
	return key
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

// timestamp reads a timestamptz: microseconds since 2000.
func timestamp(raw []byte) time.Time {
	const epoch = 946_684_800_000_000
	return time.UnixMicro(int64(binary.BigEndian.Uint64(raw)) + epoch).UTC()
}
