// Package instance is one relay process of a chaos run: the relay as users run
// it, between wrappers of its store, its sink and its connections.
//
// The wrappers write the journal that explains repeats, label the records, and
// hold the failpoints: named places at which the process kills or stops itself
// when the harness has armed one. Nothing of this is compiled into the relay. A
// process takes its Config as JSON, then commands, one a line, on its standard
// input, and says on its standard output when it leads and when it stands by. It
// ends when its standard input does.
package instance
