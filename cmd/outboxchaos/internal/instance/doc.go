// Package instance is one relay process of a chaos run. It is the relay that users run,
// with wrappers around its store, its sink and its connections.
//
// The wrappers write the journal that explains repeats, label the records, and contain
// the failpoints: named places where the process kills or stops itself if the harness
// has armed them. None of this is compiled into the relay. On its standard output a
// process says when it leads and when it stands by.
package instance
