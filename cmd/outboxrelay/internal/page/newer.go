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
	which := "newer rows"
	if len(newer.Keys) > 0 {
		which = "more newer rows"
	}
	if newer.Unknown != "" {
		unknown = "Whether " + which + " of the same keys were published is not known: " + newer.Unknown.Why() + "."
	}
	return views, unknown
}
