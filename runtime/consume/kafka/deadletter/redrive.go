package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// Filter selects dead letters. A zero field selects all.
type Filter struct {
	Topic     string  // where the record was published
	Group     string  // the group that could not handle it
	EventType string  // the header event_type
	EventID   string  // the header event_id
	Key       *string // nil: every key
	Error     string  // text in the error, in upper or lower case
}

// Config configures [Redrive].
type Config struct {
	// Topic is the dead-letter topic. Required.
	Topic string
	// Options are options of the Kafka client: addresses, TLS, SASL.
	Options []kgo.Opt
	// Filter selects the records. Default: all.
	Filter Filter
	// To is the topic to send the records to, for example a retry topic of the group.
	// Default "": the topic where each was published.
	To string
	// Limit is the largest number of records to send. Default 0: no limit.
	Limit int
	// DryRun reads and reports the records, and sends nothing.
	DryRun bool
	// Again also selects records that were sent back before.
	Again bool
	// Each is called for each selected record before it is sent. If it returns an
	// error, Redrive ends. Default nil.
	Each func(Entry) error

	quiet time.Duration // 0: quiet
}

// Entry is one record of a dead-letter topic.
type Entry struct {
	Partition int32
	Offset    int64
	Key       []byte // nil: none
	EventType string // the header event_type, or ""
	EventID   string // the header event_id, or ""
	Letter    Letter
}

// Summary says what [Redrive] did.
type Summary struct {
	Chosen     int // records that the filter selects and that were not sent before
	Sent       int
	Unreadable int // records without the headers of a letter; they are skipped
	Forgotten  int // sent records that the next Redrive sends again, because there are too many gaps to store
}

// ProgressGroup returns the consumer group whose offsets record which records of a
// dead-letter topic were sent back. Delete its offsets to start again.
func ProgressGroup(topic string) string { return "outbox-redrive." + topic }

// quiet is how long the brokers may return no records, and how long they may not accept
// one, before Redrive ends with an error.
const quiet = 30 * time.Second

// Redrive sends records of a dead-letter topic back, in order, with their original
// headers and [HeaderRedriveGroup]. It reads up to the current end of the topic. A
// record counts as sent when the brokers have acknowledged it; after a crash some are
// sent twice, and none is lost. The dead-letter topic does not change: the offsets of
// [ProgressGroup] record what was sent. The brokers delete these 7 days after the last
// call (offsets.retention.minutes); then records are sent again. Two calls at the same
// time send records twice, and one may forget what the other has sent.
//
// Records are not sent to a compacted topic: an old record would replace the newer ones of
// its key, and other groups skip a record that is sent back. If this client may not read
// the settings of the topic, or this Kafka does not tell them, records are sent. Dead
// letters of transactions that are open or aborted are not read.
//
// No order is promised between a record that is sent back and other records of its key.
//
// Redrive ends with an error if the brokers return no records for 30 seconds, or do not
// accept one for that time, as when a partition has no leader (kgo.RecordDeliveryTimeout
// in Config.Options changes the latter). The error says what to do. The summary is valid
// with an error too.
func Redrive(ctx context.Context, cfg Config) (Summary, error) {
	if cfg.Topic == "" {
		return Summary{}, errors.New("deadletter: Config.Topic is empty: name the dead-letter topic")
	}
	cfg.quiet = cmp.Or(cfg.quiet, quiet)
	r := &redrive{cfg: cfg, partitions: map[int32]*progress{}, checked: map[string]bool{}, known: map[string]bool{}}
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{
		kgo.ProducerBatchMaxBytes(largest), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordDeliveryTimeout(cfg.quiet), kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}, cfg.Options, []kgo.Opt{kgo.ManualFlushing(), kgo.MaxBufferedRecords(mostTogether)})...)
	if err != nil {
		return Summary{}, fmt.Errorf("deadletter: make a client: %w", err)
	}
	defer client.Close()
	r.client, r.admin = client, kadm.NewClient(client)
	if err := r.begin(ctx); err != nil {
		return Summary{}, fmt.Errorf("deadletter: topic %s: %w", cfg.Topic, err)
	}
	err = r.all(ctx)
	if err = errors.Join(err, r.commit(context.WithoutCancel(ctx))); err != nil {
		err = fmt.Errorf("deadletter: topic %s: %w", cfg.Topic, err)
	}
	return r.sum, err
}

// largest is the client's limit for one record.
const largest = 64 << 20

// redrive is one call of Redrive.
type redrive struct {
	cfg        Config
	client     *kgo.Client
	admin      *kadm.Client
	partitions map[int32]*progress
	checked    map[string]bool // topics that can take the records
	known      map[string]bool // topics whose partitions the client knows
	sum        Summary
}

// begin finds the ends of the topic and the records that were sent before.
func (r *redrive) begin(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, r.cfg.quiet)
	defer cancel()
	starts, err := r.admin.ListStartOffsets(asking, r.cfg.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return r.unknownOffsets(ctx, err)
	}
	ends, err := r.admin.ListCommittedOffsets(asking, r.cfg.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return r.unknownOffsets(ctx, err)
	}
	committed, err := r.sentBefore(asking)
	if err != nil {
		return fmt.Errorf("ask what was sent before (group %s): %w", ProgressGroup(r.cfg.Topic), err)
	}
	read := map[int32]kgo.Offset{}
	starts.Each(func(start kadm.ListedOffset) {
		end, ok := ends.Lookup(r.cfg.Topic, start.Partition)
		if !ok {
			return
		}
		p := &progress{next: start.Offset, end: end.Offset}
		if before, ok := committed.Lookup(r.cfg.Topic, start.Partition); ok && before.At >= 0 && before.At <= end.Offset { // else it is of a former topic
			p.sent = parseSpans(before.At, before.Metadata)
		}
		p.sent.raise(start.Offset)
		if !r.cfg.Again {
			p.next = p.sent.upTo
		}
		if r.partitions[start.Partition] = p; p.next < p.end {
			read[start.Partition] = kgo.NewOffset().At(p.next)
		}
	})
	r.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.cfg.Topic: read})
	return nil
}

// unknownOffsets says what to do if the brokers do not tell the offsets of the topic. ctx is
// the caller's: if it has ended, its end is the reason, and not the limit of one request.
func (r *redrive) unknownOffsets(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("it does not exist: check its name: %w", err)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return fmt.Errorf("the brokers did not answer within %v: look at them, and call it again: %w", r.cfg.quiet, err)
	}
	return fmt.Errorf("ask for its offsets: %w", err)
}

// sentBefore reads the group's offsets, which may not exist. The first group of a
// cluster has no coordinator for a moment.
func (r *redrive) sentBefore(ctx context.Context) (kadm.OffsetResponses, error) {
	const pause = 100 * time.Millisecond
	for {
		committed, err := r.admin.FetchOffsets(ctx, ProgressGroup(r.cfg.Topic))
		switch {
		case errors.Is(err, kerr.GroupIDNotFound):
			return nil, nil
		case !kerr.IsRetriable(err):
			return committed, err
		}
		if !backoff.Sleep(ctx, pause) {
			return nil, err
		}
	}
}

func (r *redrive) finished() bool {
	if r.cfg.Limit > 0 && r.sum.Chosen >= r.cfg.Limit {
		return true
	}
	for _, p := range r.partitions {
		if p.next < p.end {
			return false
		}
	}
	return true
}

func (r *redrive) all(ctx context.Context) error {
	for !r.finished() {
		polling, cancel := context.WithTimeout(ctx, r.cfg.quiet)
		fetches := r.client.PollRecords(polling, 500)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, failed := range fetches.Errors() {
			if errors.Is(failed.Err, context.DeadlineExceeded) {
				return fmt.Errorf("no records came for %v: look at the brokers, and call it again", r.cfg.quiet)
			}
			return fmt.Errorf("read it: %w", failed.Err)
		}
		var err error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if err == nil {
				err = r.partition(ctx, p.Partition, p.Records)
			}
		})
		if err == nil {
			err = r.commit(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// partition sends the selected records of a partition.
func (r *redrive) partition(ctx context.Context, id int32, records []*kgo.Record) error {
	p := r.partitions[id]
	var chosen []*kgo.Record // of the dead-letter topic
	var sending []*kgo.Record
	visit := func(record *kgo.Record) error {
		if record.Attrs.IsControl() || p == nil || record.Offset >= p.end || r.cfg.Limit > 0 && r.sum.Chosen >= r.cfg.Limit {
			return nil
		}
		letter, err := Read(record.Headers)
		if err != nil {
			r.sum.Unreadable++
			return nil //nolint:nilerr // it is counted, and the others go on
		}
		entry := Entry{
			Partition: record.Partition, Offset: record.Offset, Key: record.Key, Letter: letter,
			EventType: header(record, "event_type"), EventID: header(record, "event_id"),
		}
		if !r.cfg.Filter.chooses(entry) || p.sent.has(record.Offset) && !r.cfg.Again {
			return nil
		}
		r.sum.Chosen++
		chosen, sending = append(chosen, record), append(sending, r.back(record, letter))
		if r.cfg.Each == nil {
			return nil
		}
		return r.cfg.Each(entry)
	}
	for _, record := range records {
		if err := visit(record); err != nil {
			return err
		}
		if p == nil {
			continue
		}
		p.sent.add(p.next, record.Offset-1) // there are no records between
		if record.Attrs.IsControl() {
			p.sent.add(record.Offset, record.Offset)
		}
		p.next = record.Offset + 1
	}
	if r.cfg.DryRun {
		return nil
	}
	for _, record := range sending {
		if err := r.check(ctx, record.Topic); err != nil {
			return err
		}
	}
	return r.send(ctx, p, chosen, sending)
}

// mostTogether limits the bytes of records that are sent together. The client makes one
// batch of those for a partition, and the topic limits the size of a batch.
const mostTogether = 100 << 10

// send sends records for dead letters, and records which were acknowledged. The records for
// a partition keep their order.
func (r *redrive) send(ctx context.Context, p *progress, chosen, sending []*kgo.Record) error {
	for len(sending) > 0 {
		n, bytes := 0, 0
		for n < len(sending) && (n == 0 || r.known[sending[n].Topic] && bytes+size(sending[n]) <= mostTogether) {
			bytes += size(sending[n])
			n++
		}
		var failed error
		for i, err := range r.produce(ctx, sending[:n]) {
			at := chosen[i].Offset
			// It is too large for a batch, perhaps not alone. After one that failed, later ones must wait.
			if errors.Is(err, kerr.MessageTooLarge) && n > 1 && failed == nil {
				err = r.produce(ctx, sending[i:i+1])[0]
			}
			if err != nil {
				failed = cmp.Or(failed, fmt.Errorf("send the record at offset %d to topic %s: %s%w", at, sending[i].Topic, r.hint(err), err))
				continue
			}
			r.sum.Sent++
			p.sent.add(at, at)
		}
		if failed != nil {
			return failed
		}
		chosen, sending = chosen[n:], sending[n:]
	}
	return nil
}

// produce sends records together, and returns the error of each one. Those for one partition
// are one batch: the broker accepts all of them or none. So if a batch is too large, no later
// record of its partition goes before it.
//
// The client makes one batch only if it knows the partitions of the topic. So the first record
// of a topic has to be sent alone.
func (r *redrive) produce(ctx context.Context, records []*kgo.Record) []error {
	errs := make([]error, len(records))
	var acknowledged sync.WaitGroup
	for i, record := range records {
		acknowledged.Add(1)
		r.client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			errs[i] = err
			acknowledged.Done()
		})
	}
	// Each record fails when ctx ends, as soon as it is known whether it was sent. Until then the
	// client must try to send it, and without a flush it tries nothing.
	_ = r.client.Flush(context.WithoutCancel(ctx))
	acknowledged.Wait()
	r.known[records[0].Topic] = true
	return errs
}

func (r *redrive) hint(err error) string {
	switch {
	case errors.Is(err, kgo.ErrRecordTimeout):
		return fmt.Sprintf("no broker accepted it for %v: look whether each partition of the topic has a leader and enough replicas, and call it again: ", r.cfg.quiet)
	case errors.Is(err, kerr.MessageTooLarge):
		return "raise its max.message.bytes: "
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return "create it, or choose another topic to send to: "
	}
	return ""
}

// size is about what a record needs in a batch.
func size(record *kgo.Record) int {
	const overhead = 30 // of a record, and of each header
	n := overhead + len(record.Key) + len(record.Value)
	for _, h := range record.Headers {
		n += overhead + len(h.Key) + len(h.Value)
	}
	return n
}

// check refuses a compacted topic. Compaction would remove the newer records of the key,
// and keep the one that was sent back, which the other groups skip. If this client may not
// read the topic's settings, or this Kafka does not have them, nothing is refused.
func (r *redrive) check(ctx context.Context, topic string) error {
	if r.checked[topic] {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, r.cfg.quiet)
	defer cancel()
	policy, err := r.cleanupPolicy(asking, topic)
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
	case errors.Is(err, kerr.UnknownTopicOrPartition): // sending says what to do
	case errors.Is(err, kerr.UnsupportedVersion), err != nil && !r.tellsSettings(asking):
	case err != nil:
		return fmt.Errorf("the settings of topic %s cannot be read, and if it is compacted, a record that is sent back would replace the newer ones of its key: "+
			"look at the brokers, and call it again: %w", topic, err)
	case strings.Contains(policy, "compact"):
		return fmt.Errorf("topic %s is compacted, so that a record that is sent back would replace the newer ones of its key: "+
			"choose a topic that is not compacted, for instance a retry topic of the group", topic)
	}
	r.checked[topic] = true
	return nil
}

// tellsSettings reports whether the brokers can be asked for the settings of a topic. Some
// replacements of Kafka cannot, and the options of the client may forbid the request.
func (r *redrive) tellsSettings(ctx context.Context) bool {
	if most, ok := r.client.OptValue(kgo.MaxVersions).(*kversion.Versions); ok && most != nil && !most.HasKey(kmsg.DescribeConfigs.Int16()) {
		return false
	}
	versions, err := r.admin.ApiVersions(ctx)
	if err != nil || len(versions) == 0 {
		return true
	}
	for _, v := range versions {
		if _, known := v.KeyMaxVersion(kmsg.DescribeConfigs.Int16()); known || v.Err != nil {
			return true
		}
	}
	return false
}

// cleanupPolicy reads the cleanup.policy of a topic; "" if the broker does not tell it. It
// asks again while a broker starts or ends.
func (r *redrive) cleanupPolicy(ctx context.Context, topic string) (string, error) {
	const pause = 100 * time.Millisecond
	var last error
	for {
		configs, err := r.admin.DescribeTopicConfigs(ctx, topic)
		if err != nil && ctx.Err() != nil {
			return "", cmp.Or(last, err)
		}
		for _, config := range configs {
			err = cmp.Or(err, config.Err)
			for _, setting := range config.Configs {
				if setting.Key == "cleanup.policy" {
					return setting.MaybeValue(), nil
				}
			}
		}
		if !kerr.IsRetriable(err) || errors.Is(err, kerr.UnknownTopicOrPartition) || !backoff.Sleep(ctx, pause) {
			return "", err
		}
		last = err
	}
}

// back returns the record to send for a dead letter.
func (r *redrive) back(record *kgo.Record, letter Letter) *kgo.Record {
	topic, headers := letter.Topic, Strip(record.Headers)
	if r.cfg.To != "" && r.cfg.To != topic { // it stays known where the record was published
		letter.NotBefore = time.Time{}
		topic, headers = r.cfg.To, letter.Headers(record.Headers)
	}
	if letter.Group != "" {
		headers = append(headers, kgo.RecordHeader{Key: HeaderRedriveGroup, Value: []byte(letter.Group)})
	}
	if uuid.Validate(header(record, "event_id")) != nil && header(record, HeaderRedrivePosition) == "" {
		position := fmt.Sprintf("%s/%d/%d/%d", letter.Topic, letter.Partition, letter.Offset, letter.Timestamp.UnixMilli())
		headers = append(headers, kgo.RecordHeader{Key: HeaderRedrivePosition, Value: []byte(position)})
	}
	return &kgo.Record{Topic: topic, Key: record.Key, Value: record.Value, Headers: headers}
}

func (f Filter) chooses(e Entry) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(f.Topic, e.Letter.Topic) && is(f.Group, e.Letter.Group) && is(f.EventType, e.EventType) && is(f.EventID, e.EventID) &&
		(f.Key == nil || e.Key != nil && *f.Key == string(e.Key)) &&
		strings.Contains(strings.ToLower(e.Letter.Error), strings.ToLower(f.Error))
}

func header(record *kgo.Record, name string) string {
	for _, h := range record.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// commit stores what was sent.
func (r *redrive) commit(ctx context.Context) error {
	if r.cfg.DryRun {
		return nil
	}
	writing, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	offsets := kadm.Offsets{}
	r.sum.Forgotten = 0
	for id, p := range r.partitions {
		if !p.sent.changed {
			continue
		}
		text, forgotten := p.sent.text()
		r.sum.Forgotten += forgotten
		offsets.Add(kadm.Offset{Topic: r.cfg.Topic, Partition: id, At: p.sent.upTo, LeaderEpoch: -1, Metadata: text})
	}
	if len(offsets) == 0 {
		return nil
	}
	if err := r.admin.CommitAllOffsets(writing, ProgressGroup(r.cfg.Topic), offsets); err != nil {
		return fmt.Errorf("remember what was sent (group %s): %w", ProgressGroup(r.cfg.Topic), err)
	}
	return nil
}
