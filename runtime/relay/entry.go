package relay

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// entry is a row in memory, prepared for the sink by the goroutine that read it.
type entry struct {
	row     Row
	headers []Header
	invalid error // the row cannot be sent as it is; it fails alone
	size    int64 // upper limit of its size in a batch
	part    int32
	asked   bool // the topic was asked about while the row waited for its description
	derived bool // the headers, and with them the event's id and type, come from the row's data
}

// recordOverhead is the most that a record adds to its key, value and headers in a
// batch of any format. headerOverhead is the most that one header adds.
const (
	recordOverhead = 48
	headerOverhead = 10
	batchOverhead  = 128
)

// prepare makes entries of a page. strip removes the members topic and headers from the
// data of rows without headers. left is what could not be taken from the data of such
// rows.
func prepare(rows []Row, strip bool) (out []*entry, left leftOuts) {
	slab := make([]entry, len(rows))
	out = make([]*entry, len(rows))
	h := headerMaker{data: dataReader{strip: strip}}
	for i := range rows {
		e := &slab[i]
		e.row = rows[i]
		e.make(&h)
		out[i] = e
	}
	return out, h.data.left
}

func (e *entry) make(h *headerMaker) {
	r := &e.row
	var headers []Header
	var err error
	if r.hasHeaders() {
		headers, err = h.parse(r)
	} else {
		headers, e.derived = h.derive(r), true
		r.Data = h.data.stripped()
	}
	e.headers = headers
	switch {
	case err != nil:
		e.invalid = fmt.Errorf("headers of the row: %w", err)
	case r.Partition != nil && *r.Partition < 0:
		e.invalid = fmt.Errorf("partition %d: partitions are numbered from 0", *r.Partition)
	case !validTopic(r.Topic):
		e.invalid = fmt.Errorf("topic name %q: Kafka allows 1 to 249 characters of a-z A-Z 0-9 . _ - and neither \".\" nor \"..\"", r.Topic)
	}
	e.size = recordOverhead + int64(len(r.Data))
	if r.Key != nil {
		e.size += int64(len(*r.Key))
	}
	for i := range headers {
		e.size += headerOverhead + int64(len(headers[i].Key)) + int64(len(headers[i].Value))
	}
}

func (e *entry) record() Record {
	r := Record{
		Topic: e.row.Topic, Partition: e.part, Chosen: e.row.Partition != nil, Value: e.row.Data, Headers: e.headers,
		EventID: e.row.ID, EventType: e.row.EventType, Seq: e.row.Seq, CreatedAt: e.row.CreatedAt,
	}
	if e.row.Key != nil {
		r.Key = []byte(*e.row.Key)
	}
	if r.Chosen {
		r.Partition = *e.row.Partition
	}
	if e.derived {
		r.EventID, r.EventType = uuid.Must(uuid.ParseBytes(e.headers[0].Value)), string(e.headers[1].Value)
	}
	return r
}

// headerReplay is the header of package replay. A row cannot set it: a consumer that skips
// replays would never handle the event.
const headerReplay = "outbox_replay"

// headerMaker makes the records' headers. It allocates for several rows at once, and
// rows of one event type share its name.
type headerMaker struct {
	headers   []Header
	ids       []byte
	eventType []byte
	data      dataReader
}

const (
	// headersAtATime is how many headers are allocated at once. usualHeaders is the
	// most that a usual row has.
	headersAtATime = 512
	usualHeaders   = 16
	idsAtATime     = 64
	idLength       = 36
)

// parse makes the headers of a row: event_id and event_type from the columns, then the
// headers of the row in order, without these two and without the mark of a replay. Values
// point into the row's JSON.
func (h *headerMaker) parse(r *Row) ([]Header, error) {
	out := h.begin(r.ID, r.EventType)
	s := scanner{b: r.Headers}
	err := s.object(func(key, value []byte) {
		name := headerName(key)
		if name != "event_id" && name != "event_type" && name != headerReplay {
			out = append(out, Header{name, value})
		}
	})
	if err != nil {
		out = out[:2]
	}
	return h.end(out), err
}

// derive makes the headers of a row without headers, from its data and else its columns.
func (h *headerMaker) derive(r *Row) []Header {
	headers, id, eventType := h.data.read(r)
	if id == uuid.Nil {
		id = r.ID
	}
	if eventType == "" {
		eventType = r.EventType
	}
	return h.end(append(h.begin(id, eventType), headers...))
}

// begin begins the headers of a row, where there mostly is room for all of them.
func (h *headerMaker) begin(id uuid.UUID, eventType string) []Header {
	if cap(h.headers)-len(h.headers) < usualHeaders {
		h.headers = make([]Header, 0, headersAtATime)
	}
	out := h.headers[len(h.headers):]
	return append(out, Header{"event_id", h.id(id)}, Header{"event_type", h.typ(eventType)})
}

// end keeps the room that a row's headers have taken.
func (h *headerMaker) end(out []Header) []Header {
	if len(out) <= cap(h.headers)-len(h.headers) {
		h.headers = h.headers[:len(h.headers)+len(out)]
	}
	return out[:len(out):len(out)]
}

func (h *headerMaker) id(id uuid.UUID) []byte {
	if cap(h.ids)-len(h.ids) < idLength {
		h.ids = make([]byte, 0, idsAtATime*idLength)
	}
	from := len(h.ids)
	h.ids = hex.AppendEncode(h.ids, id[:4])
	for _, part := range [...][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		h.ids = hex.AppendEncode(append(h.ids, '-'), part)
	}
	return h.ids[from:len(h.ids):len(h.ids)]
}

func (h *headerMaker) typ(name string) []byte {
	if string(h.eventType) != name {
		h.eventType = []byte(name)
	}
	return h.eventType
}

// headerName returns key as a string. It does not allocate for the names that package
// outbox uses in every row.
func headerName(key []byte) string {
	for _, name := range [...]string{
		"event_id", "event_type", "trace_id", "causation_id", "source_service", "schema_version",
		"occurred_at", "content_type", "traceparent", "tracestate", "baggage",
	} {
		if string(key) == name {
			return name
		}
	}
	return string(key)
}

// scanner reads a JSON object of strings in order. encoding/json would lose the order
// and is several times slower.
type scanner struct {
	b []byte
	i int
}

var errHeaders = errors.New("not a JSON object of strings")

func (s *scanner) object(each func(key, value []byte)) error {
	if !s.next('{') {
		return errHeaders
	}
	if s.next('}') {
		return s.end()
	}
	for {
		key, err := s.str()
		if err != nil {
			return err
		}
		if !s.next(':') {
			return errHeaders
		}
		value, err := s.str()
		if err != nil {
			return err
		}
		each(key, value)
		if s.next(',') {
			continue
		}
		if s.next('}') {
			return s.end()
		}
		return errHeaders
	}
}

func (s *scanner) end() error {
	s.space()
	if s.i != len(s.b) {
		return errHeaders
	}
	return nil
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\t' || s.b[s.i] == '\r') {
		s.i++
	}
}

func (s *scanner) next(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// str reads a string. If possible the result points into the document.
func (s *scanner) str() ([]byte, error) {
	s.space()
	start := s.i
	if !s.next('"') {
		return nil, errHeaders
	}
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start+1 : s.i-1 : s.i-1], nil
		case c == '\\':
			return s.escaped(start)
		case c < 0x20:
			return nil, errHeaders
		}
		s.i++
	}
	return nil, errHeaders
}

// escaped reads a string with escapes, which is rare and slow.
func (s *scanner) escaped(start int) ([]byte, error) {
	for s.i < len(s.b) && s.b[s.i] != '"' {
		if s.b[s.i] == '\\' {
			s.i++
		}
		s.i++
	}
	if s.i >= len(s.b) {
		return nil, errHeaders
	}
	s.i++
	var v string
	if err := json.Unmarshal(s.b[start:s.i], &v); err != nil {
		return nil, errHeaders
	}
	return []byte(v), nil
}

// validTopic checks Kafka's rule for topic names.
func validTopic(name string) bool {
	if name == "" || len(name) > 249 || name == "." || name == ".." {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}) < 0
}
