package kafkasink

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Config says how to connect to Kafka. Opts is required.
type Config struct {
	// Opts are options of franz-go: kgo.SeedBrokers is required; kgo.DialTLSConfig,
	// kgo.SASL, kgo.ClientID and others as needed. The sink sets the options that the
	// relay's guarantees rest on (acks, partitioning, flushing, batch sizes); they
	// cannot be changed. The sink also sets how brokers are dialled and how long a
	// request can take, unless kgo.Dialer, kgo.DialTimeout or
	// kgo.RequestTimeoutOverhead are here. kgo.DialTimeout limits the connection and the
	// TLS handshake, one each.
	//
	// New refuses three options: kgo.DisableIdempotentWrite, because a retry of the
	// client could write a batch twice or out of order; kgo.AllowAutoTopicCreation,
	// because reading a topic would create it, with the broker's number of partitions;
	// and kgo.TransactionalID, because every record would fail.
	Opts []kgo.Opt
	// Compression lists codecs by preference. Default: none, because clients in other
	// languages often need a library of their own for anything but gzip. If every consumer
	// can read it, Snappy or LZ4 cost little; Zstandard makes smaller batches for more
	// processor time, and needs brokers from 2.1.
	Compression []kgo.CompressionCodec
	// MaxRecordBytes limits a single record before compression; a larger one fails as
	// too large without being sent. Default 32 MiB; the broker's limits apply as well.
	MaxRecordBytes int32
	// TLS returns the TLS configuration of a new connection, which is cloned. It is called
	// for each one, also by several goroutines. Use it for certificates that are renewed.
	// It has no effect if Opts has kgo.Dialer. Default nil: that of kgo.DialTLSConfig in
	// Opts, or no TLS.
	TLS func() (*tls.Config, error)
}

const (
	defaultMaxRecordBytes = 32 << 20
	// maxBuffered is more than a relay can put into a wave.
	maxBuffered = 1 << 20
	// requestOverhead limits requests without their own timeout, such as those for
	// metadata.
	requestOverhead = 3 * time.Second
	// topicsTimeout limits one call of Topics, so that a broker that returns is found
	// soon.
	topicsTimeout = 5 * time.Second
	// probeTimeout limits the check whether Kafka answers at all.
	probeTimeout = time.Second
	// abortTimeout limits the wait for a closed client to fail its records.
	abortTimeout = 5 * time.Second
)

// Sink is a relay.Sink for Kafka. Create it with New.
type Sink struct {
	dialer  *dialer
	opts    []kgo.Opt // of both clients
	produce []kgo.Opt // more options of the producing client
	hash    kgo.TopicPartitioner
	records sync.Pool
}

// New returns a Sink. It does not connect. The error names the options that cannot be
// used.
func New(cfg Config) (*Sink, error) {
	cfg.MaxRecordBytes = cmp.Or(cfg.MaxRecordBytes, defaultMaxRecordBytes)
	if len(cfg.Compression) == 0 {
		cfg.Compression = []kgo.CompressionCodec{kgo.NoCompression()}
	}
	s := &Sink{
		hash:    kgo.StickyKeyPartitioner(nil).ForTopic(""), // murmur2 of the key, as in Kafka's own clients
		records: sync.Pool{New: func() any { return new(kgo.Record) }},
	}
	s.opts = append(s.opts,
		kgo.ClientID("outboxrelay"),
		kgo.RetryBackoffFn(func(tries int) time.Duration { return min(time.Second, 50*time.Millisecond<<min(tries, 10)) }),
		kgo.MetadataMinAge(250*time.Millisecond),
		// On top of the time that a request itself allows: ten seconds for a produce
		// request.
		kgo.RequestTimeoutOverhead(requestOverhead),
		kgo.DisableClientMetrics(),
	)
	given, err := kgo.NewClient(cfg.Opts...) // to read the options; it does not connect before it is used
	if err != nil {
		return nil, fmt.Errorf("kafkasink: the client's options do not fit together: %w", err)
	}
	defer given.Close()
	d := dialerFor(given)
	s.dialer = d
	if cfg.TLS != nil {
		d.tls = cfg.TLS
	}
	s.opts = append(append(s.opts, kgo.Dialer(d.dial)), cfg.Opts...) // a dialer in cfg.Opts stays in effect
	if d.tls != nil {
		s.opts = append(s.opts, kgo.DialTLSConfig(nil)) // the sink's dialer uses it
	}
	s.produce = []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(maxBuffered),
		// The relay cuts the batches; the client must not cut them again.
		kgo.ProducerBatchMaxBytes(cfg.MaxRecordBytes),
		kgo.ProducerBatchCompression(cfg.Compression...),
		kgo.UnknownTopicRetries(1), // the relay describes topics itself
	}
	if err := kgo.ValidateOpts(slices.Concat(s.opts, s.produce)...); err != nil {
		return nil, fmt.Errorf("kafkasink: the client's options do not fit together: %w", err)
	}
	if err := refuse(given); err != nil {
		return nil, err
	}
	return s, nil
}

// dialerFor returns the sink's dialer for a client with these options.
func dialerFor(given *kgo.Client) *dialer {
	config, _ := given.OptValue(kgo.DialTLSConfig).(*tls.Config)
	seeds, _ := given.OptValue(kgo.SeedBrokers).([]string)
	d := newDialer(config, seeds...)
	if t, ok := given.OptValue(kgo.DialTimeout).(time.Duration); ok && t != clientDialTimeout {
		d.timeout, d.chosen = t, true
	}
	return d
}

// refuse returns an error for options that break the relay's guarantees.
func refuse(given *kgo.Client) error {
	for _, o := range []struct {
		name, why string
		option    any
	}{
		{"DisableIdempotentWrite", "a retry could write a batch twice, or behind a later one", kgo.DisableIdempotentWrite},
		{"AllowAutoTopicCreation", "a misspelt topic would be made instead of reported", kgo.AllowAutoTopicCreation},
		{"TransactionalID", "the sink begins no transactions, so every record would fail", kgo.TransactionalID},
	} {
		if set := given.OptValue(o.option); set != nil && !reflect.ValueOf(set).IsZero() {
			return fmt.Errorf("kafkasink: Config.Opts has kgo.%s: %s; leave it out", o.name, o.why)
		}
	}
	return nil
}

// Partition is Kafka's default for records with a key: murmur2 of the key.
func (s *Sink) Partition(key []byte, n int) int32 {
	r := s.records.Get().(*kgo.Record)
	r.Key = key
	p := s.hash.Partition(r, n)
	r.Key = nil
	s.records.Put(r)
	return int32(p) // less than n, which is an int32 in Kafka
}

// Open creates the clients of a term. It succeeds without a broker; Send and Topics
// then return the errors.
func (s *Sink) Open(context.Context) (relay.Producer, error) {
	admin, err := kgo.NewClient(s.opts...)
	if err != nil {
		return nil, fmt.Errorf("kafkasink: starting the client: %w", err)
	}
	p := &producer{sink: s, admin: admin}
	if err := p.open(); err != nil {
		admin.Close()
		return nil, err
	}
	return p, nil
}

// producer is a relay.Producer.
type producer struct {
	sink   *Sink
	admin  *kgo.Client
	client *kgo.Client // nil: the last wave's client was closed
	warm   map[string]bool
}

func (p *producer) open() error {
	client, err := kgo.NewClient(slices.Concat(p.sink.opts, p.sink.produce)...)
	if err != nil {
		return fmt.Errorf("kafkasink: starting the client: %w", err)
	}
	p.client, p.warm = client, map[string]bool{}
	return nil
}

// Close closes both clients.
func (p *producer) Close() {
	if p.client != nil {
		p.client.Close()
	}
	p.admin.Close()
}

// Send implements relay.Producer.
func (p *producer) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	if p.client != nil && p.outdated(wave) {
		p.client.Close() // nothing is under way
		p.client = nil
	}
	if p.client == nil {
		if err := p.open(); err != nil {
			for i := range results {
				results[i] = result(err)
			}
			return
		}
	}
	f := newFlight(wave)
	first := p.firsts(wave)
	if len(first) > 0 {
		p.flush(ctx, f, first)
	}
	// A partition whose first record failed gets no more records in this wave.
	type where struct {
		topic string
		part  int32
	}
	failed := map[where]error{}
	for _, i := range first {
		if err := f.errs[i]; err != nil {
			failed[where{wave[i].Topic, wave[i].Partition}] = err
		}
	}
	rest := make([]int, 0, len(wave)-len(first))
	for i := range wave {
		if f.errs[i] != errNotSent { //nolint:errorlint // newFlight sets it
			continue
		}
		if len(failed) > 0 {
			if err := failed[where{wave[i].Topic, wave[i].Partition}]; err != nil {
				f.errs[i] = err
				continue
			}
		}
		rest = append(rest, i)
	}
	if len(rest) > 0 {
		p.flush(ctx, f, rest)
	}
	for i := range wave {
		err := f.errs[i]
		if err == nil {
			p.warm[wave[i].Topic] = true
		}
		results[i] = result(err)
		if err != nil && f.unresolved == nil && p.lacks(&wave[i]) {
			results[i].Class = relay.ClassPartition
		}
	}
	if f.unresolved == nil {
		p.forgetTopicIDs(f.errs)
		return
	}
	// The time is over. If Kafka answers, the failure belongs to the partitions that
	// did not answer.
	class := relay.ClassRelay
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		probe, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
		if p.admin.Ping(probe) == nil {
			class = relay.ClassPartition
		}
		cancel()
	}
	for i := range results {
		if errors.Is(f.errs[i], errUnresolved) {
			results[i] = relay.Result{Class: class, Err: f.errs[i]}
		}
	}
}

// outdated reports whether the client lacks a partition of the wave. A client that has
// loaded a topic learns of an added partition only minutes later, and fails its records
// until then. A new client loads the topic again.
func (p *producer) outdated(wave []relay.Record) bool {
	for i := range wave {
		r := &wave[i]
		if i > 0 && r.Partition == wave[i-1].Partition && r.Topic == wave[i-1].Topic {
			continue
		}
		if p.lacks(r) {
			return true
		}
	}
	return false
}

// lacks reports whether the client has loaded the record's topic without its partition.
func (p *producer) lacks(r *relay.Record) bool {
	first, _, firstErr := p.client.PartitionLeader(r.Topic, 0)
	leader, _, err := p.client.PartitionLeader(r.Topic, r.Partition)
	return (first >= 0 || firstErr != nil) && leader < 0 && err == nil
}

// forgetTopicIDs closes the client if it uses the id of a topic that was deleted and
// created again: the client never learns the new id. Nothing is under way, and the next
// wave opens a new client with its own producer id.
func (p *producer) forgetTopicIDs(errs []error) {
	for _, err := range errs {
		if errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID) {
			p.client.Close()
			p.client = nil
			return
		}
	}
}

// firsts returns the index of the first record for each topic that is new to the
// client.
func (p *producer) firsts(wave []relay.Record) []int {
	var first []int
	seen := map[string]bool{}
	for i := range wave {
		if t := wave[i].Topic; !p.warm[t] && !seen[t] {
			seen[t] = true
			first = append(first, i)
		}
	}
	return first
}

// flush hands records to the client and waits until they are resolved. If ctx ends
// first, it closes the client.
func (p *producer) flush(ctx context.Context, f *flight, which []int) {
	if f.unresolved != nil {
		for _, i := range which {
			f.errs[i] = f.unresolved
		}
		return
	}
	records := make([]kgo.Record, len(which))
	n := 0
	for _, i := range which {
		n += len(f.wave[i].Headers)
	}
	headers := make([]kgo.RecordHeader, 0, n)
	now := time.Now()
	f.start(which)
	// The context of the records does not end: otherwise the client would fail queued
	// records out of order while others are in flight.
	steady := context.WithoutCancel(ctx)
	for n, i := range which {
		r := &f.wave[i]
		k := &records[n]
		k.Topic, k.Partition, k.Key, k.Value, k.Timestamp = r.Topic, r.Partition, r.Key, r.Value, now
		from := len(headers)
		for _, h := range r.Headers {
			headers = append(headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		k.Headers = headers[from:len(headers):len(headers)]
		p.client.Produce(steady, k, func(_ *kgo.Record, err error) { f.promise(i, err) })
	}
	if err := p.client.Flush(ctx); err != nil {
		p.client.Close()
		p.client = nil
		f.abort(fmt.Errorf("%w%s: %w", errUnresolved, p.sink.dialer.trouble(), err))
	}
}

// errUnresolved is the error of records that were in flight when the wave's time was
// over.
var errUnresolved = errors.New("kafkasink: the broker did not answer within the wave's time; the record may still be written")

// flight collects the results of a wave's records. The client's goroutines call its
// promises, even after the wave was aborted.
type flight struct {
	wave       []relay.Record
	mu         sync.Mutex
	errs       []error // of each record; errNotSent or errInFlight before there is a result
	pending    int
	done       chan struct{} // closed when no record is pending
	over       bool
	unresolved error
}

var (
	errNotSent  = errors.New("kafkasink: the record was not sent yet")
	errInFlight = errors.New("kafkasink: the record is in flight")
)

func newFlight(wave []relay.Record) *flight {
	return &flight{wave: wave, errs: slices.Repeat([]error{errNotSent}, len(wave))}
}

func (f *flight) start(which []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range which {
		f.errs[i] = errInFlight
	}
	f.pending = len(which)
	f.done = make(chan struct{})
}

func (f *flight) promise(i int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return // aborted; results were reported
	}
	f.errs[i] = err
	f.pending--
	if f.pending == 0 {
		close(f.done)
	}
}

// abort waits for the closed client to fail its records, and marks the rest as
// unresolved.
func (f *flight) abort(err error) {
	limit := time.NewTimer(abortTimeout)
	defer limit.Stop()
	select {
	case <-f.done:
	case <-limit.C:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	f.unresolved = err
	for i, resolved := range f.errs {
		if errors.Is(resolved, errInFlight) || errors.Is(resolved, kgo.ErrClientClosed) || errors.Is(resolved, context.Canceled) {
			f.errs[i] = err
		}
	}
}
