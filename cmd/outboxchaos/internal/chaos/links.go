package chaos

import (
	"context"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/proxy"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
)

func (r *run) leaderToKafka(ctx context.Context) ([]*proxy.Proxy, error) {
	leader, err := r.leader(ctx)
	if err != nil {
		return nil, err
	}
	return []*proxy.Proxy{leader.Kafka}, nil
}

func (r *run) leaderToPostgres(ctx context.Context) ([]*proxy.Proxy, error) {
	leader, err := r.leader(ctx)
	if err != nil {
		return nil, err
	}
	return []*proxy.Proxy{leader.Postgres}, nil
}

func (r *run) allToKafka(context.Context) ([]*proxy.Proxy, error) {
	links := []*proxy.Proxy{r.ConsumerKafka}
	for _, one := range r.Relays {
		links = append(links, one.Kafka)
	}
	return links, nil
}

func (r *run) allToPostgres(context.Context) ([]*proxy.Proxy, error) {
	links := []*proxy.Proxy{r.ConsumerPostgres, r.WritersLink}
	for _, one := range r.Relays {
		links = append(links, one.Postgres)
	}
	return links, nil
}

func (r *run) allToRedis(context.Context) ([]*proxy.Proxy, error) {
	return []*proxy.Proxy{r.RedisLink}, nil
}

// breakLinks changes the weather of links for a while.
func (r *run) breakLinks(of func(context.Context) ([]*proxy.Proxy, error)) func(context.Context, fault.Fault) error {
	return func(ctx context.Context, f fault.Fault) error {
		links, err := of(ctx)
		if err != nil {
			return err
		}
		return breakAll(ctx, links, f)
	}
}

func breakAll(ctx context.Context, links []*proxy.Proxy, f fault.Fault) error {
	var weather proxy.Weather
	cutBefore, cutAfter := false, false
	switch f.Weather {
	case fault.Delayed:
		const delay = 200 * time.Millisecond
		weather.Delay = delay
	case fault.Cut:
		cutBefore, f.Hold = true, 0
	case fault.Refused:
		cutBefore, weather.Refuse = true, true
	case fault.HalfOpen:
		cutAfter, weather.HoldAnswers = true, true
	case fault.Silent, fault.LongSilent:
		cutAfter, weather.HoldAnswers, weather.HoldRequests = true, true, true
	case fault.SilentFlows, fault.LongSilentFlows:
		weather.HoldAnswers, weather.HoldRequests = true, true
	case fault.AnswersLater:
		weather.HoldAnswers = true
	}
	each := func(do func(*proxy.Proxy)) {
		for _, link := range links {
			do(link)
		}
	}
	held := func() (n int64) {
		each(func(p *proxy.Proxy) { n += p.Held() })
		return n
	}
	before := held()
	each(func(p *proxy.Proxy) { p.Set(weather) })
	if cutBefore {
		each((*proxy.Proxy).Cut)
	}
	wait.For(ctx, f.Hold)
	if cutAfter {
		each((*proxy.Proxy).Cut)
	}
	each(func(p *proxy.Proxy) { p.Set(proxy.Weather{}) })
	if (weather.HoldAnswers || weather.HoldRequests) && held() == before {
		return errMissed // no bytes were held
	}
	return nil
}
