package chaos

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
)

func (r *run) flushRedis(ctx context.Context, _ fault.Fault) error {
	option, err := rueidis.ParseURL(r.Servers.Redis.URL)
	if err != nil {
		return err
	}
	option.DisableCache = true
	client, err := rueidis.NewClient(option)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Do(ctx, client.B().Flushall().Build()).Error()
}
