package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/history"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// journal is a file of an instance. Every entry is written immediately, so that it is kept
// when the process is killed.
type journal struct {
	mu   sync.Mutex
	file *json.Encoder
}

func (j *journal) write(e history.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.file.Encode(e); err != nil {
		panic(fmt.Sprintf("the journal cannot be written: %v", err)) // without the journal the run proves nothing
	}
}

// labelHeader is the header with a record's label. Name and value are short, because
// the relay has measured the record without them.
const labelHeader = "~"

// base is the base of the numbers in a label.
const base = 36

func label(l history.Label) relay.Header {
	text := strconv.FormatInt(l.Epoch, base) + "." + strconv.FormatInt(l.Wave, base) + "." + strconv.FormatInt(l.Seq, base)
	return relay.Header{Key: labelHeader, Value: []byte(text)}
}

// ParseLabel reads the label from a header. It returns false for other headers.
func ParseLabel(key string, value []byte) (history.Label, bool) {
	parts := strings.Split(string(value), ".")
	if key != labelHeader || len(parts) != 3 {
		return history.Label{}, false
	}
	var n [3]int64
	for i, part := range parts {
		var err error
		if n[i], err = strconv.ParseInt(part, base, 64); err != nil {
			return history.Label{}, false
		}
	}
	return history.Label{Epoch: n[0], Wave: n[1], Seq: n[2]}, true
}

// CrashType is the type of events that kill the relay that sends them.
const CrashType = "chaos.crash.v1"

const crashes Point = "a record crashes the relay"

// sink wraps the relay's sink.
type sink struct {
	relay.Sink
	points  *points
	journal *journal
	store   *store
	waves   atomic.Int64
	// unbounded makes producers that several goroutines may use at once, for the test
	// without limits on waves.
	unbounded func() (relay.Producer, error)
}

func (s *sink) Open(ctx context.Context) (relay.Producer, error) {
	var p relay.Producer
	var err error
	if s.unbounded != nil {
		p, err = s.unbounded()
	} else {
		p, err = s.Sink.Open(ctx)
	}
	if err != nil {
		return nil, err
	}
	return &producer{Producer: p, sink: s, epoch: s.store.epoch.Load()}, nil
}

// producer wraps the producer of one term.
type producer struct {
	relay.Producer
	sink  *sink
	epoch int64
}

func (p *producer) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	number := p.sink.waves.Add(1)
	seqs := make([]int64, len(wave))
	for i := range wave {
		seqs[i] = wave[i].Seq
		mark := label(history.Label{Epoch: p.epoch, Wave: number, Seq: wave[i].Seq})
		wave[i].Headers = append(slices.Clone(wave[i].Headers), mark) // the relay keeps its own headers
	}
	p.sink.journal.write(history.Entry{Kind: history.Sending, Epoch: p.epoch, Wave: number, Seqs: seqs})
	p.sink.points.hit(BeforeSend)
	for i := range wave {
		if wave[i].EventType == CrashType {
			p.sink.points.arm(crashes, Kill)
			p.sink.points.hit(crashes)
		}
	}
	p.Producer.Send(ctx, wave, results)
	acked := seqs[:0]
	for i := range results {
		if results[i].Class == relay.ClassOK {
			acked = append(acked, wave[i].Seq)
		}
	}
	p.sink.journal.write(history.Entry{Kind: history.Acked, Epoch: p.epoch, Wave: number, Seqs: acked})
	p.sink.points.hit(AfterSend)
}
