package replay_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a history in memory. A cursor is the number of rows before it.
type memory struct {
	rows []relay.Row
	page int // rows of a page
	// back tells how far back the history reaches after a page was read from a place.
	back func(after replay.Cursor) time.Time
}

func (m memory) Reach(_ context.Context, after replay.Cursor) (replay.Reach, error) {
	if m.back == nil {
		return replay.Reach{}, nil
	}
	reach := replay.Reach{Back: m.back(after)}
	if n, err := strconv.Atoi(string(after)); err == nil {
		reach.Place = m.rows[n-1].CreatedAt
	}
	return reach, nil
}

func (m memory) Read(_ context.Context, _ replay.Selection, after replay.Cursor, limit relay.Limit) (replay.Page, error) {
	from, err := strconv.Atoi(cmp.Or(string(after), "0"))
	if err != nil {
		return replay.Page{}, fmt.Errorf("%w: %s", replay.ErrCursor, after)
	}
	to := min(from+min(m.page, limit.Rows), len(m.rows))
	page := replay.Page{After: replay.Cursor(strconv.Itoa(to)), End: from == to}
	for i := from; i < to; i++ {
		page.Events = append(page.Events, replay.Event{Row: m.rows[i], At: replay.Cursor(strconv.Itoa(i + 1))})
	}
	return page, nil
}

func (m memory) Count(context.Context, replay.Selection, replay.Cursor) (replay.Counts, error) {
	return replay.Counts{End: true}, nil
}

// rows returns rows of some keys in two topics.
func rows(n, keys int) []relay.Row {
	out := make([]relay.Row, n)
	for i := range out {
		k := fmt.Sprintf("k%d", i%keys)
		out[i] = relay.Row{
			Seq: int64(i + 1), ID: uuid.UUID{15: byte(i)}, EventType: "order.placed", Topic: fmt.Sprintf("t%d", i%2), Key: &k,
			Data: []byte(strconv.Itoa(i)), Headers: []byte(`{"trace_id":"x"}`), CreatedAt: time.Unix(int64(i), 0).UTC(),
		}
	}
	return out
}

// broker is a sink in memory. answer decides about a record before it is written.
type broker struct {
	partitions int
	compacted  bool
	unread     relay.Result
	maxBytes   int
	answer     func(relay.Record) relay.Result
	sent       []relay.Record
	waves      [][]string // the values of each wave
	opened     int
	described  func() // called after each call of Topics
}

func (b *broker) Open(context.Context) (relay.Producer, error) { b.opened++; return b, nil }

func (b *broker) Partition(key []byte, n int) int32 { return int32(int(key[len(key)-1]) % n) }

func (b *broker) Topics(_ context.Context, names []string) ([]relay.TopicInfo, error) {
	var out []relay.TopicInfo
	for _, name := range names {
		out = append(out, relay.TopicInfo{Name: name, Partitions: b.partitions, Compacted: b.compacted, Unread: b.unread, MaxBatchBytes: b.maxBytes})
	}
	if b.described != nil {
		b.described()
	}
	return out, nil
}

// Send rejects a batch if a record of it is rejected.
func (b *broker) Send(_ context.Context, wave []relay.Record, results []relay.Result) {
	var values []string
	type place struct {
		topic string
		part  int32
	}
	bad := map[place]relay.Result{}
	for _, r := range wave {
		values = append(values, string(r.Value))
		if b.answer != nil {
			if res := b.answer(r); res.Err != nil {
				bad[place{r.Topic, r.Partition}] = res
			}
		}
	}
	b.waves = append(b.waves, values)
	for i, r := range wave {
		if res, ok := bad[place{r.Topic, r.Partition}]; ok {
			results[i] = res
			continue
		}
		b.sent = append(b.sent, r)
	}
}

func (b *broker) Close() {}

// ordered checks that the records of each topic and key are without gap and in order, and returns how
// many records were sent twice.
func ordered(t *testing.T, all []relay.Row, sent []relay.Record) (repeats int) {
	t.Helper()
	next := map[string][]int64{}
	for _, r := range all {
		next[r.Topic+*r.Key] = append(next[r.Topic+*r.Key], r.Seq)
	}
	seen := map[int64]bool{}
	for _, r := range sent {
		k := r.Topic + string(r.Key)
		switch {
		case seen[r.Seq]:
			repeats++
		case len(next[k]) == 0 || next[k][0] != r.Seq:
			t.Fatalf("row %d of key %s is sent too early: %v", r.Seq, k, next[k])
		default:
			seen[r.Seq] = true
			next[k] = next[k][1:]
		}
	}
	for k, left := range next {
		if len(left) > 0 {
			t.Errorf("of key %s these rows were not sent: %v", k, left)
		}
	}
	return repeats
}

var someID = "0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11"

func TestRecordsAreThoseOfTheRelay(t *testing.T) {
	t.Parallel()
	all := rows(2, 2)
	all[1].Partition = new(int32(2))
	b := &broker{partitions: 3}
	result, err := replay.Run(t.Context(), replay.Config{History: memory{rows: all, page: 10}, Sink: b, ID: someID, Rate: -1})
	if err != nil {
		t.Fatal(err)
	}
	headers := func(i int) []relay.Header {
		return []relay.Header{
			{Key: "event_id", Value: []byte(all[i].ID.String())}, {Key: "event_type", Value: []byte("order.placed")},
			{Key: "trace_id", Value: []byte("x")}, {Key: "outbox_replay", Value: []byte(someID)},
		}
	}
	want := []relay.Record{
		{Topic: "t0", Partition: '0' % 3, Key: []byte("k0"), Value: []byte("0"), Headers: headers(0), EventID: all[0].ID, EventType: "order.placed", Seq: 1, CreatedAt: all[0].CreatedAt},
		{Topic: "t1", Partition: 2, Chosen: true, Key: []byte("k1"), Value: []byte("1"), Headers: headers(1), EventID: all[1].ID, EventType: "order.placed", Seq: 2, CreatedAt: all[1].CreatedAt},
	}
	if diff := gocmp.Diff(want, b.sent); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(replay.Result{ID: someID, Sent: 2, After: "2", At: all[1].CreatedAt, Complete: true}, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

// With failures of every transient class at random, also of single partitions, the order
// of each key stays, and nothing is left out.
func TestFailuresDoNotReorder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			all := rows(500, 11)
			classes := []relay.Class{relay.ClassRelay, relay.ClassPartition, relay.ClassTopic, relay.ClassLeadership}
			b := &broker{partitions: 3, answer: func(relay.Record) relay.Result {
				if rng.IntN(20) > 0 {
					return relay.Result{}
				}
				return relay.Result{Class: classes[rng.IntN(len(classes))], Err: errors.New("broker is away")}
			}}
			result, err := replay.Run(t.Context(), replay.Config{History: memory{rows: all, page: 37}, Sink: b, Rate: 300})
			if err != nil || result.Sent != 500 || !result.Complete {
				t.Fatalf("%+v, %v", result, err)
			}
			if repeats := ordered(t, all, b.sent); repeats > 0 {
				t.Errorf("%d records were sent twice", repeats)
			}
		})
	}
}

// A replay that is stopped anywhere continues without a gap, and repeats only what it
// says.
func TestStoppedReplayContinues(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 8))
			all := rows(300, 7)
			b := &broker{partitions: 4}
			var after replay.Cursor
			ahead, calls := 0, 0
			for done := false; !done; calls++ {
				ctx, stop := context.WithCancel(t.Context())
				fuse := rng.IntN(80)
				outage := rng.IntN(2) == 0
				b.answer = func(r relay.Record) relay.Result {
					if fuse--; fuse >= 0 {
						return relay.Result{}
					}
					if outage && r.Partition == 1 {
						return relay.Result{Class: relay.ClassPartition, Err: errors.New("no leader")}
					}
					if !outage {
						stop()
					}
					return relay.Result{}
				}
				result, err := replay.Run(ctx, replay.Config{History: memory{rows: all, page: 50}, Sink: b, After: after, Rate: 200})
				stop()
				done = result.Complete
				if done != (err == nil) {
					t.Fatalf("%+v, %v", result, err)
				}
				if !done && !outage && (!errors.Is(err, context.Canceled) || result.Ahead > 0) {
					t.Errorf("stopped by its context: %+v, %v", result, err)
				}
				after, ahead = result.After, ahead+result.Ahead
			}
			if repeats := ordered(t, all, b.sent); repeats != ahead {
				t.Errorf("%d records were sent twice after %d calls that announced %d", repeats, calls, ahead)
			}
		})
	}
}

// A record that the brokers reject stops the replay: what is before it is sent, nothing
// of its partition after it, and the error names it.
func TestARejectedRecordStopsTheReplay(t *testing.T) {
	t.Parallel()
	all := rows(40, 4)
	tooLarge := errors.New("MESSAGE_TOO_LARGE")
	b := &broker{partitions: 4, answer: func(r relay.Record) relay.Result {
		if r.Seq == 22 {
			return relay.Result{Class: relay.ClassRecord, Err: tooLarge}
		}
		return relay.Result{}
	}}
	result, err := replay.Run(t.Context(), replay.Config{History: memory{rows: all, page: 100}, Sink: b, Rate: -1})
	failed, ok := errors.AsType[*replay.EventError](err)
	if !ok || failed.Event.Seq != 22 || !errors.Is(err, tooLarge) || result.After != "21" {
		t.Fatalf("%+v, %v", result, err)
	}
	for _, r := range b.sent {
		if string(r.Key) == "k1" && r.Seq >= 22 {
			t.Errorf("row %d is sent after the rejected one", r.Seq)
		}
	}
	if int(result.Sent) != len(b.sent) || result.Ahead != len(b.sent)-21 {
		t.Errorf("%d records are sent, and the result is %+v", len(b.sent), result)
	}
}

// Events that cannot be sent, each found while others of the wave fail for a while, can be
// skipped one by one. Nothing else is left out.
func TestRejectedRecordsAreSkipped(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 9))
			all := rows(200, 7)
			bad := map[int64]bool{1: true, 200: true}
			for range 10 {
				bad[1+rng.Int64N(200)] = true
			}
			b := &broker{partitions: 4, answer: func(r relay.Record) relay.Result {
				switch {
				case rng.IntN(10) == 0:
					return relay.Result{Class: relay.ClassPartition, Err: errors.New("no leader")}
				case bad[r.Seq]:
					return relay.Result{Class: relay.ClassRecord, Err: errors.New("MESSAGE_TOO_LARGE")}
				}
				return relay.Result{}
			}}
			var after replay.Cursor
			var skipped []int64
			for {
				result, err := replay.Run(t.Context(), replay.Config{History: memory{rows: all, page: 50}, Sink: b, After: after, Rate: 200})
				if err == nil {
					break
				}
				failed, ok := errors.AsType[*replay.EventError](err)
				if !ok {
					t.Fatal(err)
				}
				if want := replay.Cursor(strconv.FormatInt(failed.Event.Seq-1, 10)); cmp.Or(result.After, "0") != want {
					t.Errorf("event %d cannot be sent, and the others are sent up to %s", failed.Event.Seq, result.After)
				}
				skipped = append(skipped, failed.Event.Seq)
				after = failed.Event.At
			}
			if diff := gocmp.Diff(slices.Sorted(maps.Keys(bad)), skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
			ordered(t, slices.DeleteFunc(all, func(r relay.Row) bool { return bad[r.Seq] }), b.sent)
		})
	}
}

func TestWhatStopsBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	invalid, elsewhere := rows(1, 1), rows(1, 1)
	invalid[0].Headers = []byte("[]")
	elsewhere[0].Partition = new(int32(9))
	denied := relay.Result{Class: relay.ClassTopic, Err: errors.New("not allowed")}
	for name, test := range map[string]struct {
		rows  []relay.Row
		sink  *broker
		after replay.Cursor
		want  string
	}{
		"headers that do not parse": {invalid, &broker{partitions: 1}, "",
			"event 00000000-0000-0000-0000-000000000000 of type order.placed cannot be sent to topic t0: headers of the row: not a JSON object of strings"},
		"no such partition": {elsewhere, &broker{partitions: 1}, "",
			"event 00000000-0000-0000-0000-000000000000 of type order.placed cannot be sent to topic t0: the event names partition 9, and the topic has 1"},
		"a compacted topic":             {rows(1, 1), &broker{partitions: 1, compacted: true}, "", "topic t0: " + replay.ErrCompacted.Error()},
		"a topic that may be compacted": {rows(1, 1), &broker{partitions: 1, unread: denied}, "", "topic t0: " + replay.ErrMaybeCompacted.Error() + ": not allowed"},
		"a wrong cursor":                {rows(1, 1), &broker{partitions: 1}, "x", "read the history: replay: this is not a place in the history: x"},
	} {
		_, err := replay.Run(t.Context(), replay.Config{History: memory{rows: test.rows, page: 10}, Sink: test.sink, After: test.after})
		if fmt.Sprint(err) != test.want || len(test.sink.sent) > 0 {
			t.Errorf("%s: %v, and %d records are sent", name, err, len(test.sink.sent))
		}
	}
}

// A topic whose settings cannot be read may be compacted. It counts as not compacted only
// if the caller says so, and another topic for the replay need not be readable.
func TestTopicsWhoseSettingsCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*replay.Config){
		"said so":       func(c *replay.Config) { c.NotCompacted = true },
		"another topic": func(c *replay.Config) { c.Sink = replay.Redirect(c.Sink, "copy") },
		"read later": func(c *replay.Config) {
			b := c.Sink.(*broker)
			b.unread.Class = relay.ClassRelay
			b.described = func() { b.unread = relay.Result{} }
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &broker{partitions: 1, unread: relay.Result{Class: relay.ClassTopic, Err: errors.New("not allowed")}}
			cfg := replay.Config{History: memory{rows: rows(2, 1), page: 10}, Sink: b}
			change(&cfg)
			if result, err := replay.Run(t.Context(), cfg); err != nil || len(b.sent) != 2 {
				t.Errorf("%s: %+v, %v", name, result, err)
			}
		})
	}
}

// An outage that lasts ends the replay after the configured patience.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &broker{partitions: 1, answer: func(relay.Record) relay.Result {
			return relay.Result{Class: relay.ClassRelay, Err: errors.New("connection refused")}
		}}
		began := time.Now()
		result, err := replay.Run(t.Context(), replay.Config{History: memory{rows: rows(5, 2), page: 10}, Sink: b, ID: someID, Patience: 20 * time.Second})
		const want = "nothing was acknowledged for 20s: send to partition 0 of topic t0: connection refused"
		if fmt.Sprint(err) != want {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took < 20*time.Second || took > 23*time.Second {
			t.Errorf("it took %s", took)
		}
		if diff := gocmp.Diff(replay.Result{ID: someID}, result); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	})
}

// A replay tells if events were deleted before it read them, and up to what time. Those that
// were created before the range, or sent before, are not missing.
func TestDeletedEventsAreToldAbout(t *testing.T) {
	t.Parallel()
	all := rows(30, 2) // a second apart
	at := func(second int) time.Time { return time.Unix(int64(second), 0).UTC() }
	for name, test := range map[string]struct {
		from, to int
		after    replay.Cursor
		back     map[replay.Cursor]int // how far back the history reaches, for each page
		want     time.Time
	}{
		"nothing was deleted":           {from: 5, back: map[replay.Cursor]int{"": 5, "10": 5, "20": 5, "30": 5}},
		"deleted before the replay":     {from: 5, back: map[replay.Cursor]int{"": 6, "10": 6, "20": 6, "30": 6}, want: at(6)},
		"deleted after they were sent":  {from: 5, back: map[replay.Cursor]int{"": 5, "10": 9, "20": 19, "30": 29}},
		"deleted before they were read": {from: 5, back: map[replay.Cursor]int{"": 5, "10": 12, "20": 12, "30": 12}, want: at(12)},
		"deleted before the last page":  {from: 5, back: map[replay.Cursor]int{"": 5, "10": 6, "20": 7, "30": 31}, want: at(31)},
		"deleted after the range":       {from: 5, to: 20, back: map[replay.Cursor]int{"": 5, "10": 6, "20": 7, "30": 31}},
		"deleted during a pause":        {from: 5, after: "10", back: map[replay.Cursor]int{"10": 15, "20": 15, "30": 15}, want: at(15)},
		"deleted up to the pause":       {from: 5, after: "10", back: map[replay.Cursor]int{"10": 9, "20": 9, "30": 9}},
	} {
		s := replay.Selection{From: at(test.from)}
		if test.to > 0 {
			s.To = at(test.to)
		}
		result, err := replay.Run(t.Context(), replay.Config{
			History: memory{rows: all, page: 10, back: func(after replay.Cursor) time.Time { return at(test.back[after]) }},
			Sink:    &broker{partitions: 1}, Selection: s, After: test.after, Rate: -1,
		})
		if err != nil || !result.Missing.Equal(test.want) {
			t.Errorf("%s: %+v, %v, want %s", name, result, err, test.want)
		}
	}
}

// The rate holds over the whole replay, and a large event counts as several.
func TestRate(t *testing.T) {
	t.Parallel()
	large := rows(100, 3)
	for i := range large {
		large[i].Data = make([]byte, 40<<10) // three times 16 KiB, with its headers
	}
	for name, test := range map[string]struct {
		rows []relay.Row
		want time.Duration
	}{
		"small": {rows(1000, 3), 2 * time.Second}, "large": {large, 600 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			if _, err := replay.Run(t.Context(), replay.Config{History: memory{rows: test.rows, page: 1000}, Sink: &broker{partitions: 3}, Rate: 500}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < test.want-200*time.Millisecond || took > test.want {
				t.Errorf("%s: it took %s, want about %s", name, took, test.want)
			}
		})
	}
}

// A batch stays below the topic's limit, with the header, also if it has events of two
// topics.
func TestBatchesFitTheTopic(t *testing.T) {
	t.Parallel()
	b := &broker{partitions: 1, maxBytes: 600}
	if _, err := replay.Run(t.Context(), replay.Config{History: memory{rows: rows(6, 2), page: 10}, Sink: replay.Redirect(b, "copy"), ID: someID, Rate: -1}); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([][]string{{"0", "1"}, {"2", "3"}, {"4", "5"}}, b.waves); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
	for _, r := range b.sent {
		if r.Topic != "copy" {
			t.Errorf("row %d is sent to %s", r.Seq, r.Topic)
		}
	}
}
