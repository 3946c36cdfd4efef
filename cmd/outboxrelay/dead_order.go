package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/pflag"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// keyOrder decides about dead rows that come before the selected ones of their keys. The
// relay sends the rows of a key in the order of their seq, so a later row must not be made
// pending while an earlier one stays dead and may be replayed afterwards.
type keyOrder struct {
	withEarlier bool // they are selected too
	outOfOrder  bool // they stay dead
}

func (k *keyOrder) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&k.withEarlier, "with-earlier", false, "select also the dead rows that come before a selected one of the same topic and key")
	flags.BoolVar(&k.outOfOrder, "out-of-order", false, "leave such rows dead, although the selected ones then come first")
}

func (k *keyOrder) misuse() error {
	if k.withEarlier && k.outOfOrder {
		return misuse{errors.New("--with-earlier and --out-of-order exclude each other: remove one of them")}
	}
	return nil
}

// lister calls f with each of what a filter selects.
type lister func(ctx context.Context, conn *pgx.Conn, o outbox, filter admin.Filter, f func(item) error) error

// apply returns a lister of the rows to replay: those of the filter and, if the operator
// wants that, those that come before them. If there are such and the operator has not
// decided about them, it returns an error.
func (k *keyOrder) apply(ctx context.Context, conn *pgx.Conn, each lister, filter admin.Filter) (lister, error) {
	if k.outOfOrder {
		return each, nil
	}
	selected, lastOf := map[int64]bool{}, map[topicKey]int64{}
	err := eachLetter(ctx, conn, filter, func(l admin.DeadLetter) {
		selected[l.Seq] = true
		if id, ok := topicKeyOf(l); ok {
			lastOf[id] = max(lastOf[id], l.Seq)
		}
	})
	if err != nil || len(lastOf) == 0 {
		return each, err
	}
	var earlier []admin.DeadLetter
	err = eachLetter(ctx, conn, admin.Filter{}, func(l admin.DeadLetter) {
		if id, ok := topicKeyOf(l); ok && !selected[l.Seq] && l.Seq < lastOf[id] {
			earlier = append(earlier, l)
			selected[l.Seq] = true
		}
	})
	switch {
	case err != nil || len(earlier) == 0:
		return each, err
	case !k.withEarlier:
		first := earlier[0]
		return nil, fmt.Errorf("nothing was changed: %s before the selected ones of their keys and would be passed, first seq %d, event %s, topic %s, key %s; "+
			"add --with-earlier to select them too, discard them, or add --out-of-order",
			comes(len(earlier)), first.Seq, first.EventID, first.Topic, *first.Key)
	}
	return func(ctx context.Context, conn *pgx.Conn, o outbox, _ admin.Filter, f func(item) error) error {
		return each(ctx, conn, o, admin.Filter{}, func(i item) error {
			if l, ok := i.json.(admin.DeadLetter); !ok || !selected[l.Seq] {
				return nil
			}
			return f(i)
		})
	}, nil
}

func comes(n int) string {
	if n == 1 {
		return "1 dead row comes"
	}
	return fmt.Sprintf("%d dead rows come", n)
}

// topicKey is what has an order.
type topicKey struct{ topic, key string }

// topicKeyOf returns the topic and key of a row; false if it has no key. An empty key is
// none.
func topicKeyOf(l admin.DeadLetter) (topicKey, bool) {
	if l.Key == nil || *l.Key == "" {
		return topicKey{}, false
	}
	return topicKey{l.Topic, *l.Key}, true
}

// eachLetter calls f with each selected dead letter, in the order of seq.
func eachLetter(ctx context.Context, conn *pgx.Conn, filter admin.Filter, f func(admin.DeadLetter)) error {
	for after := int64(0); ; {
		letters, err := admin.DeadLetters(ctx, conn, filter, after)
		if err != nil || len(letters) == 0 {
			return err
		}
		for _, l := range letters {
			f(l)
			after = l.Seq
		}
	}
}
