// Package contract holds the events of a project against what they were before:
// that they are still there, under the same type, on the same topic, with the
// same key, aggregate and envelope, and that their schemas suit those who read
// and write the other version (see package compat).
//
// An event is known by its type, which is what consumers tell events apart by;
// the name of its file says nothing. Where no type fits, the same Go name and
// version, and then the same file and version, mean that the type was changed.
//
// Version 2 of an event is another event: it has a type and a topic of its own,
// and consumers move to it when they are ready. So it is not held against
// version 1, unless the config says compat.versions: together.
package contract
