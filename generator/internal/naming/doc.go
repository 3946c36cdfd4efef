// Package naming gives everything in a package its Go name, and puts its types
// into files. Names follow from the schemas alone, and are as stable as can be.
//
// # Names
//
// A type is named after its title, else after the definition or file that a
// $ref leads to, else after the type and property that it is written in. If
// that property is of a definition or file that allOf includes, then after that
// one and the property, whatever events include it. Two
// definitions that want the same name and say the same are one type. Of those
// that say different things one keeps the short name and the others are
// qualified with the name of their event or file, with a warning. If a file has
// several events, that is the event in whose data the type is written. The name
// goes to
//
//   - the one in a library, before those in an event's own file;
//   - then the one that most events use;
//   - then the one of the lowest event version;
//   - then the one whose file, and place in it, sorts first;
//
// but never to one of a later version of the event that another of them belongs
// to, so that a new event version renames nothing of an older one. Definitions
// of one file that want one name bear their whole names, of which it was a part.
//
// So a schema that is added leaves every name as it was, unless it defines
// another type under a short name that is in use and comes before by these
// rules: it is a library, it is referred to by more events, or nothing else
// tells the two apart and its file sorts first. The same goes for an event that
// only refers to the definition which had lost until then, and so makes it the
// one that more events use. Then the older type is qualified, with the warning
// at it, which says what title gives either its name for good; the compiler
// finds every place that used the old one. An event takes the names that follow
// from its own (OrderV1, NewOrderV1, InsertOrderV1 and so on) before any type; a
// type written in line, whose name begins with that of what it stands in, comes
// after all definitions.
package naming
