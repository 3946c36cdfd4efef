package admin

import (
	"encoding/json"
	"fmt"
	"time"
)

// A time that was written by hand may be any that Postgres has: before the year 1, and
// beyond 9999.

// y2k is where Postgres counts from, in seconds since 1970.
const y2k = 946_684_800

// sinceY2K returns the time of so many microseconds since 2000.
func sinceY2K(microseconds int64) time.Time {
	const second = 1_000_000
	return time.Unix(y2k+microseconds/second, microseconds%second*int64(time.Microsecond))
}

// lastTime is the last one that Postgres has. It stands for infinity.
var lastTime = time.Date(294276, 12, 31, 23, 59, 59, 999_999_000, time.UTC)

// place returns the event's time as Postgres reads it. The zero event comes before all
// others.
func (e DelayedEvent) place() string {
	at := e.DeliverAt.UTC()
	const rest = "01-02 15:04:05.999999Z"
	switch {
	case e.Seq == 0:
		return "-infinity"
	case !at.Before(lastTime):
		return "infinity"
	case at.Year() < 1:
		return fmt.Sprintf("%04d-%s BC", 1-at.Year(), at.Format(rest))
	}
	return fmt.Sprintf("%04d-%s", at.Year(), at.Format(rest))
}

// MarshalJSON writes a time that RFC 3339 does not have as ISO 8601 does, with a sign.
func (e DelayedEvent) MarshalJSON() ([]byte, error) {
	type plain DelayedEvent
	year := e.DeliverAt.Year()
	if year >= 0 && year <= 9999 {
		return json.Marshal(plain(e))
	}
	at := e.DeliverAt.UTC()
	return json.Marshal(struct {
		plain
		DeliverAt string `json:"deliver_at"`
	}{plain(e), fmt.Sprintf("%+05d-%s", at.Year(), at.Format("01-02T15:04:05.999999Z07:00"))})
}
