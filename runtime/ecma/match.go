package ecma

// MatchString reports whether the expression is found in text. The time grows only with
// the length of the text.
func (x *Expr) MatchString(text string) bool {
	m := matcher{text: []rune(text)}
	for _, look := range x.looks {
		m.holds = append(m.holds, m.everywhere(look))
	}
	w := m.walk(x.main)
	for {
		if w.enter(); w.found {
			return true
		}
		if !w.step() {
			return false
		}
	}
}

// matcher is one call of MatchString.
type matcher struct {
	text  []rune
	holds [][]bool // for each look-around, whether it is true at each place
}

// everywhere returns for each place of the text whether a match of a look-around's body
// begins there (for a look-behind, ends there).
func (m *matcher) everywhere(body *program) []bool {
	holds := make([]bool, len(m.text)+1)
	w := m.walk(body)
	for {
		w.enter()
		holds[w.at] = w.found
		if !w.step() {
			return holds
		}
	}
}

// walk is the states of a program at one place of the text. A program is in all its
// states at once, so no place is read twice.
type walk struct {
	*matcher
	*program
	at      int
	moves   int   // number of characters read
	pending []int // steps that were reached
	chars   []int // the steps that need the next character
	seen    []int // for each step, moves plus one when it was last reached
	runs    []run
	found   bool
}

// run is the current repeats of one character.
type run struct {
	begins []int // moves at which they began, in order
}

func (m *matcher) walk(p *program) *walk {
	w := &walk{matcher: m, program: p, seen: make([]int, len(p.steps)), runs: make([]run, len(p.runs))}
	if p.backward {
		w.at = len(m.text)
	}
	return w
}

// enter adds the start of the program to the states, and all states that are reached
// without a character.
func (w *walk) enter() {
	w.pending = append(w.pending, w.start)
	w.spread()
}

// spread follows the pending steps up to those that need a character.
func (w *walk) spread() {
	for len(w.pending) > 0 {
		last := len(w.pending) - 1
		i := w.pending[last]
		w.pending = w.pending[:last]
		if w.seen[i] == w.moves+1 {
			continue
		}
		w.seen[i] = w.moves + 1
		switch s := &w.steps[i]; s.op {
		case opFound:
			w.found = true
		case opChar:
			w.chars = append(w.chars, i)
		case opRun:
			r := &w.runs[s.index]
			if s.high >= 0 || len(r.begins) == 0 { // without a limit the first is enough
				r.begins = append(r.begins, w.moves)
			}
			if s.low == 0 {
				w.pending = append(w.pending, s.next)
			}
		case opFork:
			w.pending = append(w.pending, s.other, s.next)
		default:
			if w.passes(s) {
				w.pending = append(w.pending, s.next)
			}
		}
	}
}

// passes reports whether a step that needs no character lets pass here.
func (w *walk) passes(s *step) bool {
	switch s.op {
	case opBegin:
		return w.at == 0
	case opEnd:
		return w.at == len(w.text)
	case opWord:
		return w.border() != s.not
	default:
		return w.holds[s.index][w.at] != s.not
	}
}

// border reports whether a word begins or ends here.
func (w *walk) border() bool {
	before := w.at > 0 && isWord(w.text[w.at-1])
	after := w.at < len(w.text) && isWord(w.text[w.at])
	return before != after
}

// step reads the next character. It returns false if there is none.
func (w *walk) step() bool {
	var r rune
	switch {
	case w.backward && w.at > 0:
		w.at--
		r = w.text[w.at]
	case !w.backward && w.at < len(w.text):
		r = w.text[w.at]
		w.at++
	default:
		return false
	}
	w.moves++
	w.found = false
	for _, i := range w.chars {
		if s := &w.steps[i]; s.chars.has(r) {
			w.pending = append(w.pending, s.next)
		}
	}
	w.chars = w.chars[:0]
	for k, i := range w.program.runs {
		w.move(&w.runs[k], &w.steps[i], r)
	}
	w.spread()
	return true
}

// move reads a character in the current repeats.
func (w *walk) move(r *run, s *step, c rune) {
	if len(r.begins) == 0 {
		return
	}
	if !s.chars.has(c) {
		r.begins = r.begins[:0]
		return
	}
	for s.high >= 0 && len(r.begins) > 0 && w.moves-r.begins[0] > s.high {
		r.begins = r.begins[1:]
	}
	if len(r.begins) > 0 && w.moves-r.begins[0] >= s.low {
		w.pending = append(w.pending, s.next)
	}
}
