package main

import (
	"context"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/redis/rueidis"
)

// note adds a version or a setting to the report of the scenario that is prepared.
func (l *lab) note(text string) { l.notes = append(l.notes, text) }

// versions returns the versions of the libraries that are measured, and of Redis.
func (l *lab) versions(ctx context.Context) []string {
	var out []string
	info, ok := debug.ReadBuildInfo()
	if ok {
		out = librariesOf(info, map[string]string{
			"github.com/jackc/pgx/v5":            "pgx",
			"github.com/twmb/franz-go":           "franz-go",
			"github.com/twmb/franz-go/pkg/kfake": "kfake",
			"github.com/redis/rueidis":           "rueidis",
		})
	}
	if v := l.redisVersion(ctx); v != "" {
		out = append(out, "Redis "+v)
	}
	return out
}

// librariesOf returns the modules of a program that have a name, with their versions, in the
// order of their paths.
func librariesOf(info *debug.BuildInfo, names map[string]string) []string {
	var out []string
	for _, m := range info.Deps {
		if name, ok := names[m.Path]; ok {
			out = append(out, name+" "+m.Version)
		}
	}
	return out
}

var redisVersion = regexp.MustCompile(`(?m)^redis_version:(\S+)`)

// redisVersion returns the version of Redis; empty: there is none, or it does not say it.
func (l *lab) redisVersion(ctx context.Context) string {
	if l.redis == nil {
		return ""
	}
	option, err := rueidis.ParseURL(l.redis.URL)
	if err != nil {
		return ""
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return ""
	}
	defer client.Close()
	text, err := client.Do(ctx, client.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return ""
	}
	if match := redisVersion.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	return ""
}

// noteKafka notes the version of the real Kafka. The broker does not tell it, but the
// requests that it understands do.
func (l *lab) noteKafka(ctx context.Context, k *kafka) error {
	brokers, err := k.admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	for _, b := range brokers.Sorted() {
		if b.Err != nil {
			return b.Err
		}
		l.note("Kafka " + strings.TrimPrefix(b.VersionGuess(), "v") + ", one broker with default settings, except `auto.create.topics.enable=false`; topics have " +
			"8 partitions and one replica")
	}
	return nil
}
