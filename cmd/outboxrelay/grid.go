package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
)

// grid prints rows as columns with a header. Cells are escaped, because they come from
// the data. It prints a screenful of rows at a time, so that a long list needs no memory
// and begins at once.
type grid struct {
	w      io.Writer
	header []string // nil: none
	rows   int      // so far
	kept   [][]string
}

// gridRows is how many rows have the same column widths.
const gridRows = 1000

// widestCell limits a cell; a command that shows one row shows all of it.
const widestCell = 80

func (g *grid) add(cells []string) error {
	g.rows++
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = terminal.Text(shortenCell(cell))
	}
	if g.kept = append(g.kept, row); len(g.kept) < gridRows {
		return nil
	}
	return g.flush()
}

// flush prints the rows that are kept.
func (g *grid) flush() error {
	columns := tabwriter.NewWriter(g.w, 0, 4, 2, ' ', 0)
	if g.header != nil && len(g.kept) > 0 {
		fmt.Fprintln(columns, strings.Join(g.header, "\t"))
		g.header = nil
	}
	for _, row := range g.kept {
		fmt.Fprintln(columns, strings.Join(row, "\t"))
	}
	g.kept = nil
	return columns.Flush()
}

// shortenCell cuts a text at a character.
func shortenCell(text string) string {
	if utf8.RuneCountInString(text) <= widestCell {
		return text
	}
	return string([]rune(text)[:widestCell-1]) + "…"
}
