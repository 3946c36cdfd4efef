package relay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// NewStdoutSink returns a sink that writes each record as a line of JSON: for a
// first look at what would reach Kafka. Every topic exists and has one
// partition. Rows count as sent when the line is written.
func NewStdoutSink(w io.Writer) Sink { return &lineSink{w: w} }

type lineSink struct {
	mu sync.Mutex
	w  io.Writer
}

// line is what is written; a value that is not JSON goes as a base64 string
// under value_bytes.
type line struct {
	Topic   string            `json:"topic"`
	Key     *string           `json:"key"`
	Seq     int64             `json:"seq"`
	Headers map[string]string `json:"headers"`
	Value   json.RawMessage   `json:"value,omitempty"`
	Bytes   []byte            `json:"value_bytes,omitempty"`
	At      time.Time         `json:"created_at"`
}

func (s *lineSink) Open(context.Context) (Producer, error) { return s, nil }

func (s *lineSink) Partition([]byte, int) int32 { return 0 }

func (s *lineSink) Topics(_ context.Context, names []string) ([]TopicInfo, error) {
	out := make([]TopicInfo, len(names))
	for i, name := range names {
		out[i] = TopicInfo{Name: name, Partitions: 1}
	}
	return out, nil
}

func (s *lineSink) Send(_ context.Context, wave []Record, results []Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	enc := json.NewEncoder(s.w)
	enc.SetEscapeHTML(false)
	for i := range wave {
		r := &wave[i]
		l := line{Topic: r.Topic, Seq: r.Seq, Headers: map[string]string{}, At: r.CreatedAt}
		if r.Key != nil {
			k := string(r.Key)
			l.Key = &k
		}
		for _, h := range r.Headers {
			l.Headers[h.Key] = string(h.Value)
		}
		if json.Valid(r.Value) {
			l.Value = r.Value
		} else {
			l.Bytes = r.Value
		}
		if err := enc.Encode(l); err != nil {
			for j := i; j < len(results); j++ {
				results[j] = Result{ClassRelay, fmt.Errorf("writing the record: %w", err)}
			}
			return
		}
	}
}

func (s *lineSink) Close() {}
