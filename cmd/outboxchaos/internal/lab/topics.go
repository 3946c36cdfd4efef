package lab

import (
	"context"
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// KafkaSettings returns the settings that a real broker needs: with an authorizer,
// clients can be forbidden to write a topic.
func KafkaSettings() []string {
	return []string{
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"allow.everyone.if.no.acl.found=true",
		"message.max.bytes=1048588",
	}
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
