package ir

import "strings"

// EventVar returns the Go name of an event's description.
func EventVar(goName string) string { return Unexported(goName) + "Event" }

// Unexported makes an exported name unexported: CJAssessment gives cjAssessment.
func Unexported(name string) string {
	n := 0
	for n < len(name) && 'A' <= name[n] && name[n] <= 'Z' {
		n++
	}
	switch {
	case n == 0:
		return "x" + name
	case n > 1 && n < len(name) && (name[n] < '0' || name[n] > '9'):
		n-- // the last capital begins the next word
	}
	return strings.ToLower(name[:n]) + name[n:]
}

// NumberWord returns a number as part of a name.
func NumberWord(text string) string {
	return strings.NewReplacer("-", "Minus", "+", "", ".", "Point").Replace(text)
}
