package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// watch checks the cluster now and then for problems that the client does not report:
// brokers that do not answer, topics that do not exist or were recreated, records that
// were removed, a group that cannot be joined.
type watch struct {
	r     *run
	regex bool
	poke  chan struct{} // holds a token when it should check immediately
	// Only the goroutine of run uses these.
	looked bool // at least once
	topics map[string]*watched
	seeds  *seeds

	starting sync.Mutex // held while commitStarts commits; taken before mu

	mu         sync.Mutex
	joined     bool
	left       time.Time // since when it is not a member
	idle       time.Time // since when it has no partitions; zero: it has some
	partitions map[partition]bool
	fetching   map[partition]bool  // of these, those whose offsets are being fetched
	begin      map[partition]int64 // where partitions begin that had no offset, until that is committed
	unknown    map[string]bool     // topics whose id the brokers do not know
	unready    time.Time           // zero: it is ready
}

// watched is what is known about a topic.
type watched struct {
	id         [16]byte
	missing    bool
	partitions int
	leaderless int // checks in a row in which partitions had no leader
	readopted  time.Time
	tries      int // tries in a row to read it after it was recreated
}

func newWatch(r *run) *watch {
	now := time.Now()
	return &watch{
		r: r, poke: make(chan struct{}, 1), left: now, unready: now,
		topics: map[string]*watched{}, seeds: newSeeds(r.cfg.Brokers), partitions: map[partition]bool{}, fetching: map[partition]bool{}, begin: map[partition]int64{}, unknown: map[string]bool{},
	}
}

// look makes it check soon.
func (w *watch) look() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

func (w *watch) run(ctx context.Context) {
	w.regex, _ = w.r.client.OptValue(kgo.ConsumeRegex).(bool)
	var probing sync.WaitGroup
	probing.Go(func() { w.seeds.run(ctx, w.r.client, w.r.log) })
	defer probing.Wait()
	for {
		w.all(ctx)
		timer := time.NewTimer(w.pause())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-w.poke:
			timer.Stop()
		}
	}
}

// pause returns the time until the next look.
func (w *watch) pause() time.Duration {
	t := w.r.cfg.timing
	if w.r.ready() != nil {
		return t.watch / 10
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.idle.IsZero() {
		return min(t.watch, t.idle)
	}
	return t.watch
}

func (w *watch) all(ctx context.Context) {
	answered := w.cluster(ctx)
	w.removed(ctx)
	w.membership(ctx)
	w.commitStarts(ctx)
	w.status(ctx, answered)
	w.r.settled(ctx)
	w.r.lookAtHandlers(ctx)
	t := w.r.cfg.timing
	if w.r.budget.crowdedFor() >= t.crowded {
		w.r.notices.report(ctx, subject{kind: kindFull}, -1, false,
			"memory is full of records that wait for their handlers; nothing is fetched until handlers finish, or Config.BufferBytes is raised", nil,
			"buffered_bytes", w.r.budget.waiting.Load())
	} else {
		w.r.notices.over(ctx, subject{kind: kindFull}, "there is memory for records again")
	}
	w.r.notices.expire(ctx, kindReading, t.failMax+2*t.settle, textReadsAgain)
	w.r.notices.expire(ctx, kindCommits, 2*patientWith*w.r.cfg.CommitEvery+2*t.settle, "no more commits of offsets fail")
	w.r.notices.expire(ctx, kindLost, t.repeatMax, "no more records were lost")
	limit := w.r.cfg.StopWhenUnready
	if err := w.r.ready(); err != nil && limit > 0 && err.For >= limit && ctx.Err() == nil {
		w.r.log.ErrorContext(ctx, "consumer not ready for too long; it stops", "limit", limit.String(), "reasons", err.Reasons)
		w.r.fail(err)
	}
}

// cluster asks for the topics, and reports whether a broker answered.
func (w *watch) cluster(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, w.r.cfg.timing.answer)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	if !w.regex {
		for _, topic := range w.r.cfg.Topics {
			req.Topics = append(req.Topics, askFor(topic))
		}
	} else {
		req.Topics = []kmsg.MetadataRequestTopic{} // none: the brokers only
	}
	for _, topic := range w.r.cfg.RetryTopics {
		req.Topics = append(req.Topics, askFor(topic.Topic))
	}
	if dead := w.r.cfg.DeadLetterTopic; dead != "" {
		req.Topics = append(req.Topics, askFor(dead))
	}
	began := time.Now()
	resp, err := w.ask(asking, req, !w.looked)
	w.looked = true
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		w.seeds.restore(w.r.client, began)
		why := w.r.brokers.whyNot(err)
		w.r.notices.report(ctx, subject{kind: kindBrokers}, -1, true, brokersHint(why), why, "brokers", w.r.cfg.Brokers)
		return false
	}
	w.r.notices.over(ctx, subject{kind: kindBrokers}, "Kafka brokers answer again")
	w.r.brokers.answer()
	w.mu.Lock()
	partitions := len(w.partitions)
	w.mu.Unlock()
	w.r.budget.share(len(resp.Brokers), partitions)
	for i := range resp.Topics {
		switch name := resp.Topics[i].Topic; {
		case name == nil:
		case *name == w.r.cfg.DeadLetterTopic:
			w.deadLetterTopic(ctx, resp.Topics[i].ErrorCode)
		default:
			w.topic(ctx, *name, &resp.Topics[i])
		}
	}
	if w.regex {
		w.unknownOfRegex(ctx)
	}
	return true
}

func askFor(topic string) kmsg.MetadataRequestTopic {
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	return t
}

// deadLetterTopic warns if the topic cannot be written. The consumer can read, so it is
// still ready.
func (w *watch) deadLetterTopic(ctx context.Context, code int16) {
	about := subject{kind: kindDeadLetters, topic: w.r.cfg.DeadLetterTopic}
	err := kerr.ErrorForCode(code)
	if err == nil {
		w.r.notices.over(ctx, about, "dead-letter topic can be written again")
		return
	}
	w.r.notices.report(ctx, about, -1, false,
		"dead-letter topic cannot be written: "+produceHint(err)+"; until then a record that cannot be handled holds up its partition", err)
}

// ask tries several times: the client picks a broker at random, which may be the one
// that does not answer.
func (w *watch) ask(ctx context.Context, req *kmsg.MetadataRequest, soon bool) (*kmsg.MetadataResponse, error) {
	const (
		tries  = 6
		first  = time.Second // for the first try, if an answer or an error is wanted soon
		answer = 2 * time.Second
		enough = 3 * time.Second // after so long no further try is made then
		pause  = 100 * time.Millisecond
	)
	began := time.Now()
	for try := 1; ; try++ {
		limit := answer
		if soon && try == 1 {
			limit = first
		}
		once, cancel := context.WithTimeout(ctx, limit)
		resp, err := req.RequestWith(once, w.r.client)
		cancel()
		hopeless := connectionHint(err) != "" || w.r.brokers.noneReached(len(w.r.cfg.Brokers))
		if err == nil || try == tries || soon && time.Since(began) >= enough || hopeless && time.Since(began) >= first/2 {
			return resp, err
		}
		if !backoff.Sleep(ctx, pause) {
			return nil, err
		}
	}
}

// known returns what is known about a topic.
func (w *watch) known(name string) *watched {
	if w.topics[name] == nil {
		w.topics[name] = &watched{}
	}
	return w.topics[name]
}

func (w *watch) topic(ctx context.Context, name string, t *kmsg.MetadataResponseTopic) {
	known := w.known(name)
	about := subject{kind: kindTopic, topic: name}
	switch err := kerr.ErrorForCode(t.ErrorCode); {
	case err == nil:
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		known.missing = true
		w.r.notices.report(ctx, about, -1, true, topicHint(err, w.r.cfg.field(name)), nil)
		return
	default:
		w.r.notices.report(ctx, about, -1, true, topicHint(err, w.r.cfg.field(name)), err)
		return
	}
	leaderless := 0
	for _, p := range t.Partitions {
		if p.ErrorCode != 0 && p.Leader < 0 {
			leaderless++
		}
	}
	if known.leaderless++; leaderless == 0 {
		known.leaderless = 0
	}
	switch {
	case known.leaderless > 1: // an election takes a moment
		w.r.notices.report(ctx, about, -1, true, "partitions have no leader; look at the brokers",
			kerr.LeaderNotAvailable, "partitions_without_leader", leaderless)
	case known.leaderless == 0:
		w.r.notices.over(ctx, about, "topic can be read again")
	}
	if known.missing || known.partitions != len(t.Partitions) || known.id != t.TopicID {
		// The client may know the former topic. The leader of the group would then
		// assign that one's partitions until the client asks again, after minutes.
		known.missing, known.partitions = false, len(t.Partitions)
		w.r.client.ForceMetadataRefresh()
	}
	current, misplaced := w.r.origins.look(name, t.TopicID)
	if !current {
		return // the broker is behind
	}
	former := known.id
	known.id = t.TopicID
	recreated := former != [16]byte{} && t.TopicID != [16]byte{} && former != t.TopicID
	w.mu.Lock()
	unknown := w.unknown[name]
	w.mu.Unlock()
	if recreated {
		known.tries = 0
	}
	if recreated || unknown || misplaced {
		w.readopt(ctx, name, known)
	}
}

// readopt starts to read a topic that was deleted and created again. The client still
// knows the former topic, and must be told to forget it.
func (w *watch) readopt(ctx context.Context, name string, known *watched) {
	t := w.r.cfg.timing
	if known.tries > 0 && time.Since(known.readopted) < backoff.Pause(t.readoptAgain, t.failMax, known.tries) {
		return
	}
	known.readopted = time.Now()
	known.tries++
	w.mu.Lock()
	delete(w.unknown, name)
	w.mu.Unlock()
	w.r.log.WarnContext(ctx, "topic was deleted and created again; it is read from its beginning", "topic", name, "try", known.tries)
	w.r.positions.unread(name) // before its id: a truncation that is reported now belongs to the former topic
	w.r.detachTopic(name)      // before the purge, or the rebalance drops their records
	w.r.client.PurgeTopicsFromClient(name)
	w.r.detachTopic(name) // what a poll has brought meanwhile
	resting := map[string][]int32{name: w.r.resting.ofTopic(name)}
	w.r.resting.forget(resting)
	w.r.notices.over(ctx, subject{kind: kindReading, topic: name}, "topic is read again") // no partition rests that could end it
	w.r.gate.forget(resting)
	w.r.positions.forgetTopic(name)
	// After the purge: a poll that it waits for may still bring records that begin at
	// an offset of the former topic, and has to be told so.
	w.r.origins.readopt(name)
	w.r.client.AddConsumeTopics(name)
}

// unknownOfRegex reads the recreated topics of a consumer with topic patterns, which
// cannot ask for them by name.
func (w *watch) unknownOfRegex(ctx context.Context) {
	w.mu.Lock()
	names := slices.Collect(maps.Keys(w.unknown))
	w.mu.Unlock()
	for _, name := range names {
		w.r.recreatedTopic(ctx, name) // to know its id before the offsets are fetched
		w.readopt(ctx, name, w.known(name))
	}
}

// unknownTopic handles a topic whose id a broker does not know. A topic that was just
// created is unknown for a moment.
func (w *watch) unknownTopic(name string, lasts bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if lasts {
		w.unknown[name] = true
	}
	w.look()
}

// removed compares the group's offsets with the log, for partitions that were not read
// yet: they may have nothing left to read.
func (w *watch) removed(ctx context.Context) {
	check := w.r.positions.toCheck()
	if len(check) == 0 {
		return
	}
	asking, cancel := context.WithTimeout(ctx, w.r.cfg.timing.answer)
	defer cancel()
	starts, err := kadm.NewClient(w.r.client).ListStartOffsets(asking, topicsOf(check)...)
	if err != nil {
		return // the next check asks the brokers again
	}
	for _, p := range check {
		start, ok := starts.Lookup(p.topic, p.id)
		if !ok || start.Err != nil {
			continue
		}
		if from, lost := w.r.positions.checked(p, start.Offset, w.r.cfg.OnLoss == Stop); lost {
			w.r.lostRecords(ctx, &LostRecordsError{Group: w.r.cfg.Group, Topic: p.topic, Partition: p.id, From: from, To: start.Offset})
		}
	}
}

// membership warns of a group that cannot be joined and of a member without partitions.
func (w *watch) membership(ctx context.Context) {
	w.mu.Lock()
	joined, left, idle := w.joined, w.left, w.idle
	w.mu.Unlock()
	if !joined {
		defer w.joinedMeanwhile(ctx)
	}
	t := w.r.cfg.timing
	if !joined && time.Since(left) >= t.coordinator && len(w.r.notices.blocking()) == 0 {
		w.coordinator(ctx)
	}
	if !joined && w.regex && time.Since(left) >= t.coordinator && len(w.r.client.GetConsumeTopics()) == 0 {
		w.r.notices.report(ctx, subject{kind: kindIdle}, -1, true,
			"no topic matches Config.Topics; create one, correct the patterns, or give this client DESCRIBE on the topics", nil, "patterns", w.r.cfg.Topics)
	}
	if !joined && time.Since(left) >= t.joining && len(w.r.notices.blocking()) == 0 {
		w.r.notices.report(ctx, subject{kind: kindGroup}, -1, true, "the group was not joined yet; a rebalance may wait for another member", nil)
	}
	if joined && !idle.IsZero() && time.Since(idle) >= t.idle {
		w.r.notices.report(ctx, subject{kind: kindIdle}, -1, false,
			"no partitions are assigned to this member; the group has more members than its topics have partitions: run fewer, or add partitions", nil)
	}
}

// joinedMeanwhile ends the problems that membership reports of a member that is not in the
// group, if it is by now: [watch.assigned] may have ended them before they were reported.
func (w *watch) joinedMeanwhile(ctx context.Context) {
	w.mu.Lock()
	joined, idle := w.joined, !w.idle.IsZero()
	w.mu.Unlock()
	if joined {
		w.r.notices.over(ctx, subject{kind: kindGroup}, textJoinedAgain)
	}
	if joined && !idle {
		w.r.notices.over(ctx, subject{kind: kindIdle}, textAssignedAgain)
	}
}

// coordinator asks who coordinates the group: the client says nothing while that
// fails with an error that may pass by itself.
func (w *watch) coordinator(ctx context.Context) {
	const answer = 2 * time.Second
	asking, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	group := w.r.cfg.Group
	found := kadm.NewClient(w.r.client).FindGroupCoordinators(asking, group)[group]
	if _, known := errors.AsType[*kerr.Error](found.Err); known {
		w.r.notices.report(ctx, subject{kind: kindGroup}, -1, true, groupHint(found.Err), found.Err)
	}
}

// assigned handles the end of a rebalance.
func (w *watch) assigned(ctx context.Context, partitions map[string][]int32) {
	w.mu.Lock()
	w.joined = true
	for p := range each(partitions) {
		w.partitions[p], w.fetching[p] = true, true
	}
	n := len(w.partitions)
	if n == 0 && w.idle.IsZero() {
		w.idle = time.Now()
	}
	if n > 0 {
		w.idle = time.Time{}
	}
	w.mu.Unlock()
	w.r.budget.share(0, n)
	w.r.notices.over(ctx, subject{kind: kindGroup}, textJoinedAgain)
	if n > 0 {
		w.r.notices.over(ctx, subject{kind: kindIdle}, textAssignedAgain)
	}
	w.look()
}

func (w *watch) unassigned(partitions map[string][]int32) {
	w.mu.Lock()
	for p := range each(partitions) {
		delete(w.partitions, p)
		delete(w.fetching, p)
		delete(w.begin, p)
	}
	n := len(w.partitions)
	w.mu.Unlock()
	w.r.budget.share(0, n)
}

// lost records that this member is no longer in the group.
func (w *watch) lost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.joined {
		w.joined, w.left = false, time.Now()
	}
}

// sessions is a hook of the client. The goroutine that joins the group again calls it
// before it does, so that the end of the problem follows its report.
type sessions struct{ r *run }

// OnGroupManageError implements kgo.HookGroupManageError.
func (s sessions) OnGroupManageError(err error) {
	s.r.watch.lost()
	if !s.r.polled.Load() {
		s.r.notices.report(context.Background(), subject{kind: kindGroup}, -1, true, groupHint(err), err)
	}
}

// ready returns nil if the run can read all of its topics.
func (r *run) ready() *NotReadyError {
	reasons := r.notices.blocking()
	w := r.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.joined && len(reasons) == 0 {
		reasons = []string{fmt.Sprintf("the group %s was not joined yet", r.cfg.Group)}
	}
	if len(reasons) == 0 {
		w.unready = time.Time{}
		return nil
	}
	if w.unready.IsZero() {
		w.unready = time.Now()
	}
	return &NotReadyError{Group: r.cfg.Group, Reasons: reasons, For: time.Since(w.unready)}
}
