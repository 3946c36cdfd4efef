package relay

import (
	"log/slog"
	"slices"
	"strings"
	"time"
)

// topic is what a term knows about a topic: its partitions and their queues.
type topic struct {
	name    string
	invalid bool // not a valid Kafka topic name
	info    *TopicInfo
	infoAt  time.Duration
	parts   []*partition
	waiting []*entry // to be queued when the topic is described, or described again
	turn    int      // round robin for rows that can go to any partition
	chosen  bool     // rows have named their partition

	describe bool // to be described again
	used     bool // rows came since it was described
	next     *TopicInfo

	paused  *scope
	stopped *OperatorPause // why operators paused it; nil: they did not
	toRead  []*scope       // scopes whose rows are to be read again, oldest first
	catchUp *catchUp
	tries   int    // pauses since it last accepted a record
	trouble string // why it paused, until it accepts a record; "": it has accepted one
	told    string // the trouble that was logged since it accepted one
}

// partition is the queue of one partition: rows in seq order within each key.
type partition struct {
	topic  *topic
	part   int32
	queue  []*entry
	active bool // in queue.active
	limit  int  // rows of the next batch while looking for a bad row; 0: no limit
	aside  *scope
	tries  int  // times set aside since it last accepted a record
	told   bool // that it is set aside was logged since then
}

// probing reports whether the partition has accepted nothing since it, or its whole
// topic, had to wait.
func (p *partition) probing() bool { return p.tries > 0 || p.topic.tries > 0 }

// topics are the topics of the rows in a term.
type topics struct {
	byName map[string]*topic
	order  []*topic // by name: no decision may depend on the order of a map
}

func (ts *topics) get(name string) *topic {
	tp := ts.byName[name]
	if tp == nil {
		tp = &topic{name: name, invalid: !validTopic(name)}
		ts.byName[name] = tp
		i, _ := slices.BinarySearchFunc(ts.order, name, func(o *topic, name string) int { return strings.Compare(o.name, name) })
		ts.order = slices.Insert(ts.order, i, tp)
	}
	return tp
}

// unused reports whether a topic was never described and nothing of it waits, except
// perhaps a key.
func (tp *topic) unused() bool {
	return tp.info == nil && tp.paused == nil && tp.catchUp == nil && !tp.describe && len(tp.waiting)+len(tp.toRead) == 0
}

// forgetUnused forgets the unused topics that are not in needed.
func (ts *topics) forgetUnused(needed map[*topic]bool) {
	ts.order = slices.DeleteFunc(ts.order, func(tp *topic) bool {
		gone := tp.unused() && !needed[tp]
		if gone {
			delete(ts.byName, tp.name)
		}
		return gone
	})
}

func (tp *topic) notToRead(s *scope) {
	tp.toRead = slices.DeleteFunc(tp.toRead, func(o *scope) bool { return o == s })
}

// readsAgain reports whether rows of the topic are being read again, or can be. The
// rows of its keys wait while it is paused.
func (tp *topic) readsAgain() bool {
	return tp.catchUp != nil || len(tp.toRead) > 0 && (tp.paused == nil || tp.paused.state == toRead)
}

// resumed records that the topic can be written again: it accepted a record, or has no
// rows left. That it can be described does not show it.
func (tp *topic) resumed(log *journal) {
	if tp.told != "" {
		log.say(slog.LevelInfo, "topic resumed", slog.String("topic", tp.name))
	}
	tp.trouble, tp.told = "", ""
}

// lacks reports whether a row names a partition that the described topic does not have.
func (tp *topic) lacks(e *entry) bool {
	return e.row.Partition != nil && int(*e.row.Partition) >= len(tp.parts) && !tp.info.Unchecked
}

// unkeyed returns the partition for a row that can go to any: the next in turn that is
// not set aside and is not but.
func (tp *topic) unkeyed(but *partition) *partition {
	for range tp.parts {
		p := tp.parts[tp.turn%len(tp.parts)]
		tp.turn++
		if p.aside == nil && p != but {
			return p
		}
	}
	return tp.parts[tp.turn%len(tp.parts)] // not reached: such a topic is paused
}
