package main

import (
	"fmt"
	"io"
	"os"
)

// progress says what is being measured. On a terminal that is one line, which changes.
// Elsewhere each measurement gets a line of its own, without escape codes.
type progress struct {
	to       io.Writer
	terminal bool
}

func newProgress(to io.Writer) progress {
	file, ok := to.(*os.File)
	return progress{to: to, terminal: ok && isTerminal(file)}
}

// isTerminal reports whether the file is a character device that is not the null device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// clearLine goes to the start of the line and empties it.
const clearLine = "\r\033[K"

// say replaces the line of a terminal, and writes a new one elsewhere.
func (p progress) say(line string) {
	if p.terminal {
		fmt.Fprint(p.to, clearLine, line)
		return
	}
	fmt.Fprintln(p.to, line)
}

// clear removes the line from a terminal.
func (p progress) clear() {
	if p.terminal {
		fmt.Fprint(p.to, clearLine)
	}
}
