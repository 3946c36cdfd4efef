package sqlc

import (
	"bytes"
	"regexp"
	"unicode/utf8"
)

// named is the first name that a message of sqlc quotes.
var named = regexp.MustCompile(`"([^"]+)"`)

// place returns the offset that a message is about. sqlc points one character after a
// syntax error, and to the beginning if a table or column does not fit a statement; the
// name that it quotes is more exact.
func place(sql []byte, m message) int {
	at := offset(sql, m.line, m.col)
	match := named.FindStringSubmatch(m.text)
	if match == nil {
		return at
	}
	word := regexp.MustCompile(`(?i)(^|\W)(` + regexp.QuoteMeta(match[1]) + `)(\W|$)`)
	end := len(sql)
	if m.line != 1 || m.col != 1 {
		end = at
	}
	if found := last(word, sql, end); found >= 0 {
		return found
	}
	return at
}

// last returns the last position of a word before end, or -1.
func last(word *regexp.Regexp, sql []byte, end int) int {
	at := -1
	for from := 0; from < len(sql); {
		found := word.FindSubmatchIndex(sql[from:])
		if found == nil || from+found[4] >= end {
			return at
		}
		at = from + found[4]
		from += found[5]
	}
	return at
}

// offset returns the offset of a line and a column, or the end.
func offset(sql []byte, line, col int) int {
	at := 0
	for ; line > 1; line-- {
		next := bytes.IndexByte(sql[at:], '\n')
		if next < 0 {
			return len(sql)
		}
		at += next + 1
	}
	for ; col > 1 && at < len(sql); col-- {
		_, size := utf8.DecodeRune(sql[at:])
		at += size
	}
	return at
}

// position returns the line and column of an offset, counting from 1.
func position(sql []byte, at int) (line, col int) {
	before := sql[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}
