package kafka

import "time"

// Impatient returns the configuration with short pauses between looks at the
// cluster and between attempts to read what cannot be read. What it does not set
// is as it is for services.
func Impatient(c Config, change ...func(*Timing)) Config {
	t := Timing{
		Watch: 100 * time.Millisecond, FailMin: 20 * time.Millisecond, FailMax: 200 * time.Millisecond,
		Settle: 500 * time.Millisecond, ReadoptAgain: 200 * time.Millisecond,
	}
	for _, f := range change {
		f(&t)
	}
	c.timing = timing{
		watch: t.Watch, joining: t.Joining, idle: t.Idle, failMin: t.FailMin, failMax: t.FailMax, settle: t.Settle,
		readoptAgain: t.ReadoptAgain, repeatMin: t.RepeatMin, answer: t.Answer, abandon: t.Abandon, hanging: t.Hanging,
	}
	return c
}

// Timing is what Impatient can set.
type Timing struct {
	Watch, Answer, Joining, Idle, FailMin, FailMax, Settle, ReadoptAgain, RepeatMin, Abandon, Hanging time.Duration
}

// Stopping reports whether the handlers of a partition have been told to end: each
// finishes its record and begins no other.
func Stopping(c *Consumer, topic string, id int32) bool {
	r, err := c.live()
	if err != nil {
		return false
	}
	workers := r.having(map[partition]int64{{topic, id}: 0})
	return len(workers) == 1 && workers[0].stopped()
}
