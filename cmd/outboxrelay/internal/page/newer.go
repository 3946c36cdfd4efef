package page

import (
	"strconv"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// newerView is the last published row of a key that comes after a dead one.
type newerView struct {
	Seq, Row, Topic, Key, Count, Dead string
	At                                *moment
}

// newerViews describes the newer published rows of some keys, and says what is not known.
func newerViews(o Outbox, newer admin.NewerRows) (views []newerView, unknown string) {
	for _, n := range newer.Keys[:min(len(newer.Keys), shownRows)] {
		views = append(views, newerView{
			Seq: strconv.FormatInt(n.Seq, 10), Row: address("row", "outbox", o.Name, "id", n.EventID.String()),
			Topic: visible(n.Topic), Key: visible(n.Key), Count: several(n.Rows, "newer row"), Dead: strconv.FormatInt(n.DeadSeq, 10), At: at(n.PublishedAt),
		})
	}
	switch {
	case newer.Unkept:
		unknown = "Whether newer rows of the same keys were published is not known: the relay keeps no published rows (settle is delete)."
	case newer.Incomplete:
		unknown = "Whether more newer rows of the same keys were published is not known: there was no time to look at all rows."
	}
	return views, unknown
}
