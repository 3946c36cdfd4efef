package relay

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
)

// This is the repair of numbers, as logrepair.go of pgstore and event_outbox_renumber of package
// migrations have it. The names are theirs.

// memNumbers is what a term knows about the numbers.
type memNumbers struct {
	standing int64  // the highest place of the sequence that was read
	seen     string // the newest snapshot that was taken before such a look; "": none
	doubtful bool   // the repair is due
	over     bool   // it may have been made
	unknown  bool   // the outcome of a call is unknown
	first    int64  // the number of the cursor of the first call; 0: none yet
}

// The rules of the repair that have a switch.
const (
	repairs        = "rows whose numbers come again get other ones"
	seenCounts     = "what was seen after the sequence was set back tells no earlier rows"
	unreachedRows  = "rows whose number the sequence has not reached are earlier ones"
	olderRows      = "rows whose number came again are earlier ones"
	middleRows     = "rows from before a number came again are before those from after"
	entriesAreOfTx = "entries belong to a row, not to its number"
	formerBase     = "the cursor of a repair has the former base"
	aheadDecided   = "what is ahead of the cursor stays settled in a repair"
	oneIsAhead     = "a number ahead of the cursor settles no row that shares it"
	termOver       = "after a repair nothing is written by former numbers"
)

const memVainRepairs = 2

var (
	errMemNumbers = errors.New("numbers come again")
	errMemLocked  = errors.New("a writer is open")
	errMemChanged = errors.New("the cursor is another one")
	errMemVain    = &SetupError{Problem: "repairs in a row found nothing to change", Remedy: "adopt"}
)

// doubt returns an error if the numbers have to be repaired.
func (s *memLogStore) doubt(doubtful bool) error {
	if doubtful && !s.off(repairs) {
		return errMemNumbers
	}
	return nil
}

// termBegins reads the cursor. If numbers may come again, it repairs them before.
func (s *memLogStore) termBegins() error {
	c, highest := s.log.cursor, s.highestSeq()
	highest = max(highest, c.Seq, s.log.floor)
	if n := len(c.Ahead); n > 0 {
		highest = max(highest, c.Ahead[n-1])
	}
	doubtful := s.doubted || s.lastSeq < highest || s.log.of != s.log.file
	if err := s.doubt(doubtful); err != nil {
		s.doubted = true
		err = s.renumbers(s.log.n+1, "")
		if errors.Is(err, errMemUnsure) {
			err = ErrLeaseLost // the take-over waits for the end of the call
		}
		if err != nil {
			return err
		}
		s.doubted = false
	}
	s.w, s.n, s.file, s.numbers = logcursor.New(s.log.cursor), s.log.n, s.log.file, memNumbers{standing: s.lastSeq}
	s.floor, s.baseFloor, s.asked = s.log.floor, s.log.floor, memTidy{}
	clear(s.floors)
	return nil
}

// stands looks where the sequence stands.
func (s *memLogStore) stands() error {
	if err := s.doubt(s.file != s.log.file || s.lastSeq < s.numbers.standing); err != nil {
		return err
	}
	s.numbers.standing = max(s.numbers.standing, s.lastSeq)
	return nil
}

// repaired repairs the numbers if err says that this is due, or did before. Then the term is over.
func (s *memLogStore) repaired(err error) error {
	if s.off(repairs) || s.w == nil || errors.Is(err, ErrLeaseLost) {
		return err
	}
	s.numbers.doubtful = s.numbers.doubtful || errors.Is(err, errMemNumbers) || errors.Is(err, logcursor.ErrTwice)
	switch {
	case !s.numbers.doubtful:
		return err
	case !s.allows(s.lease):
		return ErrLeaseLost
	}
	return s.repair()
}

// repair repairs the numbers, and returns an error in any case.
func (s *memLogStore) repair() error {
	nu := &s.numbers
	if nu.first > 0 && s.log.n >= nu.first {
		return ErrLeaseLost // an earlier call was carried out
	}
	s.n = max(s.n, s.log.n) + 1
	if nu.first == 0 {
		nu.first = s.n
	}
	nu.over = true
	switch err := s.renumbers(s.n, nu.seen); {
	case err == nil:
		return ErrLeaseLost
	case errors.Is(err, errMemUnsure):
		nu.unknown = true
		return err
	default:
		if !nu.unknown {
			nu.over, nu.first = false, 0
		}
		return err
	}
}

// renumbers calls renumber, as the relay does: the call may be carried out later, or its answer lost.
func (s *memLogStore) renumbers(next int64, seen string) error {
	if s.vain >= memVainRepairs {
		return errMemVain
	}
	lease, former, listed := s.lease, s.log.n, slices.Clone(s.log.cursor.Ahead)
	if s.log.delays(func() { _, _ = s.renumber(lease, former, next, listed, seen) }) {
		return errMemUnsure
	}
	rows, err := s.renumber(lease, former, next, listed, seen)
	switch {
	case err != nil:
		return err
	case s.log.unsure():
		return errMemUnsure
	case rows > 0:
		s.vain = 0
	default:
		s.vain++
	}
	return nil
}

// entry reports whether a row waits in an entry, or has a copy.
func (s *memStore) entry(r *memRow) bool { return s.log.late[r] || s.log.copied[r] && !r.published }

// highestSeq returns the highest number of all rows and entries.
func (s *memStore) highestSeq() (seq int64) {
	for _, r := range s.rows {
		if s.committed(r) && !r.dropped || s.entry(r) {
			seq = max(seq, r.Seq)
		}
	}
	return seq
}

// memUnpassed is a row that base does not show.
type memUnpassed struct {
	*memRow

	decided       bool // an entry or the cursor says what becomes of it
	age           int  // when it was inserted, as far as that is known: before the sequence was set back, or after
	entry         bool // an entry of another row has its number
	first, second bool // another such row has it, which is younger, or older
	rival         bool // so has one that may be the one that is settled ahead
	low           bool // not decided, and up to the floor
}

// The ages of rows.
const (
	memEarlier = iota
	memBetween // nothing tells
	memLater
)

// taken reports whether an older row, an entry or the floor has the number.
func (u *memUnpassed) taken() bool { return u.second || u.entry || u.low }

// unpassed returns the rows that base does not show. Those that are behind the place of c are decided,
// and those that have an entry, or a number in listed. If given, seen shows every row that is settled ahead.
func (s *memStore) unpassed(c logcursor.Cursor, floor int64, listed []int64, seen string, given bool) []*memUnpassed {
	var out []*memUnpassed
	for _, r := range s.rows {
		if s.committed(r) && !r.dropped && !s.visible(r, s.at(c.Base)) {
			out = append(out, &memUnpassed{memRow: r})
		}
	}
	for _, u := range out {
		for _, o := range out {
			u.first = u.first || o.Seq == u.Seq && o.stamp > u.stamp
			u.second = u.second || o.Seq == u.Seq && o.stamp < u.stamp
			u.rival = u.rival || o.Seq == u.Seq && o != u && (!given || s.visible(o.memRow, s.at(seen)))
		}
		entered := s.log.known[u.memRow] || s.visible(u.memRow, s.at(c.Shown)) && u.Seq <= c.Seq && u.Seq > floor
		for _, e := range s.rows {
			if e != u.memRow && e.Seq == u.Seq && s.entry(e) {
				u.entry = true
				entered = entered || s.off(entriesAreOfTx)
			}
		}
		ahead := slices.Contains(listed, u.Seq) && s.visible(u.memRow, s.at(seen)) && !s.off(aheadDecided)
		u.decided = entered || ahead && (!u.rival || s.off(oneIsAhead))
		u.low = !u.decided && u.Seq <= floor
	}
	return out
}

// split tells when rows were inserted. again is the oldest row whose number an older one has; nil: there is
// none. If the sequence is not low either, nothing shows that it was set back, and all rows are earlier ones.
func (s *memStore) split(rows []*memUnpassed, seen string, low bool) (again *memRow) {
	var early int64 // the youngest transaction that is known to be from before the sequence was set back
	known := func(r *memRow) bool { return s.visible(r, s.at(seen)) }
	counts := !slices.ContainsFunc(rows, func(u *memUnpassed) bool { return u.taken() && known(u.memRow) }) || s.off(seenCounts)
	for _, u := range rows {
		if u.Seq > s.lastSeq && !s.off(unreachedRows) || u.first && !u.taken() && !s.off(olderRows) {
			early = max(early, u.stamp)
		}
		if u.taken() && (again == nil || u.stamp < again.stamp) {
			again = u.memRow
		}
	}
	if again == nil && !low {
		early = math.MaxInt64
	}
	for _, u := range rows {
		switch {
		case u.decided, counts && known(u.memRow), u.stamp <= early:
			u.age = memEarlier
		case again != nil && u.stamp < again.stamp && !s.off(middleRows):
			u.age = memBetween
		default:
			u.age = memLater
		}
	}
	return again
}

// bounds reports whether earlier rows get other numbers, and returns the number before the first row that keeps
// its number and is not decided.
func (s *memStore) bounds(rows []*memUnpassed, highest int64) (allNew bool, place int64) {
	const none = int64(1) << 62
	lowest, numbers := none, map[int64]int{}
	for _, u := range rows {
		if u.age == memEarlier {
			numbers[u.Seq]++
		}
		if u.age == memEarlier && !u.decided {
			lowest = min(lowest, u.Seq)
		}
	}
	for _, u := range rows {
		allNew = allNew || u.age == memEarlier && u.Seq >= lowest && (u.entry || numbers[u.Seq] > 1)
	}
	if allNew || lowest == none {
		return allNew, highest
	}
	return false, lowest - 1
}

// renumber is the function event_outbox_renumber. It returns how many rows have another number.
func (s *memLogStore) renumber(l Lease, former, next int64, listed []int64, seen string) (renumbered int, err error) {
	switch {
	case !s.allows(l):
		return 0, ErrLeaseLost
	case len(s.low.writers) > 0:
		return 0, errMemLocked
	case former != s.log.n:
		return 0, errMemChanged
	}
	c, floor := s.log.cursor, s.log.floor
	if c.Shown == "" {
		c.Shown, c.Seq = c.Base, 0
	}
	given := seen != ""
	if !given {
		seen = c.Shown
	}
	highest := max(s.lastSeq, s.highestSeq())
	rows := s.unpassed(c, floor, listed, seen, given)
	again := s.split(rows, seen, s.lastSeq < highest)
	allNew, place := s.bounds(rows, highest)
	s.expects(rows, floor, seen, again, s.lastSeq < highest)

	if s.lastSeq < highest {
		s.lastSeq = highest
		s.log.file++
	}
	slices.SortFunc(rows, func(a, b *memUnpassed) int {
		return cmp.Or(cmp.Compare(a.age, b.age), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.stamp, b.stamp), bytes.Compare(a.ID[:], b.ID[:]))
	})
	cursor := logcursor.Cursor{Base: c.Base, Seq: place}
	lowest := place + 1
	for _, u := range rows {
		switch {
		case u.decided:
			if u.Seq > place {
				cursor.Ahead = append(cursor.Ahead, u.Seq)
			}
		case u.age > memEarlier || allNew:
			s.lastSeq++
			u.Seq = s.lastSeq
			s.bySeq[u.Seq] = u.memRow
			renumbered++
		}
		lowest = min(lowest, u.Seq)
	}
	slices.SortStableFunc(s.rows, func(a, b *memRow) int { return cmp.Compare(a.Seq, b.Seq) })
	slices.Sort(cursor.Ahead)
	cursor.Ahead = slices.Compact(cursor.Ahead)
	shown, _ := s.memStore.Snapshot(nil) //nolint:staticcheck // not used
	if cursor.Shown = string(shown); s.off(formerBase) {
		cursor.Base = string(shown)
	}
	s.log.say("numbers are repaired: %d rows have other ones, cursor %+v", renumbered, cursor)
	s.log.cursor, s.log.n, s.log.floor, s.log.of = cursor, next, lowest-1, s.log.file
	return renumbered, nil
}

// What the repair promises.

// setsBack sets the sequence back. A row of a later era may pass one of a former era if a transaction was open
// meanwhile that has an id not above that of its own, or if the sequence is set back once more before it is repaired.
func (s *memStore) setsBack(to int64, replace bool) {
	s.lastSeq = to
	s.era++
	s.eraTx = s.lastTx
	if replace {
		s.log.file++
	}
	oldest := s.lastTx + 1
	for tx := range s.open {
		oldest = min(oldest, tx)
	}
	s.log.unclear = s.log.unclear || s.log.isSetBack
	s.log.isSetBack = true
	for _, r := range s.rows {
		if s.log.unclear || r.stamp >= oldest {
			r.passable, r.passed = s.era, s.era
		}
	}
}

// reaches records that the sequence has reached a number again. Then nothing may tell that a row with this
// number is of a former era.
func (s *memStore) reaches(seq int64) {
	for _, r := range s.rows {
		if r.Seq == seq && r.era < s.era && r.passable < s.era {
			r.passable, r.passed = s.era, r.passable
		}
	}
}

// expects records what a repair has to do with rows. Those of a former era stay before those of a later one
// if something tells that they are: seen shows them, or the sequence has not reached their number, or that of
// a younger one, or came again to it. All stay before those that are not older than the first number that came
// again. Rows that seen shows prove nothing if it shows one of the later era too, or one whose number came again. Nor
// does that hold for what was sent or set aside before the repair. Published rows may be read again only if the
// repair cannot know that they are published.
func (s *memLogStore) expects(rows []*memUnpassed, floor int64, seen string, again *memRow, low bool) {
	shown := func(r *memRow) bool { return s.visible(r, s.at(seen)) }
	counts := !slices.ContainsFunc(rows, func(u *memUnpassed) bool { return (u.taken() || u.era == s.era) && shown(u.memRow) })
	var early int64
	for _, u := range rows {
		if u.era < s.era && (u.Seq > s.lastSeq || u.first && !u.taken()) {
			early = max(early, u.stamp)
		}
	}
	for _, u := range rows {
		if !s.log.unclear && u.passable == s.era && (again != nil || low) &&
			(u.decided || u.stamp <= early || counts && shown(u.memRow)) {
			u.passable = u.passed
		}
		u.kept = u.kept || s.entry(u.memRow) && u.era == s.era
		u.last = !s.log.unclear && again != nil && u.stamp >= again.stamp
		if u.published && !u.decided && (u.rival || u.Seq <= floor || !shown(u.memRow)) {
			s.log.again[u.memRow] = true
		}
	}
	s.log.isSetBack, s.log.unclear, s.log.repaired = false, false, s.era
}
