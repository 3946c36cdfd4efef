package sqlc

import (
	"bytes"
	"regexp"
	"unicode/utf8"
)

// named is the first name that a message of sqlc quotes.
var named = regexp.MustCompile(`"([^"]+)"`)

// place returns the byte that a message is about. sqlc points one character past a
// syntax error, and at the beginning when a table or column is not what a statement
// needs; the name that it quotes tells better.
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

// last returns where a word begins for the last time before end, or -1.
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

// offset returns the byte that a line and a column name, or the end.
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

// position returns the line and column of a byte, counting from 1.
func position(sql []byte, at int) (line, col int) {
	before := sql[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}
