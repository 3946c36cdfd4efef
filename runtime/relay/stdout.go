package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// NewStdoutSink returns a sink that writes each record to w as a line of JSON, to see
// what would reach Kafka. Every topic exists and has every partition. A row counts as
// sent when its line is written.
func NewStdoutSink(w io.Writer) Sink { return &lineSink{w: w, turn: make(chan struct{}, 1)} }

type lineSink struct {
	w    io.Writer
	turn chan struct{} // full while a goroutine writes
}

// line is the JSON of a record. A value that is not JSON is a base64 string under
// value_bytes, and a null value is "tombstone": true.
type line struct {
	Topic   string            `json:"topic"`
	Key     *string           `json:"key"`
	Part    *int32            `json:"partition,omitempty"` // only one that the row names
	Seq     int64             `json:"seq"`
	Headers map[string]string `json:"headers"`
	Value   json.RawMessage   `json:"value,omitempty"`
	Bytes   []byte            `json:"value_bytes,omitempty"`
	Deleted bool              `json:"tombstone,omitempty"` // there is no value
	At      time.Time         `json:"created_at"`
}

func (s *lineSink) Open(context.Context) (Producer, error) { return s, nil }

func (s *lineSink) Partition([]byte, int) int32 { return 0 }

func (s *lineSink) Topics(_ context.Context, names []string) ([]TopicInfo, error) {
	out := make([]TopicInfo, len(names))
	for i, name := range names {
		out[i] = TopicInfo{Name: name, Partitions: 1, Unchecked: true}
	}
	return out, nil
}

// Send writes the records line by line. A write that blocks cannot be cancelled. If ctx
// ends first, Send returns, and the goroutine of the write stays until the reader takes
// that line. The next wave waits for it, at most as long as its own context lasts.
func (s *lineSink) Send(ctx context.Context, wave []Record, results []Result) {
	fail := func(from int, err error) {
		for i := from; i < len(results); i++ {
			results[i] = Result{ClassRelay, fmt.Errorf("writing the record: %w", err)}
		}
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		fail(0, fmt.Errorf("the output is blocked by an earlier write: %w", context.Cause(ctx)))
		return
	}
	written := make(chan error)
	go func() {
		defer func() { <-s.turn }()
		for i := range wave {
			text, err := lineOf(&wave[i]).text()
			if err == nil {
				_, err = s.w.Write(text)
			}
			select {
			case written <- err:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for i := range wave {
		select {
		case err := <-written:
			if err != nil {
				fail(i, err)
				return
			}
		case <-ctx.Done():
			fail(i, fmt.Errorf("the output is blocked, and the record may still be written: %w", context.Cause(ctx)))
			return
		}
	}
}

// text returns the line. Its value has the bytes of the record, so that spaces are kept: only
// line breaks, which JSON allows between tokens, become spaces.
func (l line) text() ([]byte, error) {
	value := l.Value
	if value != nil {
		l.Value = json.RawMessage("0")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil || value == nil {
		return b.Bytes(), err
	}
	const before, after = `"value":`, `0,"created_at":`
	at := bytes.LastIndex(b.Bytes(), []byte(before+after)) + len(before)
	out := slices.Concat(b.Bytes()[:at], value, b.Bytes()[at+1:])
	for i, c := range out[at : at+len(value)] { // not bytes.Map: it changes what is not UTF-8
		if c == '\n' || c == '\r' {
			out[at+i] = ' '
		}
	}
	return out, nil
}

func lineOf(r *Record) line {
	l := line{Topic: r.Topic, Seq: r.Seq, Headers: map[string]string{}, At: r.CreatedAt}
	if r.Key != nil {
		k := string(r.Key)
		l.Key = &k
	}
	if r.Chosen {
		l.Part = &r.Partition
	}
	for _, h := range r.Headers {
		l.Headers[h.Key] = string(h.Value)
	}
	switch {
	case r.Value == nil:
		l.Deleted = true
	case json.Valid(r.Value):
		l.Value = r.Value
	default:
		l.Bytes = r.Value
	}
	return l
}

func (s *lineSink) Close() {}
