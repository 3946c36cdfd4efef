package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// authorize restarts the broker with an authorizer, so that clients can be forbidden to
// write a topic. The last argument of the broker's process is its settings file.
func (l *Lab) authorize(ctx context.Context) error {
	k := l.Servers.Kafka
	if k.Fake != nil {
		return nil
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", k.PID()))
	if err != nil {
		return fmt.Errorf("find the broker's settings (the run needs a broker of its own, not the one of KAFKA_BROKERS): %w", err)
	}
	args := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	settings, err := os.OpenFile(args[len(args)-1], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = settings.WriteString(`
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
message.max.bytes=1048588
`)
	if err := errors.Join(err, settings.Close()); err != nil {
		return err
	}
	if err := k.Stop(); err != nil {
		return err
	}
	return k.Start(ctx)
}

// SetWritable allows or forbids to write a topic.
func (l *Lab) SetWritable(ctx context.Context, topic string, writable bool) error {
	deny := kadm.NewACLs().Topics(topic).ResourcePatternType(kadm.ACLPatternLiteral).Operations(kmsg.ACLOperationWrite).
		Deny("User:*").DenyHosts("*")
	if writable {
		results, err := l.Admin.DeleteACLs(ctx, deny)
		for _, r := range results {
			err = errors.Join(err, r.Err)
		}
		return err
	}
	// If there is any ACL, everything that is not allowed is forbidden.
	allow := kadm.NewACLs().Topics(topic).ResourcePatternType(kadm.ACLPatternLiteral).Operations(kmsg.ACLOperationAll).
		Allow("User:*").AllowHosts("*")
	for _, acl := range []*kadm.ACLBuilder{allow, deny} {
		results, err := l.Admin.CreateACLs(ctx, acl)
		for _, r := range results {
			err = errors.Join(err, r.Err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// RaiseLimits makes the topics accept every record of the run.
func (l *Lab) RaiseLimits(ctx context.Context, topics ...string) error {
	const limit = 8 << 20
	value := strconv.Itoa(limit)
	results, err := l.Admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "max.message.bytes", Value: &value}}, topics...)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return err
}
