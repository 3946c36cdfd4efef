package wake

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// redisConn is one connection of a source, with the client that it belongs to. On a
// connection that the client shares, a command that was given up stays until Redis
// answers it: a BLPOP would take the next wake-up.
type redisConn struct {
	client    rueidis.Client
	dedicated rueidis.DedicatedClient
}

// dialRedis opens a connection. If ctx ends first, the connection is closed as soon as
// it is open.
func dialRedis(ctx context.Context, options rueidis.ClientOption) (*redisConn, error) {
	options.PipelineMultiplex = -1 // one shared connection is enough
	type made struct {
		conn *redisConn
		err  error
	}
	done := make(chan made, 1)
	go func() {
		client, err := rueidis.NewClient(options)
		if err != nil {
			done <- made{nil, err}
			return
		}
		dedicated, _ := client.Dedicate() // close does what its second result does
		done <- made{&redisConn{client, dedicated}, nil}
	}()
	select {
	case m := <-done:
		return m.conn, m.err
	case <-ctx.Done():
		go func() {
			if m := <-done; m.conn != nil {
				m.conn.close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

func (c *redisConn) B() rueidis.Builder { return c.dedicated.B() }

// do runs a command and returns its error: context.DeadlineExceeded if there is no
// answer within the limit. After an error that is not an answer, close the connection;
// Redis no longer waits for it then.
func (c *redisConn) do(ctx context.Context, limit time.Duration, command rueidis.Completed) error {
	// A context without a deadline: with one, the client looks at nothing else while it
	// reads, and an end of ctx would go unnoticed until then.
	running, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	defer time.AfterFunc(limit, func() { cancel(context.DeadlineExceeded) }).Stop()
	err := c.dedicated.Do(running, command).Error()
	if _, answered := rueidis.IsRedisErr(err); err != nil && !answered && command.IsBlock() {
		c.dedicated.Close() // immediately, because Redis has nothing to answer
	}
	if err != nil && running.Err() != nil {
		return context.Cause(running)
	}
	return err
}

// close closes the connection. It takes up to a second if Redis does not answer.
func (c *redisConn) close() {
	c.dedicated.Close()
	c.client.Close()
}
