package instance

import (
	"context"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Point names a failpoint: a stage of the relay's work.
type Point string

// The failpoints. At those that end in "written", the request was sent and no answer
// has arrived.
const (
	BeforeTakeOver  Point = "take-over:before"
	TakeOverWritten Point = "take-over:written"
	AfterTakeOver   Point = "take-over:after"
	BeforeRenew     Point = "renew:before"
	RenewWritten    Point = "renew:written"
	AfterRenew      Point = "renew:after"
	AfterHeld       Point = "held:after"
	AfterSnapshot   Point = "snapshot:after"
	AfterBacklog    Point = "backlog:after"
	AfterTick       Point = "tick:after"
	AfterAgain      Point = "again:after"
	AfterFlushed    Point = "flushed:after"
	BeforeSend      Point = "send:before"
	SendWritten     Point = "send:written"
	SendAnswered    Point = "send:answered" // the broker's answer has arrived and is not processed yet
	AfterSend       Point = "send:after"
	BeforeSettle    Point = "settle:before"
	SettleWritten   Point = "settle:written"
	AfterSettle     Point = "settle:after"
	BeforeRelease   Point = "release:before"
	ReleaseWritten  Point = "release:written"
	AfterRelease    Point = "release:after"
)

// Stages returns the points that a leader passes again and again while rows arrive.
func Stages() []Point {
	return []Point{
		BeforeRenew, RenewWritten, AfterRenew, AfterSnapshot, AfterTick, AfterFlushed,
		BeforeSend, SendWritten, SendAnswered, AfterSend, BeforeSettle, SettleWritten, AfterSettle,
	}
}

// TakeOverStages returns the points that a standby passes while it becomes the leader.
func TakeOverStages() []Point {
	return []Point{BeforeTakeOver, TakeOverWritten, AfterTakeOver, AfterHeld, AfterBacklog}
}

// ReleaseStages returns the points that a leader passes while it ends cleanly.
func ReleaseStages() []Point { return []Point{BeforeRelease, ReleaseWritten, AfterRelease} }

// Action is what happens at an armed failpoint.
type Action string

// The actions.
const (
	Kill Action = "kill" // SIGKILL
	Stop Action = "stop" // SIGSTOP; the harness has to send SIGCONT
)

// points has the failpoint that is armed, if any. It acts once.
type points struct {
	mu     sync.Mutex
	point  Point
	action Action
}

func (p *points) arm(point Point, action Action) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.point, p.action = point, action
}

func (p *points) armed(point Point) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.point == point
}

// hit acts if the point is armed.
func (p *points) hit(point Point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.point != point {
		return
	}
	p.point = ""
	signal := syscall.SIGKILL
	if p.action == Stop {
		signal = syscall.SIGSTOP
	}
	_ = syscall.Kill(syscall.Getpid(), signal) // if it fails, nothing else can be done
	// Other threads may get the signal first. Wait here until it stops this one.
	time.Sleep(100 * time.Millisecond)
}

// tracer finds the connection that will write a statement with an armed point. The
// point acts once the statement is written.
type tracer struct{ points *points }

// written has the statements with a failpoint after they are written.
var written = map[string]Point{
	"-- name: TakeOverLease ": TakeOverWritten,
	"-- name: RenewLease ":    RenewWritten,
	"-- name: ReleaseLease ":  ReleaseWritten,
	"-- name: SettleBy":       SettleWritten,
}

func (t tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	for name, point := range written {
		if strings.HasPrefix(data.SQL, name) && t.points.armed(point) {
			if c, ok := conn.PgConn().Conn().(*watched); ok {
				c.next = point
			}
		}
	}
	return ctx
}

func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// watched is a connection to Postgres.
type watched struct {
	net.Conn
	points *points
	next   Point // reached once the next statement is written
}

// bind is the first byte of a message that runs a prepared statement.
const bind = 'B'

func (c *watched) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.next != "" && len(b) > 0 && b[0] == bind {
		point := c.next
		c.next = ""
		c.points.hit(point)
	}
	return n, err
}

// hooks are the failpoints within the Kafka client.
type hooks struct{ points *points }

const produceKey = 0

func (h hooks) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == produceKey && err == nil {
		h.points.hit(SendWritten)
	}
}

func (h hooks) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == produceKey && err == nil {
		h.points.hit(SendAnswered)
	}
}
