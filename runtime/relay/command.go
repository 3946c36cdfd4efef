package relay

import (
	"time"

	"github.com/google/uuid"
)

// slot is the place of a command until its outcome arrives. Each slot has at most one
// command.
type slot int

const (
	slotLease slot = iota
	slotRead
	slotTopics
	slotSend
	slotSettle
	slotIdle
	slotSearch
	numSlots
)

// slots says which slots are in use.
type slots [numSlots]bool

func (s *slots) any() bool { return *s != slots{} }

// A command is one of the op types below. The outcome has it too.
type command any

type (
	opObserve  struct{}
	opTakeOver struct {
		seen   LeaseState
		holder uuid.UUID
		sentAt time.Duration
	}
	opRenew struct {
		lease    Lease
		progress Progress
		sentAt   time.Duration
	}
	opRelease struct{ lease Lease }

	opPauses    struct{}
	opReadHeld  struct{}
	opDecisions struct{ done []int64 }
	opSnapshot  struct{ edits bool } // edits: to look for edited rows
	opBacklog   struct {
		s       Snapshot
		after   int64
		limit   Limit
		suspect bool // one row, to be judged before anything is sent
	}
	opTick struct {
		from, to Snapshot
		after    int64
		limit    Limit
	}
	opAgain struct {
		s           Snapshot
		rows        Selection
		after, upTo int64
		limit       Limit
		catchUp     *catchUp
		anyLeft     *scope // only report whether this topic has rows left
	}

	opEdited struct {
		s, edits    Snapshot
		after, upTo int64
		limit       Limit
	}
	// opTidy moves the mark of a Tidier.
	opTidy struct {
		setAside int64 // rows up to this seq may be set aside
		moved    int   // rows that were settled before it
	}
	// opSearch looks for rows that no read finds. It has its own slot, so that new rows
	// need not wait for it.
	opSearch struct{}

	// opIdle waits until there may be rows to read. It has its own slot, so that a
	// wake-up is handled meanwhile.
	opIdle struct {
		read  Snapshot
		limit time.Duration
	}

	opTopics struct{ names []string }
	opOpen   struct{}
	opSend   struct {
		wave    *wave
		timeout time.Duration
	}
	opSettle struct{ settlement Settlement }
)

// outcome is the result of a command. Only the fields of its op are set.
type outcome struct {
	op  command
	err error

	state     LeaseState     // opObserve
	lease     Lease          // opTakeOver
	renewal   Renewal        // opRenew
	moved     bool           // opIdle
	snapshot  Snapshot       // opSnapshot
	entries   []*entry       // opBacklog, opTick, opAgain
	more      bool           // the same
	left      leftOuts       // the same
	end       int64          // opBacklog, opTick, opAgain, opEdited: the last seq that was looked at; 0: the last row's
	tidied    Tidied         // opTidy
	found     int64          // opSearch
	pauses    OperatorPauses // opPauses
	held      []HeldRow      // opReadHeld
	decisions []Decision     // opDecisions
	topics    []TopicInfo    // opTopics
	results   []Result       // opSend
	producer  Producer       // opOpen
}

// slotOf returns the slot of a command.
func slotOf(c command) slot {
	switch c.(type) {
	case opObserve, opTakeOver, opRenew, opRelease:
		return slotLease
	case opTopics:
		return slotTopics
	case opOpen, opSend:
		return slotSend
	case opSettle:
		return slotSettle
	case opIdle:
		return slotIdle
	case opSearch:
		return slotSearch
	default:
		return slotRead
	}
}

// agenda collects the commands to start now and the latest time for the next call.
type agenda struct {
	busy *slots
	now  time.Duration
	at   time.Duration
	cmds []command
}

func (n *agenda) do(c command) {
	n.busy[slotOf(c)] = true
	n.cmds = append(n.cmds, c)
}

// due reports whether a time has come. If not, next is called again then.
func (n *agenda) due(at time.Duration) bool {
	if at <= n.now {
		return true
	}
	n.at = min(n.at, at)
	return false
}
