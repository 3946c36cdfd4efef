package main

import (
	"context"
	"errors"
	"fmt"
	"math"

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
	// despiteNewer replays them although newer rows of their keys were published, in a topic
	// that is compacted or may be.
	despiteNewer bool
}

func (k *keyOrder) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&k.withEarlier, "with-earlier", false, "select also the dead rows that come before a selected one of the same topic and key")
	flags.BoolVar(&k.outOfOrder, "out-of-order", false, "send the selected rows before earlier dead rows of their keys")
	flags.BoolVar(&k.despiteNewer, "despite-newer", false, "without a confirmation: also replace newer records of the same keys in compacted topics")
}

func (k *keyOrder) misuse() error {
	if k.withEarlier && k.outOfOrder {
		return misuse{errors.New("--with-earlier and --out-of-order exclude each other: remove one of them")}
	}
	return nil
}

// lister calls f with each of what a filter selects.
type lister func(ctx context.Context, conn *pgx.Conn, o outbox, filter admin.Filter, f func(item) error) error

// earlierRows is how many earlier dead rows are found at once.
const earlierRows = 100_000

// apply returns a lister of the rows to replay: those of the filter and, if the operator
// wants that, those that come before them. If there are such and the operator has not
// decided about them, it returns an error. The replay itself looks again.
func (k *keyOrder) apply(ctx context.Context, conn *pgx.Conn, each lister, filter admin.Filter, all bool) (lister, error) {
	if k.outOfOrder || all { // of all rows none is left out
		return each, nil
	}
	chosen := &admin.Chosen{}
	if err := eachLetter(ctx, conn, filter, chosen.Add); err != nil {
		return each, err
	}
	var earlier []admin.DeadLetter
	for after := int64(0); ; after = earlier[len(earlier)-1].Seq {
		page, err := admin.EarlierDead(ctx, conn, chosen, after, earlierRows)
		switch {
		case err != nil:
			return nil, err
		case len(page) == 0:
			return merged(each, earlier), nil
		case !k.withEarlier:
			return nil, fmt.Errorf("nothing was changed: %w", advise(&admin.OrderError{Earlier: page, More: len(page) == earlierRows}))
		}
		earlier = append(earlier, page...)
	}
}

// advise adds what to do about earlier dead rows.
func advise(err error) error {
	if _, ok := errors.AsType[*admin.OrderError](err); ok {
		return fmt.Errorf("%w; add --with-earlier to select them too, discard them, or add --out-of-order", err)
	}
	return err
}

// merged returns a lister of what each lists and of some more dead letters, in seq order.
func merged(each lister, more []admin.DeadLetter) lister {
	if len(more) == 0 {
		return each
	}
	return func(ctx context.Context, conn *pgx.Conn, o outbox, filter admin.Filter, f func(item) error) error {
		rest := more
		before := func(seq int64) error {
			for len(rest) > 0 && rest[0].Seq < seq {
				if err := f(deadItem(o, rest[0])); err != nil {
					return err
				}
				rest = rest[1:]
			}
			return nil
		}
		err := each(ctx, conn, o, filter, func(i item) error {
			if l, ok := i.json.(admin.DeadLetter); ok {
				if err := before(l.Seq); err != nil {
					return err
				}
			}
			return f(i)
		})
		if err != nil {
			return err
		}
		return before(math.MaxInt64)
	}
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
